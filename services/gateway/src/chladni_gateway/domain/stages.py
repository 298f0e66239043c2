"""Stages of the way from sound to image, and the errors that name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

from chladni_contract.errors import ChladniError, FaultError, Reason

STAGE_KEY: Final = "stage"
"""Key of the stage in the metadata of an error."""
PART_KEY: Final = "part"
"""Key of the part of a recipe in the metadata of an error; absent if the recipe has one part."""


class Stage(StrEnum):
    """Stage of a request."""

    VALIDATION = "validation"
    AUDIO_FEATURES = "audio_features"
    IMAGE_GENERATION = "image_generation"
    STORAGE = "storage"
    SIMILARITY = "similarity"


_FAULTS_OF_THE_INPUT: Final = frozenset(
    {
        Reason.UNSUPPORTED_AUDIO_FORMAT,
        Reason.EMPTY_AUDIO,
        Reason.CORRUPT_AUDIO,
        Reason.AUDIO_TOO_SHORT,
        Reason.AUDIO_TOO_LONG,
        Reason.FILE_TOO_LARGE,
        Reason.UNSUPPORTED_AUDIO_LAYOUT,
        Reason.NON_FINITE_AUDIO,
        Reason.INVALID_IMAGE,
    }
)
"""A file that cannot be used failed its validation, whichever service found that out."""


@contextmanager
def at_stage(stage: Stage) -> Iterator[None]:
    """Make every error that leaves the context name the stage, unless it names one already.

    Raises:
        FaultError: Something failed in a way that no one foresaw; the cause is attached, for the log.
    """
    try:
        yield
    except ChladniError as error:
        found = Stage.VALIDATION if error.reason in _FAULTS_OF_THE_INPUT else stage
        error.metadata.setdefault(STAGE_KEY, found.value)
        raise
    except Exception as error:
        raise FaultError(
            Reason.INTERNAL,
            f"The stage {stage.value} failed unexpectedly. The operator's log has the details.",
            metadata={STAGE_KEY: stage.value},
        ) from error


@contextmanager
def at_part(part: str) -> Iterator[None]:
    """Make every error that leaves the context name a part of a recipe; none for an empty one."""
    try:
        yield
    except ChladniError as error:
        if part:
            error.metadata.setdefault(PART_KEY, part)
        raise

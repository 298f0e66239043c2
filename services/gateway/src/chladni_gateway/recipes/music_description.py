"""The description of music in words, by two analyses of the clip."""

from __future__ import annotations

import struct
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.descriptor_space import (
    COMPONENT_COUNT,
    DESCRIPTOR_NAMES,
    DESCRIPTOR_SPACE,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
)
from chladni_gateway.domain.prompts import MusicDescription
from chladni_gateway.domain.stages import Stage, at_stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.domain.audio import AudioClip, Embedding
    from chladni_gateway.domain.ports import AudioAnalyzer, MusicAnalyzer
    from chladni_runtime.execution.deadlines import Deadline

_QUARTERS: Final = ("first quarter", "second quarter", "third quarter", "last quarter")
_LOUD, _SOFT = 1.15, 0.85


class ClipDescriber:
    """Describes clips; a `MusicDescriber`.

    Args:
        music: Analyses music.
        analyzer: Finds the embedding, which holds the course over time.
    """

    def __init__(self, music: MusicAnalyzer, analyzer: AudioAnalyzer) -> None:
        self._music = music
        self._analyzer = analyzer

    async def describe(
        self, clip: AudioClip, deadline: Deadline, *, with_time_course: bool = False
    ) -> MusicDescription:
        """Return the features of a clip, and its course over time if that is wanted.

        Raises:
            ChladniError: The clip cannot be used, music cannot be analysed there, or the service failed.
        """
        with at_stage(Stage.AUDIO_FEATURES):
            analysis: dict[str, Any] = await self._music.analyze_music(clip, deadline)
            course = ""
            if with_time_course:
                course = course_of((await self._analyzer.analyze(clip, deadline)).embedding)
        return MusicDescription(analysis["features"], course)


def course_of(embedding: Embedding) -> str:
    """Return the course over time that an embedding holds; empty if it is of another space."""
    if embedding.space != DESCRIPTOR_SPACE or embedding.shape != (COMPONENT_COUNT,):
        return ""
    return time_course(struct.unpack(f"<{COMPONENT_COUNT}f", embedding.data))


def time_course(values: Sequence[float]) -> str:
    """Return the course of audio over time in words, quarter by quarter.

    Args:
        values: Its embedding in the space of descriptors.
    """
    width = len(TEMPORAL_FEATURES)
    begin = len(DESCRIPTOR_NAMES)
    segments = [
        dict(zip(TEMPORAL_FEATURES, values[begin + n * width : begin + (n + 1) * width], strict=True))
        for n in range(TEMPORAL_SEGMENTS)
    ]
    per_quarter = TEMPORAL_SEGMENTS // len(_QUARTERS)
    quarters = [segments[n : n + per_quarter] for n in range(0, TEMPORAL_SEGMENTS, per_quarter)]
    words = (("loud", "soft", "level"), ("bright", "dark", "brightness"), ("busy", "sparse", "onset"))
    described = []
    for name, quarter in zip(_QUARTERS, quarters, strict=True):
        found = [_compared(more, less, feature, quarter, segments) for more, less, feature in words]
        described.append(f"{name} {', '.join(word for word in found if word) or 'as the whole'}")
    return "; ".join(described)


def _compared(
    more: str, less: str, feature: str, part: Sequence[dict[str, float]], whole: Sequence[dict[str, float]]
) -> str:
    mean = fmean(segment[feature] for segment in whole)
    here = fmean(segment[feature] for segment in part)
    return more if here > mean * _LOUD + 1e-6 else less if here < mean * _SOFT - 1e-6 else ""

"""Where pretrained models are, and what their files are.

/models/clap-htsat-unfused            a transformers directory; an absolute path
laion/clap-htsat-unfused              a model on the model hub
laion/clap-htsat-unfused@main         the same at a revision: a branch, a tag or a commit
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

_HUB_ID_PATTERN: Final = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}")
_WEIGHT_PATTERN: Final = "*.safetensors"


class ModelLoadingError(Exception):
    """A configured model cannot be loaded; the message is for callers too and holds no path."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where a model is to be had.

    Attributes:
        source: Absolute path of a directory, or an identifier on the model hub.
        revision: Revision on the model hub; `None` means its default branch.
    """

    source: str
    revision: str | None = None

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory on this machine."""
        return PurePath(self.source).is_absolute()

    @property
    def name(self) -> str:
        """Name for people: of a directory its last part, so that no path leaves the service."""
        return PurePath(self.source).name if self.is_directory else self.source


def parse_model_reference(text: str) -> ModelReference:
    """Return the model that a setting names.

    Raises:
        ValueError: The text is of no known form.
    """
    if PurePath(text).is_absolute():
        return ModelReference(text)
    source, separator, revision = text.partition("@")
    if _HUB_ID_PATTERN.fullmatch(source) and bool(separator) == bool(revision):
        return ModelReference(source, revision or None)
    raise ValueError(
        f"{text!r} is no model; give the absolute path of a directory, or owner/name[@revision] on the model "
        "hub"
    )


def locate(reference: ModelReference, patterns: Sequence[str]) -> Path:
    """Return the directory of a model, downloaded from the hub if need be.

    Args:
        reference: Which model.
        patterns: Which of its files are needed.

    Raises:
        ModelLoadingError: It cannot be had, or has no safetensors.
    """
    directory = Path(reference.source) if reference.is_directory else _download(reference, patterns)
    if not directory.is_dir():
        raise ModelLoadingError(f"There is no directory {reference.name}; check the setting and the volume.")
    if not any(directory.glob(_WEIGHT_PATTERN)):
        raise ModelLoadingError(
            f"{reference.name} holds no safetensors file, and no other kind is loaded. Name a directory or a "
            "revision that has one."
        )
    return directory


def directory_digest(directory: Path, patterns: Sequence[str]) -> str:
    """Return a SHA-256 over the names and contents of the files that match, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in directory.glob(pattern)}):
        with path.open("rb") as file:
            file_digest = hashlib.file_digest(file, "sha256")
        digest.update(f"{path.name} {file_digest.hexdigest()}\n".encode())
    return digest.hexdigest()


def _download(reference: ModelReference, patterns: Sequence[str]) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - installed with the extra alone

    try:
        return Path(
            snapshot_download(reference.source, revision=reference.revision, allow_patterns=list(patterns))
        )
    except (OSError, ValueError) as error:
        revision = f" at revision {reference.revision}" if reference.revision else ""
        raise ModelLoadingError(
            f"{reference.source}{revision} cannot be had from the model hub; download it and name its "
            "directory."
        ) from error

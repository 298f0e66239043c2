"""Directories of models: on this machine, or downloaded from the model hub.

Only safetensors are ever loaded: other formats of weights can run code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import ConfigurationError

WEIGHT_PATTERN: Final = "*.safetensors"


class ModelLoadingError(ConfigurationError):
    """A model cannot be loaded; the message says why and what to do, and holds no path of the server."""


def find_model_directory(
    reference: ModelReference, *, patterns: Sequence[str], ignored_patterns: Sequence[str] = ()
) -> Path:
    """Return the directory that holds a model.

    A model of the hub that is on this machine already is used as it is; only others are downloaded.

    Args:
        reference: A directory, or a model on the hub.
        patterns: Which files of a model on the hub are needed.
        ignored_patterns: Which of those are not.

    Raises:
        ModelLoadingError: There is no such directory, or it cannot be downloaded.
    """
    if not reference.is_directory:
        return _find_snapshot(reference, patterns, ignored_patterns)
    directory = reference.directory
    if not directory.is_dir():
        raise ModelLoadingError(
            f"Model {reference.name!r}: there is no such directory. Check the setting and the volume."
        )
    return directory


def require_safetensors(directory: Path, reference: ModelReference) -> None:
    """Check that a directory holds weights that may be loaded.

    Raises:
        ModelLoadingError: It does not.
    """
    if not any(directory.glob(WEIGHT_PATTERN)):
        raise ModelLoadingError(
            f"Model {reference.full_name!r} holds no safetensors file, and no other kind of weights is "
            "loaded. Name a directory or a revision that has one."
        )


def require_digest(reference: ModelReference, digest: str) -> None:
    """Check that a directory holds the model that its reference asks for.

    Args:
        reference: The reference; only that of a directory can ask for a digest.
        digest: Digest of the model that was found, hexadecimal.

    Raises:
        ModelLoadingError: It is another.
    """
    if reference.is_directory and not digest.startswith(reference.revision or ""):
        raise ModelLoadingError(
            f"Model {reference.name!r} has the digest {digest}, but the setting asks for "
            f"{reference.revision}. Install that model, or change the setting."
        )


def directory_digest(directory: Path, patterns: Sequence[str]) -> str:
    """Return a SHA-256 over the names and contents of the files that match, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in directory.glob(pattern)}):
        digest.update(f"{path.name} {file_digest(path)}\n".encode())
    return digest.hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _find_snapshot(
    reference: ModelReference, patterns: Sequence[str], ignored_patterns: Sequence[str]
) -> Path:
    # Only services that load models have this library installed, and only some settings need it.
    try:
        import huggingface_hub  # noqa: PLC0415
    except ImportError as error:
        raise ModelLoadingError(
            f"Model {reference.full_name!r} is on the model hub, which needs huggingface_hub; install that, "
            "or name a directory."
        ) from error

    def find(*, local_files_only: bool) -> Path:
        return Path(
            huggingface_hub.snapshot_download(
                reference.source,
                revision=reference.revision,
                allow_patterns=list(patterns),
                ignore_patterns=list(ignored_patterns),
                local_files_only=local_files_only,
            )
        )

    try:
        return find(local_files_only=True)
    except huggingface_hub.errors.LocalEntryNotFoundError:
        pass  # not downloaded yet, or not completely
    except (OSError, ValueError) as error:
        raise _describe_failure(reference, error) from error
    try:
        return find(local_files_only=False)
    except (OSError, ValueError) as error:
        raise _describe_failure(reference, error) from error


def _describe_failure(reference: ModelReference, error: Exception) -> ModelLoadingError:
    from huggingface_hub import errors  # noqa: PLC0415

    reasons: tuple[tuple[type[Exception], str], ...] = (
        (errors.GatedRepoError, "Accept its terms on the hub, and set HF_TOKEN to a token of that account"),
        (errors.RepositoryNotFoundError, "Check the name; for a private model set HF_TOKEN"),
        (errors.RevisionNotFoundError, "There is no such revision"),
    )
    advice = next(
        (reason for kind, reason in reasons if isinstance(error, kind)),
        "Download it on a machine that reaches the hub, and name its directory",
    )
    revision = f" at revision {reference.revision}" if reference.revision else ""
    return ModelLoadingError(
        f"Model {reference.source!r}{revision} is not on this machine, and cannot be downloaded from the "
        f"model hub. {advice}."
    )

"""Where a model's files are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Final

EMBEDDED_MODEL_ID: Final = "embedded"
SEPARATOR: Final = "+"
"""Between the parts of a reference, and of the identifier of a model that is put together from them."""

MANIFEST_NAME: Final = "manifest.json"
_HUB_PATTERNS: Final = ["*.json", "*.txt", "README.md"]
_HUB_PATTERNS_LEFT_OUT: Final = ["*.fp16.safetensors", "*.non_ema.safetensors", "*/openvino_*", "*/flax_*"]
"""Second copies of weights, in a numeric type or form that is not loaded."""
_WEIGHTS: Final = "*.safetensors"
_WEIGHTS_OF_A_WHOLE_MODEL: Final = "*/*.safetensors"
"""Where a model's networks are; beside their folders lie copies of all of them in one file."""

_DECISIVE_SUFFIXES: Final = frozenset({".json", ".safetensors", ".txt"})


class ModelFilesError(Exception):
    """The files of a model are missing or damaged; the message says which and what to do.

    Attributes:
        family: Kind of model, where that was known already; else empty.
    """

    family: str = ""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model.

    Attributes:
        id: Identifier in requests. A directory gives its name, never its path, which is nobody's business.
        directory: Diffusers directory.
        manifest: Contents of its manifest; empty where it has none.
        digest: SHA-256 over names and contents of the files that decide what the model computes.
    """

    id: str
    directory: Path
    manifest: Mapping[str, Any]
    digest: str

    def joined_with(self, additions: Sequence[ModelFiles]) -> ModelFiles:
        """Return these files with an identifier and a digest that tell of additions too."""
        if not additions:
            return self
        digests = "\n".join(part.digest for part in (self, *additions))
        return replace(
            self,
            id=SEPARATOR.join(part.id for part in (self, *additions)),
            digest=hashlib.sha256(digests.encode()).hexdigest(),
        )


def find_model_files(reference: str, *, is_addition: bool = False) -> ModelFiles:
    """Find a model, downloading it if needed, and check its files against its manifest.

    Args:
        reference: 'embedded', a directory, or a hub id with an optional revision
            ('owner/name@revision').
        is_addition: Whether it is added to a model, and so need not be a whole one.

    Raises:
        ModelFilesError: The model cannot be had, or a file differs from the manifest.
    """
    directory = _directory_of(reference, is_addition=is_addition)
    if not is_addition and not (directory / "model_index.json").is_file():
        raise ModelFilesError(
            f"Model {name_of(reference)!r} has no model_index.json: not a diffusers directory."
        )
    manifest = _read_manifest(directory, reference)
    digests = file_digests(directory)
    for name, expected in manifest.get("sha256", {}).items():
        if digests.get(name) != expected:
            raise ModelFilesError(
                f"File {name} of model {name_of(reference)!r} is missing or differs from its manifest. "
                "Install the model again."
            )
    return ModelFiles(name_of(reference), directory, manifest, _combined_digest(digests))


def name_of(reference: str) -> str:
    """Return the identifier of a reference's model in requests, whether or not it can be had.

    Of a directory that is its name, never its path, which is nobody's business.
    """
    if Path(reference).is_dir():
        return Path(reference).resolve().name
    return Path(reference).name if _is_path(reference) else reference


def _is_path(reference: str) -> bool:
    """Return whether a reference can be nothing but a path: identifiers on the hub begin otherwise."""
    return reference.startswith(("/", ".", "~"))


def _read_manifest(directory: Path, reference: str) -> Mapping[str, Any]:
    path = directory / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise ModelFilesError(
            f"{MANIFEST_NAME} of model {name_of(reference)!r} is damaged; install the model again."
        )
    return manifest


def _directory_of(reference: str, *, is_addition: bool) -> Path:
    if reference == EMBEDDED_MODEL_ID:
        return Path(str(files("chladni_image_generation") / "models" / "embedded"))
    if Path(reference).is_dir():
        return Path(reference)
    if _is_path(reference):
        raise ModelFilesError(
            f"Model {name_of(reference)!r}: there is no such directory. Check the setting and the volume."
        )
    return _download(reference, is_addition=is_addition)


def _download(reference: str, *, is_addition: bool) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - only where a hub id is configured
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # noqa: PLC0415

    repository, _, revision = reference.partition("@")
    weights = _WEIGHTS if is_addition else _WEIGHTS_OF_A_WHOLE_MODEL
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=[*_HUB_PATTERNS, weights],
                ignore_patterns=_HUB_PATTERNS_LEFT_OUT,
            )
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFilesError(
            f"Model {reference!r} is neither a directory nor can it be downloaded: {reason}"
        ) from error


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file but the manifest, by its path in the directory."""
    digests: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != MANIFEST_NAME:
            with path.open("rb") as file:
                digests[path.relative_to(directory).as_posix()] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
    return digests


def _combined_digest(digests: Mapping[str, str]) -> str:
    combined = hashlib.sha256()
    for name in sorted(digests, key=PurePosixPath):
        if PurePosixPath(name).suffix in _DECISIVE_SUFFIXES:
            combined.update(f"{name} {digests[name]}\n".encode())
    return combined.hexdigest()

"""Where a model's files are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, Final

from chladni_runtime.models.files import (
    WEIGHT_PATTERN,
    ModelLoadingError,
    file_digest,
    find_model_directory,
    require_digest,
)
from chladni_runtime.models.reference import ModelReference, parse_model_reference
from chladni_runtime.settings import ConfigurationError

EMBEDDED_MODEL_ID: Final = "embedded"
SEPARATOR: Final = "+"
"""Between the parts of a reference, and of the identifier of a model that is put together from them."""

MANIFEST_NAME: Final = "manifest.json"
_HUB_PATTERNS: Final = ("*.json", "*.txt", "README.md")
_HUB_PATTERNS_LEFT_OUT: Final = ("*.fp16.safetensors", "*.non_ema.safetensors", "*/openvino_*", "*/flax_*")
"""Second copies of weights, in a numeric type or form that is not loaded."""
_WEIGHTS_OF_A_WHOLE_MODEL: Final = f"*/{WEIGHT_PATTERN}"
"""Where a model's networks are; beside their folders lie copies of all of them in one file."""

_DECISIVE_SUFFIXES: Final = frozenset({".json", ".safetensors", ".txt"})


class ModelFilesError(ConfigurationError):
    """The files of a model are missing or damaged; the message says which and what to do.

    Attributes:
        family: Kind of model, if that was known already; else empty.
    """

    family: str = ""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of a model.

    Attributes:
        id: Identifier in requests: of a directory its name, never its path.
        directory: Diffusers directory.
        manifest: Contents of its manifest; empty if it has none.
        digest: SHA-256 over names and contents of the files that decide what the model computes.
    """

    id: str
    directory: Path
    manifest: Mapping[str, Any]
    digest: str

    def joined_with(self, additions: Sequence[ModelFiles]) -> ModelFiles:
        """Return these files with an identifier and a digest that depend on additions too."""
        if not additions:
            return self
        digests = "\n".join(part.digest for part in (self, *additions))
        return replace(
            self,
            id=SEPARATOR.join(part.id for part in (self, *additions)),
            digest=hashlib.sha256(digests.encode()).hexdigest(),
        )


def find_model_files(reference: str, *, is_addition: bool = False) -> ModelFiles:
    """Find a model, download it if it is not on this machine, and check its files against its manifest.

    Args:
        reference: 'embedded', a directory, or a model on the model hub; `chladni_runtime.models.reference`
            has the syntax.
        is_addition: Whether it is added to a model, and so need not be a whole one.

    Raises:
        ModelFilesError: There is no such model, or a file differs from the manifest.
    """
    try:
        parsed = _parse(reference)
        directory = _find_directory(parsed, is_addition=is_addition)
    except (ValueError, ModelLoadingError) as error:
        raise ModelFilesError(str(error)) from error
    name = parsed.full_name
    if not is_addition and not (directory / "model_index.json").is_file():
        raise ModelFilesError(f"Model {name!r} has no model_index.json: not a diffusers directory.")
    manifest = _read_manifest(directory, name)
    digests = file_digests(directory)
    for path, expected in manifest.get("sha256", {}).items():
        if digests.get(path) != expected:
            raise ModelFilesError(
                f"File {path} of model {name!r} is missing or differs from its manifest. Install the model "
                "again."
            )
    digest = _combined_digest(digests)
    try:
        require_digest(parsed, digest)
    except ModelLoadingError as error:
        raise ModelFilesError(str(error)) from error
    return ModelFiles(name, directory, manifest, digest)


def name_of(reference: str) -> str:
    """Return the identifier of a reference's model in requests, whether or not there is such a model.

    Of a directory that is its name, never its path; of a model that is put together, the names of all parts.

    Raises:
        ValueError: A part has none of the known forms.
    """
    return SEPARATOR.join(_parse(part).full_name for part in reference.split(SEPARATOR))


def _parse(reference: str) -> ModelReference:
    return parse_model_reference(reference, shipped=(EMBEDDED_MODEL_ID,))


def _find_directory(reference: ModelReference, *, is_addition: bool) -> Path:
    if reference.source == EMBEDDED_MODEL_ID:
        return Path(str(files("chladni_image_generation") / "models" / "embedded"))
    return find_model_directory(
        reference,
        patterns=(*_HUB_PATTERNS, WEIGHT_PATTERN if is_addition else _WEIGHTS_OF_A_WHOLE_MODEL),
        ignored_patterns=_HUB_PATTERNS_LEFT_OUT,
    )


def _read_manifest(directory: Path, name: str) -> Mapping[str, Any]:
    path = directory / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise ModelFilesError(f"{MANIFEST_NAME} of model {name!r} is damaged; install the model again.")
    return manifest


def file_digests(directory: Path) -> dict[str, str]:
    """Return the SHA-256 of every file but the manifest, by its path in the directory."""
    digests: dict[str, str] = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.name != MANIFEST_NAME:
            digests[path.relative_to(directory).as_posix()] = file_digest(path)
    return digests


def _combined_digest(digests: Mapping[str, str]) -> str:
    combined = hashlib.sha256()
    for name in sorted(digests, key=PurePosixPath):
        if PurePosixPath(name).suffix in _DECISIVE_SUFFIXES:
            combined.update(f"{name} {digests[name]}\n".encode())
    return combined.hexdigest()

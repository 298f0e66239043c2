"""Files of models: where they are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

from chladni_runtime.models.files import ModelLoadingError

MANIFEST_NAME: Final = "manifest.json"
_PACKAGE: Final = "chladni_similarity"


class ModelAbsentError(ModelLoadingError):
    """An embedded model was not made yet; the service may start without it if it has another."""


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where the weights of an embedded model come from.

    Attributes:
        distribution: Name of the installed Python distribution that carries them.
        version: Its version.
        file: Path inside it.
        sha256: Digest of the file, hexadecimal.
    """

    distribution: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What ``models/<model>/manifest.json`` says; further entries of the file are for people.

    Attributes:
        model_id: Name in requests.
        description: One sentence for people.
        license: Licence of the weights as an SPDX identifier.
        space: Name of the space of the vectors.
        dimension: Length of a vector.
        input_side_pixels: Width and height of the model's input.
        sha256: Digests, hexadecimal, of the files beside the manifest, by name.
        weights: Where weights that are not beside the manifest come from.
    """

    model_id: str
    description: str
    license: str
    space: str
    dimension: int
    input_side_pixels: int
    sha256: Mapping[str, str]
    weights: WeightsSource | None = None


_REQUIRED_ENTRIES: Final = tuple(item.name for item in fields(Manifest) if item.name != "weights")


def shipped_model_directory(model_id: str) -> Path:
    """Return where the files of an embedded model are."""
    return Path(str(resources.files(_PACKAGE))) / "models" / model_id


def read_manifest(model_id: str) -> Manifest:
    """Return the manifest of an embedded model."""
    return read_directory_manifest(shipped_model_directory(model_id))


def read_directory_manifest(directory: Path) -> Manifest:
    """Return the manifest in a directory.

    Raises:
        ModelAbsentError: There is none.
    """
    try:
        content: dict[str, Any] = json.loads((directory / MANIFEST_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelAbsentError(
            f"The model {directory.name} is not there: it has no {MANIFEST_NAME}."
        ) from None
    weights = WeightsSource(**content["weights"]) if "weights" in content else None
    return Manifest(**{name: content[name] for name in _REQUIRED_ENTRIES}, weights=weights)


def read_model_file(directory: Path, manifest: Manifest, name: str) -> bytes:
    """Return the bytes of a file beside a manifest, the very ones whose digest was checked.

    Raises:
        ModelLoadingError: The file is not there, or holds other bytes.
    """
    try:
        content = (directory / name).read_bytes()
    except OSError:
        raise ModelLoadingError(f"The file {name} of {manifest.model_id} is missing.") from None
    if sha256_of(content) != manifest.sha256.get(name):
        raise ModelLoadingError(
            f"The file {name} of {manifest.model_id} is not the one that its manifest names; install the "
            "service again."
        )
    return content


def model_type_of(directory: Path) -> str | None:
    """Return what kind of model a transformers directory says that it holds; `None` if it does not say."""
    try:
        content = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    model_type = content.get("model_type") if isinstance(content, dict) else None
    return model_type if isinstance(model_type, str) else None


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_weights(source: WeightsSource) -> bytes:
    """Return the bytes of a weights file, the very ones whose digest was checked.

    Raises:
        ModelLoadingError: The distribution or its file is not there, or holds other bytes.
    """
    requirement = f"{source.distribution}=={source.version}"
    try:
        path = Path(str(metadata.distribution(source.distribution).locate_file(source.file)))
        content = path.read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        raise ModelLoadingError(f"The weights are missing; install {requirement}.") from None
    if sha256_of(content) != source.sha256:
        raise ModelLoadingError(
            f"The weights {source.file} are not those that the manifest names; reinstall {requirement}."
        )
    return content

"""Files of models: where they are, and whether they are what they should be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Any, Final

_PACKAGE: Final = "chladni_similarity"


class ModelLoadingError(Exception):
    """A configured model cannot be loaded; the service must not start without it."""


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
        weights: Where the weights come from.
    """

    model_id: str
    description: str
    license: str
    space: str
    dimension: int
    input_side_pixels: int
    weights: WeightsSource


def read_manifest(model_id: str) -> Manifest:
    """Returns the manifest of an embedded model."""
    file = resources.files(_PACKAGE) / "models" / model_id / "manifest.json"
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    weights = WeightsSource(**content["weights"])
    names = ("model_id", "description", "license", "space", "dimension", "input_side_pixels")
    return Manifest(**{name: content[name] for name in names}, weights=weights)


def read_weights(source: WeightsSource) -> bytes:
    """Returns the bytes of a weights file, the very ones whose digest was checked.

    Raises:
        ModelLoadingError: The distribution or its file is not there, or holds other bytes.
    """
    requirement = f"{source.distribution}=={source.version}"
    try:
        path = Path(str(metadata.distribution(source.distribution).locate_file(source.file)))
        content = path.read_bytes()
    except (metadata.PackageNotFoundError, OSError):
        raise ModelLoadingError(f"The weights are missing; install {requirement}.") from None
    if hashlib.sha256(content).hexdigest() != source.sha256:
        raise ModelLoadingError(
            f"The weights {source.file} are not those that the manifest names; reinstall {requirement}."
        )
    return content


def directory_digest(directory: Path, patterns: tuple[str, ...]) -> str:
    """Returns a SHA-256 over the names and contents of the files that match, hexadecimal."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in patterns for path in directory.glob(pattern)}):
        with path.open("rb") as file:
            file_digest = hashlib.file_digest(file, "sha256")
        digest.update(f"{path.name} {file_digest.hexdigest()}\n".encode())
    return digest.hexdigest()

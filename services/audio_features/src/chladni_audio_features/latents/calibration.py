"""Calibrations of initial latents: the mean and standard deviation of each value over many clips.

A calibration is a directory. Other programs write it too, so its format is fixed::

    mean.npy       float32 (N,)
    std.npy        float32 (N,), population standard deviation
    moments.npz    count, int64; mean and m2 (sum of squared deviations), float64 (N,): what merging needs.
                   May be left out; such a calibration cannot be merged.
    manifest.json  format (1), name, basis ("mel" or "dct"), value_count (N), recording_count, created_by,
                   sha256 {file name: hexadecimal digits}, digest

``digest`` names the contents: it is the SHA-256 of a line for each file, sorted by name, that has the file's
name, a space, its SHA-256 and a line feed.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt

from chladni_audio_features.latents.initial_latents import MAX_IMAGE_SIDE, LatentBasis
from chladni_runtime.models.files import ModelLoadingError, find_model_directory, require_digest
from chladni_runtime.models.reference import ModelReference

FORMAT_VERSION: Final = 1
MANIFEST_FILE: Final = "manifest.json"
MEAN_FILE: Final = "mean.npy"
STANDARD_DEVIATION_FILE: Final = "std.npy"
MOMENTS_FILE: Final = "moments.npz"

_REQUIRED_FILES: Final = (MEAN_FILE, STANDARD_DEVIATION_FILE)
_KNOWN_FILES: Final = (*_REQUIRED_FILES, MOMENTS_FILE)
_MAX_NAME_CHARACTERS: Final = 100
_SMALLEST_DEVIATION: Final = 1e-6  # cells that vary less never vary: rounding


class CalibrationError(RuntimeError):
    """A calibration is missing, malformed, altered, or not the one that was asked for."""


@dataclass(frozen=True, eq=False)
class LatentCalibration:
    """What z-scores the values of a mel image.

    Attributes:
        name: Name for requests.
        basis: In which numbers the values are.
        mean: (N,) float32.
        deviation: (N,) float32, the standard deviation.
        clip_count: Clips that it was computed from.
        digest: SHA-256 over its files, 64 hexadecimal digits.
    """

    name: str
    basis: LatentBasis
    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    clip_count: int
    digest: str

    @property
    def value_count(self) -> int:
        """How many values it scales."""
        return len(self.mean)

    def z_score(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (N,) values less their means, by their deviations; 0 if the calibration saw no other."""
        varies = self.deviation > _SMALLEST_DEVIATION
        scores = (values - self.mean) / np.where(varies, self.deviation, np.float32(1.0))
        return np.where(varies, scores, np.float32(0.0)).astype(np.float32)


def combined_digest(digests: Mapping[str, str]) -> str:
    """Return the digest of a calibration whose files, by name, have these digests."""
    lines = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def load_calibration(reference: ModelReference) -> LatentCalibration:
    """Load a calibration after checking its files against its manifest.

    Raises:
        CalibrationError: A file is missing, malformed or altered, or this is another calibration than asked
            for.
    """
    label = reference.full_name
    try:
        directory = find_model_directory(reference, patterns=(MANIFEST_FILE, *_KNOWN_FILES))
    except ModelLoadingError as error:
        raise CalibrationError(f"calibration in {label} cannot be used: {error}") from error
    manifest = _read_manifest(directory, label)
    name = manifest["name"]
    contents = _read_checked_files(directory, manifest, f"calibration {name!r} ({label})")
    fault = f"calibration {name!r} ({label}) cannot be used"
    try:
        require_digest(reference, manifest["digest"])
    except ModelLoadingError as error:
        raise CalibrationError(f"{fault}: {error}") from error
    mean = _read_array(contents[MEAN_FILE], manifest["value_count"], f"{fault}: {MEAN_FILE}")
    deviation = _read_array(
        contents[STANDARD_DEVIATION_FILE], manifest["value_count"], f"{fault}: {STANDARD_DEVIATION_FILE}"
    )
    if (deviation < 0).any():
        raise CalibrationError(f"{fault}: {STANDARD_DEVIATION_FILE} holds negative values")
    return LatentCalibration(
        name=name,
        basis=LatentBasis(manifest["basis"]),
        mean=mean,
        deviation=deviation,
        clip_count=manifest["recording_count"],
        digest=manifest["digest"],
    )


def _read_manifest(directory: Path, label: str) -> dict[str, Any]:
    fault = f"calibration in {label} cannot be used: {MANIFEST_FILE}"
    try:
        manifest = json.loads((directory / MANIFEST_FILE).read_bytes())
    except OSError as error:
        raise CalibrationError(f"{fault} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise CalibrationError(f"{fault} is not JSON") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT_VERSION:
        raise CalibrationError(f"{fault} is not of format {FORMAT_VERSION}; calibrate again")
    name = manifest.get("name")
    checks = {
        "name": isinstance(name, str) and 0 < len(name) <= _MAX_NAME_CHARACTERS and name.isprintable(),
        "basis": manifest.get("basis") in [basis.value for basis in LatentBasis],
        "value_count": _is_value_count(manifest.get("value_count")),
        "recording_count": _is_count(manifest.get("recording_count"), minimum=2),
        "sha256": isinstance(manifest.get("sha256"), dict),
        "digest": isinstance(manifest.get("digest"), str),
    }
    if faulty := [key for key, is_valid in checks.items() if not is_valid]:
        raise CalibrationError(f"{fault} has no usable {', '.join(faulty)}; calibrate at least 2 clips")
    return manifest


def _is_count(value: object, *, minimum: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_value_count(value: object) -> bool:
    return _is_count(value, minimum=1) and math.isqrt(value) ** 2 == value <= MAX_IMAGE_SIDE**2


def _read_checked_files(directory: Path, manifest: Mapping[str, Any], label: str) -> dict[str, bytes]:
    digests: Mapping[str, str] = manifest["sha256"]
    if unknown := sorted(set(digests) - set(_KNOWN_FILES)):
        raise CalibrationError(f"{label}: {MANIFEST_FILE} lists {unknown[0]!r}, which belongs to none")
    contents = {}
    for name in sorted({*_REQUIRED_FILES, *digests}):
        try:
            contents[name] = (directory / name).read_bytes()
        except OSError as error:
            raise CalibrationError(f"{label}: {name} cannot be read: {error.strerror}") from error
        if hashlib.sha256(contents[name]).hexdigest() != digests.get(name):
            raise CalibrationError(f"{label}: {name} is not the file that {MANIFEST_FILE} names")
    if combined_digest(digests) != manifest["digest"]:
        raise CalibrationError(f"{label}: the digest in {MANIFEST_FILE} is not that of its files")
    return contents


def _read_array(content: bytes, count: int, label: str) -> npt.NDArray[np.float32]:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise CalibrationError(f"{label} is not a NumPy array") from error
    if not isinstance(array, np.ndarray) or array.dtype != np.float32 or array.shape != (count,):
        raise CalibrationError(f"{label} is not float32 of shape ({count},)")
    if not np.isfinite(array).all():
        raise CalibrationError(f"{label} holds values that are not finite")
    return array

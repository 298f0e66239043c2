"""Calibrations as directories of files, with what merging needs; `latents.calibration` has the format.

``moments.npz`` holds ``count``, ``mean`` and ``m2``, as in every calibration that can be merged, and to merge
exactly ``sums`` and ``square_sums``, float64 (2, V): high parts and low parts. Equal moments give equal
bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from chladni_audio_features.latents.calibration import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    MEAN_FILE,
    MOMENTS_FILE,
    STANDARD_DEVIATION_FILE,
    CalibrationError,
    LatentCalibration,
    combined_digest,
)
from chladni_audio_features.latents.initial_latents import LatentBasis
from chladni_audio_features.tools.calibration.moments import LongSum, Moments

NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
CREATED_BY: Final = f"chladni-calibrate {version('chladni-audio-features')}"

_EARLIEST_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Calibration:
    """Mean and standard deviation of the unscaled latents of clips.

    Attributes:
        name: Name for requests.
        basis: In which numbers the vectors are.
        moments: Moments of the vectors of all clips.
    """

    name: str
    basis: LatentBasis
    moments: Moments

    def scaling(self, digest: str) -> LatentCalibration:
        """Return what a service scales latents by when it has loaded this calibration."""
        return LatentCalibration(
            name=self.name,
            basis=self.basis,
            mean=self.moments.mean.astype(np.float32),
            deviation=self.moments.standard_deviation.astype(np.float32),
            clip_count=self.moments.count,
            digest=digest,
        )


def check_name(name: str) -> None:
    """Check that a calibration may have a name.

    Raises:
        CalibrationError: It may not.
    """
    if NAME_PATTERN.fullmatch(name) is None:
        raise CalibrationError(
            f"{name!r} cannot name a calibration: a name has at most 64 letters, digits, '.', '_' and '-', "
            "and begins with a letter or a digit"
        )


def check_destination(directory: Path) -> None:
    """Check that a calibration can be written to a directory, before the work begins.

    Raises:
        FileExistsError: The directory exists and is not empty, or is no directory.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(17, "Is not empty; name another directory, or remove it", str(directory))


def write_calibration(
    directory: Path,
    calibration: Calibration,
    *,
    created_by: str = CREATED_BY,
    is_mergeable: bool = True,
    facts: Mapping[str, Any] | None = None,
) -> str:
    """Write a calibration, all of it or nothing, and return its digest.

    Args:
        directory: Where to; it must be empty or absent.
        calibration: What to write.
        created_by: Which program made it.
        is_mergeable: Whether to write what merging needs.
        facts: Further entries of the manifest, for people.

    Raises:
        OSError: It cannot be written, or something is there already.
    """
    moments = calibration.moments
    contents = {
        MEAN_FILE: _npy(moments.mean.astype("<f4")),
        STANDARD_DEVIATION_FILE: _npy(moments.standard_deviation.astype("<f4")),
    }
    if is_mergeable:
        contents[MOMENTS_FILE] = _npz(
            {
                "count": np.array(moments.count, "<i8"),
                "mean": moments.mean,
                "m2": moments.m2,
                "sums": moments.sums.to_array(),
                "square_sums": moments.square_sums.to_array(),
            }
        )
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    manifest = {
        "format": FORMAT_VERSION,
        "name": calibration.name,
        "basis": calibration.basis.value,
        "value_count": moments.mean.size,
        "recording_count": moments.count,
        "created_by": created_by,
        "sha256": digests,
        "digest": combined_digest(digests),
        **(facts or {}),
    }
    contents[MANIFEST_FILE] = (json.dumps(manifest, indent=1) + "\n").encode()
    target = directory.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}.part")
    temporary.mkdir()
    try:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        check_destination(target)
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return combined_digest(digests)


def read_calibration(directory: Path) -> Calibration:
    """Read a calibration to merge, after checking its files against its manifest.

    Unlike a service, this accepts the calibration of a single clip.

    Raises:
        CalibrationError: It is no calibration that can be merged, or is damaged.
        OSError: A file cannot be read.
    """
    manifest = _read_manifest(directory)
    digests = manifest["sha256"]
    for name in (MEAN_FILE, STANDARD_DEVIATION_FILE, MOMENTS_FILE):
        if hashlib.sha256(_read(directory / name)).hexdigest() != digests.get(name):
            raise _damaged(directory, f"{name} is not the file that its manifest names")
    if manifest["digest"] != combined_digest(digests):
        raise _damaged(directory, "its digest is not that of its files")
    try:
        with np.load(io.BytesIO(_read(directory / MOMENTS_FILE)), allow_pickle=False) as arrays:
            moments = _to_moments(arrays)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(directory, f"{MOMENTS_FILE} cannot be read") from error
    if (moments.sums.high.size, moments.count) != (manifest["value_count"], manifest["recording_count"]):
        raise _damaged(directory, f"{MOMENTS_FILE} is not what its manifest says")
    return Calibration(manifest["name"], LatentBasis(manifest["basis"]), moments)


def read_digest(directory: Path) -> str:
    """Return the digest of a calibration as its manifest names it.

    Raises:
        CalibrationError: It is no calibration.
        OSError: The manifest cannot be read.
    """
    digest: str = _read_manifest(directory)["digest"]
    return digest


def _to_moments(arrays: Mapping[str, npt.NDArray[Any]]) -> Moments:
    count = int(arrays["count"])
    if count < 1:
        raise ValueError("there are no clips")
    if "sums" in arrays and "square_sums" in arrays:
        return Moments(count, LongSum(*arrays["sums"]), LongSum(*arrays["square_sums"]))
    return Moments.of(count, arrays["mean"], arrays["m2"])  # written by another program


def _read_manifest(directory: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(directory / MANIFEST_FILE))
        is_known = (
            manifest["format"] == FORMAT_VERSION
            and manifest["basis"] in list(LatentBasis)
            and isinstance(manifest["sha256"], dict)
            and all(isinstance(manifest[name], str) for name in ("name", "digest"))
            and all(isinstance(manifest[name], int) for name in ("value_count", "recording_count"))
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(directory, f"{MANIFEST_FILE} cannot be read") from error
    if not is_known:
        raise _damaged(directory, f"{MANIFEST_FILE} says what this version does not know")
    known: dict[str, Any] = manifest
    return known


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise _damaged(path.parent, f"{path.name} is larger than any calibration")
    return content


def _damaged(directory: Path, fault: str) -> CalibrationError:
    return CalibrationError(f"{directory} is no calibration: {fault}")


def _npy(array: npt.NDArray[Any]) -> bytes:
    output = io.BytesIO()
    np.lib.format.write_array(output, array, allow_pickle=False)
    return output.getvalue()


def _npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EARLIEST_ZIP_TIME)  # not now: equal content, equal bytes
            entry.create_system = 3
            archive.writestr(entry, _npy(array))
    return output.getvalue()

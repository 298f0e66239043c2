"""A calibration as a folder of files.

    mean.npy       float32 (V,)
    std.npy        float32 (V,), of the recordings as a whole population
    moments.npz    count int64; mean, and m2, the sum of squared distances, float64 (V,); and to merge exactly
                   sums and square_sums, float64 (2, V): high parts and low parts
    manifest.json  what it is, the SHA-256 of the other files, and the digest over all of them

Equal moments give equal bytes.
"""

import hashlib
import io
import json
import re
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from chladni_client.calibration.moments import LongSum, Moments
from chladni_client.errors import InvalidInputError
from chladni_client.types.initial_latents import LatentBasis

MANIFEST: Final = "manifest.json"
NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_FORMAT: Final = 1
_MEAN, _STANDARD_DEVIATION, _MOMENTS = "mean.npy", "std.npy", "moments.npz"
_EARLIEST_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024


@dataclass(frozen=True, eq=False)
class Calibration:
    """Mean and standard deviation of what recordings give.

    Attributes:
        name: By which requests choose it.
        basis: In which numbers its vectors are.
        moments: Of the vectors of all recordings.
    """

    name: str
    basis: LatentBasis
    moments: Moments


def check_name(name: str) -> None:
    """Demands that a calibration may have a name.

    Raises:
        InvalidInputError: It may not.
    """
    if NAME_PATTERN.fullmatch(name) is None:
        raise InvalidInputError(
            f"{name!r} cannot name a calibration: a name has at most 64 letters, digits, '.', '_' and '-', "
            "and begins with a letter or a digit.",
            reason="INVALID_FIELD",
        )


def check_destination(folder: Path) -> None:
    """Demands that a calibration can be written into a folder, before the work begins.

    Raises:
        FileExistsError: Something is there already, other than an empty folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(17, "Is not empty; name another folder, or remove it", str(folder))


def write_calibration(folder: Path, calibration: Calibration) -> str:
    """Writes a calibration, all of it or nothing, and returns its digest.

    Raises:
        OSError: It cannot be written, or something is there already.
    """
    moments = calibration.moments
    files = {
        _MEAN: _npy(moments.mean.astype("<f4")),
        _STANDARD_DEVIATION: _npy(moments.standard_deviation.astype("<f4")),
        _MOMENTS: _npz(
            {
                "count": np.array(moments.count, "<i8"),
                "mean": moments.mean,
                "m2": moments.m2,
                "sums": moments.sums.to_array(),
                "square_sums": moments.square_sums.to_array(),
            },
        ),
    }
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    manifest = {
        "format": _FORMAT,
        "name": calibration.name,
        "basis": str(calibration.basis),
        "value_count": moments.mean.size,
        "recording_count": moments.count,
        "created_by": f"chladni calibrate {metadata.version('chladni-client')}",
        "sha256": hashes,
        "digest": _digest_of(hashes),
    }
    files[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
    target = folder.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid4().hex}.part")
    temporary.mkdir()
    try:
        for name, content in files.items():
            (temporary / name).write_bytes(content)
        check_destination(target)
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _digest_of(hashes)


def read_calibration(folder: Path) -> Calibration:
    """Returns a calibration whose files are what its manifest says.

    Raises:
        InvalidInputError: It is no calibration, or is damaged.
        OSError: A file cannot be read.
    """
    manifest = _read_manifest(folder)
    hashes = manifest["sha256"]
    for name in (_MEAN, _STANDARD_DEVIATION, _MOMENTS):
        if hashlib.sha256(_read(folder / name)).hexdigest() != hashes.get(name):
            raise _damaged(folder, f"{name} is not the file that its manifest names")
    if manifest["digest"] != _digest_of(hashes):
        raise _damaged(folder, "its digest is not that of its files")
    try:
        with np.load(io.BytesIO(_read(folder / _MOMENTS)), allow_pickle=False) as arrays:
            moments = _moments_of(arrays)
    except (KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise _damaged(folder, f"{_MOMENTS} cannot be read") from error
    if (moments.sums.high.size, moments.count) != (manifest["value_count"], manifest["recording_count"]):
        raise _damaged(folder, f"{_MOMENTS} is not what its manifest says")
    return Calibration(manifest["name"], LatentBasis(manifest["basis"]), moments)


def digest_of_folder(folder: Path) -> str:
    """Returns the digest of a calibration as its manifest names it.

    Raises:
        InvalidInputError: It is no calibration.
        OSError: The manifest cannot be read.
    """
    digest: str = _read_manifest(folder)["digest"]
    return digest


def _moments_of(arrays: Mapping[str, NDArray[Any]]) -> Moments:
    count = int(arrays["count"])
    if count < 1:
        raise ValueError("there are no recordings")
    if "sums" in arrays and "square_sums" in arrays:
        return Moments(count, LongSum(*arrays["sums"]), LongSum(*arrays["square_sums"]))
    return Moments.of(count, arrays["mean"], arrays["m2"])  # written by another program


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(folder / MANIFEST))
        is_known = (
            manifest["format"] == _FORMAT
            and manifest["basis"] in list(LatentBasis)
            and isinstance(manifest["sha256"], dict)
            and all(isinstance(manifest[name], str) for name in ("name", "digest"))
            and all(isinstance(manifest[name], int) for name in ("value_count", "recording_count"))
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, f"{MANIFEST} cannot be read") from error
    if not is_known:
        raise _damaged(folder, f"{MANIFEST} says what this version does not know")
    known: dict[str, Any] = manifest
    return known


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_FILE_BYTES + 1)
    if len(content) > _MAX_FILE_BYTES:
        raise _damaged(path.parent, f"{path.name} is larger than any calibration")
    return content


def _damaged(folder: Path, how: str) -> InvalidInputError:
    return InvalidInputError(f"{folder} is no calibration: {how}.", reason="INVALID_CALIBRATION")


def _digest_of(hashes: Mapping[str, str]) -> str:
    lines = "".join(f"{name} {value}\n" for name, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _npy(array: NDArray[Any]) -> bytes:
    output = io.BytesIO()
    np.lib.format.write_array(output, array, allow_pickle=False)
    return output.getvalue()


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _EARLIEST_ZIP_TIME)  # not now: equal content, equal bytes
            entry.create_system = 3
            archive.writestr(entry, _npy(array))
    return output.getvalue()

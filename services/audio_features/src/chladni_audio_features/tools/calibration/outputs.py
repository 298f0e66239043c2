"""What is written: the calibration, the latents, and the setting that makes a service use the calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Final

from chladni_audio_features.latents.calibration import CalibrationError
from chladni_audio_features.latents.initial_latents import LatentBasis, LatentShape
from chladni_audio_features.tools.calibration.files import (
    Calibration,
    check_destination,
    check_name,
    read_calibration,
    read_digest,
    write_calibration,
)
from chladni_audio_features.tools.calibration.latent_rows import LatentRows
from chladni_audio_features.tools.calibration.moments import Moments, merged

SETTING: Final = "CHLADNI_AUDIO_FEATURES_LATENT_CALIBRATIONS"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a calibration is to be written.

    Attributes:
        directory: Where the calibration goes.
        name: Name for requests.
        latents_path: Where the scaled latents go; `None` if they are not wanted.
        vectors_path: Where the vectors go that are not scaled; likewise.
    """

    directory: Path
    name: str
    latents_path: Path | None
    vectors_path: Path | None = None

    @property
    def row_paths(self) -> list[Path]:
        """Files with a row for each clip."""
        return [path for path in (self.latents_path, self.vectors_path) if path is not None]

    def check(self) -> None:
        """Check that it can be written, before the work begins.

        Raises:
            CalibrationError: The name cannot be one.
            OSError: A place is taken or missing.
        """
        check_name(self.name)
        check_destination(self.directory)
        for path in self.row_paths:
            if not path.resolve().parent.is_dir():
                raise FileNotFoundError(2, "No such directory", str(path.parent))


@dataclass(frozen=True, slots=True)
class WrittenCalibration:
    """What was written.

    Attributes:
        directory: The calibration.
        name: Its name.
        digest: Its digest.
        basis: In which numbers the vectors are.
        value_count: Values of a vector.
        clip_count: Clips that it was computed from.
        latents_path: The latents; `None` if they are not wanted.
    """

    directory: Path
    name: str
    digest: str
    basis: LatentBasis
    value_count: int
    clip_count: int
    latents_path: Path | None = None

    @property
    def setting(self) -> str:
        """The line of the environment that makes an audio-feature service use it."""
        return f"{SETTING}={self.directory.resolve()}@{self.digest}"


def write_pass(
    destination: Destination,
    moments: Moments,
    *,
    shape: LatentShape,
    basis: LatentBasis,
    rows: LatentRows | None,
) -> WrittenCalibration:
    """Write the calibration of clips, and their latents if `rows` has them.

    Raises:
        OSError: Something cannot be written.
    """
    calibration = Calibration(destination.name, basis, moments)
    written = _write(destination, calibration)
    if rows is not None and destination.vectors_path is not None:
        rows.save_vectors(destination.vectors_path)
    if rows is None or destination.latents_path is None:
        return written
    rows.save(destination.latents_path, shape=shape, calibration=calibration.scaling(written.digest))
    return replace(written, latents_path=destination.latents_path)


def write_merged(destination: Destination, shards: Sequence[Path]) -> WrittenCalibration:
    """Write the calibration of several calibrations together; their order does not matter.

    Raises:
        CalibrationError: One is no calibration, is of another kind than the others, or comes twice.
        OSError: Something cannot be read or written.
    """
    found = [(read_digest(directory), directory, read_calibration(directory)) for directory in shards]
    kinds = {(part.basis, part.moments.mean.size) for _, _, part in found}
    if len(kinds) > 1:
        listed = ", ".join(f"{size} values ({basis})" for basis, size in sorted(kinds))
        raise CalibrationError(
            f"only calibrations of one basis and shape can be merged, but these have {listed}"
        )
    found.sort(key=itemgetter(0))  # rounding, too, must not depend on the order of the arguments
    for (one_digest, one, _), (other_digest, other, _) in pairwise(found):
        if one_digest == other_digest:
            raise CalibrationError(f"{one} and {other} are the same: their clips would count twice")
    parts = [part for _, _, part in found]
    moments = merged(part.moments for part in parts)
    basis = parts[0].basis
    return _write(destination, Calibration(destination.name, basis, moments))


def _write(destination: Destination, calibration: Calibration) -> WrittenCalibration:
    return WrittenCalibration(
        directory=destination.directory,
        name=calibration.name,
        digest=write_calibration(destination.directory, calibration),
        basis=calibration.basis,
        value_count=calibration.moments.mean.size,
        clip_count=calibration.moments.count,
    )

"""What a calibration leaves behind: its folder, the latents, and the setting that makes a service use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Final

from chladni_client.calibration.artefact import (
    Calibration,
    check_destination,
    check_name,
    digest_of_folder,
    read_calibration,
    write_calibration,
)
from chladni_client.calibration.latent_rows import LatentRows
from chladni_client.calibration.moments import Moments, merged
from chladni_client.errors import InvalidInputError
from chladni_client.types.initial_latents import LatentBasis

SETTING: Final = "CHLADNI_AUDIO_FEATURES_LATENT_CALIBRATIONS"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be written.

    Attributes:
        folder: Where the calibration goes.
        name: By which requests choose it.
        latents_path: Where the scaled latents go; `None` where nobody asked for them.
    """

    folder: Path
    name: str
    latents_path: Path | None

    def check(self) -> None:
        """Demands that it can be written, before the work begins.

        Raises:
            InvalidInputError: The name cannot be one.
            OSError: A place is taken, or is not there.
        """
        check_name(self.name)
        check_destination(self.folder)
        if self.latents_path is not None and not self.latents_path.resolve().parent.is_dir():
            raise FileNotFoundError(2, "No such folder", str(self.latents_path.parent))


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        folder: The calibration.
        name: Its name.
        digest: Its digest.
        basis: In which numbers its vectors are.
        value_count: Values of a vector.
        recording_count: Recordings that it was computed from.
        latents_path: The latents; `None` where nobody asked for them.
    """

    folder: Path
    name: str
    digest: str
    basis: LatentBasis
    value_count: int
    recording_count: int
    latents_path: Path | None = None

    @property
    def setting(self) -> str:
        """The line of the environment that makes an audio-feature service use it."""
        return f"{SETTING}={self.folder.resolve()}@{self.digest}"


def write_pass(
    plan: Plan, moments: Moments, *, shape: tuple[int, ...], basis: LatentBasis, rows: LatentRows | None
) -> Written:
    """Writes the calibration of recordings, and their latents where they were kept.

    Raises:
        OSError: Something cannot be written.
    """
    digest = write_calibration(plan.folder, Calibration(plan.name, basis, moments))
    if rows is not None and plan.latents_path is not None:
        rows.save(plan.latents_path, shape=shape, moments=moments, calibration_digest=digest)
    return Written(plan.folder, plan.name, digest, basis, moments.mean.size, moments.count, plan.latents_path)


def write_merged(plan: Plan, shards: Sequence[Path]) -> Written:
    """Writes the calibration of several calibrations together; their order does not matter.

    Raises:
        InvalidInputError: One is no calibration, is of another kind than the others, or comes twice.
        OSError: Something cannot be read or written.
    """
    found = [(digest_of_folder(folder), folder, read_calibration(folder)) for folder in shards]
    kinds = {(part.basis, part.moments.mean.size) for _, _, part in found}
    if len(kinds) > 1:
        listed = ", ".join(f"{size} values ({basis})" for basis, size in sorted(kinds))
        raise InvalidInputError(
            f"Only calibrations of one basis and shape can be merged, but these have {listed}.",
            reason="INVALID_CALIBRATION",
        )
    found.sort(key=itemgetter(0))  # rounding, too, shall not depend on the order of the arguments
    for (one_digest, one, _), (other_digest, other, _) in pairwise(found):
        if one_digest == other_digest:
            raise InvalidInputError(
                f"{one} and {other} are the same: their recordings would count twice.",
                reason="INVALID_CALIBRATION",
            )
    parts = [part for _, _, part in found]
    moments = merged(part.moments for part in parts)
    basis = parts[0].basis
    digest = write_calibration(plan.folder, Calibration(plan.name, basis, moments))
    return Written(plan.folder, plan.name, digest, basis, moments.mean.size, moments.count)

"""The calibrations of initial latents that this server has, by name and by what they fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.latents.calibration import (
    CalibrationError,
    LatentCalibration,
    load_calibration,
)
from chladni_audio_features.latents.initial_latents import LatentBasis, LatentShape, latent_values
from chladni_contract.errors import FieldViolation, NotFoundError, Reason
from chladni_runtime.models.reference import ModelReference

CALIBRATION_DIRECTORY: Final = Path(str(files("chladni_audio_features") / "models" / "latents"))
EMBEDDED_CALIBRATIONS: Final = (
    "embedded-mel-4096",
    "embedded-dct-4096",
    "embedded-mel-16384",
    "embedded-dct-16384",
    "embedded-mel-36864",
    "embedded-dct-36864",
    "embedded-mel-65536",
    "embedded-dct-65536",
    "embedded-mel-784",
    "embedded-dct-784",
    "embedded-mel-1024",
    "embedded-dct-1024",
)

_MAX_SHOWN_CHARACTERS: Final = 80


@dataclass(frozen=True)
class LatentsRequest:
    """What a caller wants of initial latents.

    Attributes:
        shape: Channels, height and width; their product is a square number.
        basis: In which numbers.
        calibration_name: Name of a calibration; empty means the first that fits.
        is_unscaled: Whether there is to be no z-score.
    """

    shape: LatentShape
    basis: LatentBasis
    calibration_name: str
    is_unscaled: bool


@dataclass(frozen=True)
class LatentsPlan:
    """How the latents of a sound are made.

    Attributes:
        shape: Channels, height and width; their product is a square number.
        basis: In which numbers.
        calibration: What z-scores the values; `None` leaves them as they are.
    """

    shape: LatentShape
    basis: LatentBasis
    calibration: LatentCalibration | None

    def make(self, scaled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the latents, float32 of the plan's shape, of a (mel bins, frames) spectrogram in [0, 1]."""
        values = latent_values(scaled, side=math.isqrt(math.prod(self.shape)), basis=self.basis)
        if self.calibration is not None:
            values = self.calibration.z_score(values)
        return values.reshape(self.shape)


class CalibrationCatalog:
    """Finds calibrations.

    Args:
        calibrations: Calibrations with different names. Of those that fit a request without a name, the first
            serves it.
    """

    def __init__(self, calibrations: Sequence[LatentCalibration]) -> None:
        self._calibrations = {calibration.name: calibration for calibration in calibrations}
        if len(self._calibrations) < len(calibrations):
            names = [calibration.name for calibration in calibrations]
            repeated = next(name for name in names if names.count(name) > 1)
            raise CalibrationError(f"two calibrations have the name {repeated!r}; names must differ")

    def __iter__(self) -> Iterator[LatentCalibration]:
        return iter(self._calibrations.values())

    def plan(self, request: LatentsRequest) -> LatentsPlan:
        """Return how to make the latents that a request wants.

        Raises:
            NotFoundError: No calibration has the name, or the named one or none at all fits.
        """
        calibration = None if request.is_unscaled else self._find(request)
        return LatentsPlan(shape=request.shape, basis=request.basis, calibration=calibration)

    def _find(self, request: LatentsRequest) -> LatentCalibration:
        count = math.prod(request.shape)
        if not request.calibration_name:
            fitting = (item for item in self if _fits(item, request.basis, count))
            if (found := next(fitting, None)) is not None:
                return found
            raise self._not_found(
                request, f"No calibration has {count} values in basis {request.basis}, as the shape needs."
            )
        named = self._calibrations.get(request.calibration_name)
        if named is None:
            raise self._not_found(
                request, f"No calibration is named {request.calibration_name[:_MAX_SHOWN_CHARACTERS]!r}."
            )
        if not _fits(named, request.basis, count):
            raise self._not_found(
                request,
                f"The calibration {named.name!r} has {named.value_count} values in basis {named.basis}; "
                f"shape and basis ask for {count} in {request.basis}.",
            )
        return named

    def _not_found(self, request: LatentsRequest, finding: str) -> NotFoundError:
        known = "; ".join(
            f"{item.name} ({item.value_count} values, {item.basis})" for item in self._calibrations.values()
        )
        message = (
            f"{finding} This server has {known or 'none'}. `chladni-calibrate` makes others; unscaled "
            "does without."
        )
        violation = FieldViolation("initial_latents.calibration", message)
        return NotFoundError(
            Reason.UNKNOWN_CALIBRATION,
            message,
            violations=[violation],
            metadata={
                "calibration": request.calibration_name[:_MAX_SHOWN_CHARACTERS],
                "shape": "x".join(map(str, request.shape)),
                "value_count": math.prod(request.shape),
            },
        )


def load_calibrations(references: Sequence[ModelReference] = ()) -> CalibrationCatalog:
    """Load the configured calibrations, which come first, and the embedded ones.

    Raises:
        CalibrationError: One of them cannot be used, or two have one name.
    """
    embedded = [ModelReference(str(CALIBRATION_DIRECTORY / name)) for name in EMBEDDED_CALIBRATIONS]
    return CalibrationCatalog([load_calibration(reference) for reference in (*references, *embedded)])


def _fits(calibration: LatentCalibration, basis: LatentBasis, value_count: int) -> bool:
    return calibration.basis is basis and calibration.value_count == value_count

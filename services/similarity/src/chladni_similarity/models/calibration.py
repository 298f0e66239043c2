"""Scores that mean the same for every model: 0.5 where like and unlike pairs are separated equally well.

A cosine alone says little: images of different sounds reach 0.5 with one model and 0.2 with another. So
each model that comes with the service has a map from cosines to scores, fitted once to pairs that are known
to belong together and to pairs that are not. `chladni_similarity.training.calibrate_scores` fits it and
writes ``calibration.json`` beside the model's manifest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from chladni_contract.score_curve import AlikenessDistribution, ScoreCurve
from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.models.files import Manifest, read_model_file

CALIBRATION_NAME: Final = "calibration.json"


class CalibrationError(ValueError):
    """A file or a number is not a valid calibration; the message says why."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map from cosines to scores, with the measurement that it comes from.

    Attributes:
        midpoint: Cosine of the score 0.5, -1 to 1: as large a share of the like pairs lies below it as of the
            unlike pairs above it.
        slope: Steepness, above 0, of the fitted logistic regression, for callers of before the distributions.
        auc: Area under the ROC curve, 0 to 1: how often a like pair has a greater cosine than an unlike one.
        eer: Equal error rate at the midpoint, 0 to 1.
        like_pairs: Number of like pairs.
        unlike_pairs: Number of unlike pairs.
        data: What the pairs were, for people.
        unlike: How alike unlike pairs are.
        like: How alike like pairs are.
        curve: The map itself; follows from the others.

    Raises:
        CalibrationError: A number is not finite or out of its range.
    """

    midpoint: float
    slope: float
    auc: float
    eer: float
    like_pairs: int
    unlike_pairs: int
    data: str
    unlike: AlikenessDistribution
    like: AlikenessDistribution
    curve: ScoreCurve = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (0 <= self.auc <= 1 and 0 <= self.eer <= 1):  # which NaN is not either
            raise CalibrationError("auc and eer must be from 0 to 1")
        try:
            curve = ScoreCurve(self.midpoint, self.slope, self.unlike, self.like)
            object.__setattr__(self, "curve", curve)
        except ValueError as error:
            raise CalibrationError(str(error)) from None

    @property
    def description(self) -> str:
        """What a score means, for people."""
        return (
            f"calibrated: 0.5 at the cosine {self.midpoint:.3f}, where like and unlike pairs are separated "
            f"with an equal error of {self.eer:.1%}; below it a rank among unlike pairs, above it among "
            f"like ones (AUC {self.auc:.4f}; {self.data})"
        )

    def score_of(self, cosine: float) -> float:
        """Return the score of a cosine: 0.5 at the midpoint, 1 at 1, strictly rising."""
        return self.curve.score_of(cosine)


@dataclass(frozen=True, slots=True)
class ModelCalibrations:
    """Contents of ``calibration.json``; `None` for what was not measured.

    Attributes:
        images: For cosines of two images.
        alignment: For cosines of a sound and an image.
    """

    images: Calibration | None = None
    alignment: Calibration | None = None


def parse_calibrations(content: bytes) -> ModelCalibrations:
    """Return the calibrations of a model's file.

    Raises:
        CalibrationError: It is no such file.
    """
    try:
        parts: Mapping[str, Any] = json.loads(content)
        return ModelCalibrations(**{name: _parse_calibration(part) for name, part in parts.items()})
    except CalibrationError:
        raise
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise CalibrationError(f"{CALIBRATION_NAME} is no calibration: {error}") from None


def _parse_calibration(part: Mapping[str, Any]) -> Calibration:
    values = dict(part)
    if "slope" in values and not {"unlike", "like"} & values.keys():
        raise CalibrationError(
            f"{CALIBRATION_NAME} has the logistic curve of earlier versions, whose scores mean something "
            "else; fit it again: chladni-train scores"
        )
    for kind in ("unlike", "like"):
        distribution = dict(values[kind])
        try:
            quantiles = tuple(distribution.pop("quantiles"))
            values[kind] = AlikenessDistribution(**distribution, quantiles=quantiles)
        except ValueError as error:
            raise CalibrationError(f"{CALIBRATION_NAME}, {kind} pairs: {error}") from None
    return Calibration(**values)


def read_calibrations(directory: Path, manifest: Manifest) -> ModelCalibrations:
    """Return the calibrations of an embedded model: none if its manifest names no such file.

    Raises:
        ModelLoadingError: The file is not there, not the one that the manifest names, or no calibration.
    """
    if CALIBRATION_NAME not in manifest.sha256:
        return ModelCalibrations()
    try:
        return parse_calibrations(read_model_file(directory, manifest, CALIBRATION_NAME))
    except CalibrationError as error:
        raise ModelLoadingError(f"{manifest.model_id}: {error}") from None


def format_calibrations(calibrations: ModelCalibrations) -> bytes:
    """Return the contents of the file."""
    parts = {name: part for name, part in asdict(calibrations).items() if part is not None}
    for part in parts.values():
        del part["curve"]
    return (json.dumps(parts, indent=2) + "\n").encode()

"""Fit the maps from cosines to scores of the embedded models, from pairs whose cosines were measured.

A score of 0.5 is given to the cosine at which as large a share of the like pairs is missed as of the
unlike pairs is taken for alike. Below it a score is a rank among the unlike pairs, above it among the like
ones; equal images alone score 1, and nothing scores 0.

    make quality                                                # measures pairs: build/quality/pairs.json
    chladni-train scores
    chladni-train scores --pairs my-pairs.json --out build/trial

The file of pairs is JSON: for each model the cosines of images of one sound (painted with different
seeds) and of different sounds; under "alignment" the cosines of sounds with their own and with other sounds'
images, for chladni-alignment. What is left out keeps the calibration that it has.

    {
      "efficientnet-lite0": {"same": [0.81, 0.77, ...], "different": [0.52, 0.40, ...]},
      "chladni-alignment":  {"same": [...], "different": [...]},
      "alignment":          {"right": [...], "wrong": [...]}
    }

For each model it writes calibration.json, with the area under the ROC curve (AUC), the equal error rate (EER)
and the numbers of pairs, notes its digest in the model's manifest, and draws the curves as roc.png.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.models.calibration import (
    CALIBRATION_NAME,
    Calibration,
    CalibrationError,
    ModelCalibrations,
    parse_calibrations,
)
from chladni_similarity.models.files import (
    read_directory_manifest,
    read_model_file,
    shipped_model_directory,
)
from chladni_similarity.models.references import ALIGNMENT_MODEL_ID, EFFICIENTNET_MODEL_ID
from chladni_similarity.training.cosine_calibration import RocCurve, calibrate
from chladni_similarity.training.model_directory import write_calibrations
from chladni_similarity.training.roc_chart import write_roc_chart
from chladni_training.arguments import JobParser

ALIGNMENT_ENTRY: Final = "alignment"
CHART_NAME: Final = "roc.png"

_DEFAULT_DATA: Final = "pairs of the quality harness"


class PairsFileError(ValueError):
    """The file of pairs cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Pairs of one kind.

    Attributes:
        model_id: Model whose cosines they have.
        kind: Part of its calibrations: ``images`` or ``alignment``.
        like: Cosines of pairs that belong together.
        unlike: Cosines of pairs that do not.
    """

    model_id: str
    kind: str
    like: Sequence[float]
    unlike: Sequence[float]

    @property
    def curve(self) -> RocCurve:
        """Their ROC curve."""
        return RocCurve.of(np.asarray(self.like, np.float64), np.asarray(self.unlike, np.float64))


def main(arguments: Sequence[str] | None = None) -> int:
    """Calibrate as the command line says; return the exit status."""
    return run(build_parser().parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Calibrate as the options say; return the exit status."""
    try:
        measurements = read_measurements(options.pairs)
        for model_id in sorted({measurement.model_id for measurement in measurements}):
            own = [measurement for measurement in measurements if measurement.model_id == model_id]
            _calibrate_model(options.out / model_id, own, data=options.data)
    except (PairsFileError, ModelLoadingError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def read_measurements(path: Path) -> Sequence[Measurement]:
    """Return what a file of pairs holds.

    Raises:
        PairsFileError: It is no such file.
    """
    try:
        content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        measurements = [_measurement(name, entry) for name, entry in content.items()]
    except (
        json.JSONDecodeError,
        UnicodeDecodeError,
        TypeError,
        KeyError,
        AttributeError,
        ValueError,
    ) as error:
        raise PairsFileError(f"{path} is no file of pairs: {type(error).__name__} {error}") from None
    if not measurements:
        raise PairsFileError(f"{path} holds no pairs")
    return measurements


def _measurement(name: str, entry: Mapping[str, Any]) -> Measurement:
    if name == ALIGNMENT_ENTRY:
        names, model_id, kind = ("right", "wrong"), ALIGNMENT_MODEL_ID, "alignment"
    elif name in (EFFICIENTNET_MODEL_ID, ALIGNMENT_MODEL_ID):
        names, model_id, kind = ("same", "different"), name, "images"
    else:
        raise ValueError(f"{name} is no model that comes with the service")
    like, unlike = ([float(value) for value in entry[part]] for part in names)
    return Measurement(model_id, kind, like, unlike)


def _calibrate_model(directory: Path, measurements: Sequence[Measurement], *, data: str) -> None:
    calibrations = _kept(directory, {measurement.kind for measurement in measurements})
    for measurement in measurements:
        calibration = _fitted(measurement, data=data)
        calibrations = replace(calibrations, **{measurement.kind: calibration})
        print(
            f"{measurement.model_id}, {measurement.kind}: 0.5 at the cosine {calibration.midpoint:.4f}, "
            f"AUC {calibration.auc:.4f}, EER {calibration.eer:.2%}, "
            f"{calibration.like_pairs} like and {calibration.unlike_pairs} unlike pairs",
            flush=True,
        )
    _write(directory, calibrations, measurements)


def _kept(directory: Path, fitted_kinds: set[str]) -> ModelCalibrations:
    """Return the calibrations of a model that are not fitted now; those that are may be of any version."""
    manifest = read_directory_manifest(directory)
    if CALIBRATION_NAME not in manifest.sha256:
        return ModelCalibrations()
    parts = json.loads(read_model_file(directory, manifest, CALIBRATION_NAME))
    kept = {name: part for name, part in parts.items() if name not in fitted_kinds}
    try:
        return parse_calibrations(json.dumps(kept).encode())
    except CalibrationError as error:
        raise PairsFileError(f"{directory.name}: {error}") from None


def _fitted(measurement: Measurement, *, data: str) -> Calibration:
    try:
        return calibrate(measurement.like, measurement.unlike, data=data)
    except CalibrationError as error:
        raise PairsFileError(f"{measurement.model_id}, {measurement.kind}: {error}") from None


def _write(directory: Path, calibrations: ModelCalibrations, measurements: Sequence[Measurement]) -> None:
    write_calibrations(directory, calibrations)
    write_roc_chart(
        directory / CHART_NAME, {measurement.kind: measurement.curve for measurement in measurements}
    )


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(prog="python -m chladni_similarity.training.calibrate_scores", description=__doc__)
    parser.add_argument(
        "--pairs",
        type=Path,
        default=Path("build/quality/pairs.json"),
        metavar="FILE",
        help="file of pairs (default: build/quality/pairs.json)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=shipped_model_directory(EFFICIENTNET_MODEL_ID).parent,
        metavar="DIR",
        help="folder that holds the models' directories (default: the one that the service ships)",
    )
    parser.add_argument(
        "--data",
        default=_DEFAULT_DATA,
        help=f"what the pairs were, for the record (default: {_DEFAULT_DATA!r})",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())

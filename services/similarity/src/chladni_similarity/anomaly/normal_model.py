"""A model of normal operation: all backends fitted to its embeddings, and the range of each attribute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_similarity.anomaly.attributes import DEFINITIONS, Attributes
from chladni_similarity.anomaly.backends import (
    BACKENDS,
    FUSION,
    MAX_COMPONENTS,
    Backend,
    Mahalanobis,
    Vectors,
)
from chladni_similarity.anomaly.calibration import Calibration
from chladni_similarity.anomaly.windows import SIDE_PIXELS

MIN_WINDOWS: Final = 4

_FOLD_COUNT: Final = 5
_FUSION_ORIGIN: Final = -3.0
"""Score 0 is three standard deviations nearer than the mean of normal audio."""
_WINDOWS_PER_COMPONENT: Final = 2
_MIN_SPREAD: Final = 0.02


@dataclass(frozen=True, slots=True)
class NormalRange:
    """Mean and standard deviation of an attribute in normal operation."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True, eq=False)
class Observations:
    """What was observed of some windows.

    Attributes:
        embeddings: (N, D), by the encoder.
        images: (N, 224, 224) in [0, 1].
        attributes: Of each window.
        groups: (N,) number of the clip that each window is from; windows of one clip are alike.
    """

    embeddings: Vectors
    images: NDArray[np.float32]
    attributes: Sequence[Attributes]
    groups: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FittedBackend:
    """A backend with what its distances mean.

    Attributes:
        backend: Measures distances.
        mean: Mean of the distances of held-out normal audio.
        deviation: Their standard deviation.
        calibration: Turns its distances into scores.
    """

    backend: Backend
    mean: float
    deviation: float
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class AnomalyScore:
    """How far audio is from normal operation.

    Attributes:
        distance: Mahalanobis distance, not scaled.
        score: Calibrated: below 9 is normal.
        percentile: Percentage of held-out normal audio that is nearer.
    """

    distance: float
    score: float
    percentile: float


@dataclass(frozen=True, slots=True, eq=False)
class NormalModel:
    """Judges embeddings and attributes. Immutable.

    Attributes:
        backends: The backends by name.
        fusion: Calibration of the minimum of the backends' z-scores.
        ranges: Normal ranges of attributes by name.
        row_means: (224,) mean level of each row of the images.
        row_deviations: (224,) their standard deviation over time.
    """

    backends: Mapping[str, FittedBackend]
    fusion: Calibration
    ranges: Mapping[str, NormalRange]
    row_means: NDArray[np.float64]
    row_deviations: NDArray[np.float64]

    def score(self, embeddings: Vectors, backend: str = FUSION) -> AnomalyScore:
        """Return how far a clip is from normal operation, by the mean over its windows.

        Args:
            embeddings: (windows, D).
            backend: Name of a backend, or `FUSION`.
        """
        distances = {
            name: fitted.backend.distances(embeddings).mean() for name, fitted in self.backends.items()
        }
        raw = float(distances[Mahalanobis.name])
        if backend == FUSION:
            value = min(
                float((distances[name] - fitted.mean) / fitted.deviation)
                for name, fitted in self.backends.items()
            )
            calibration = self.fusion
        else:
            value = float(distances[backend])
            calibration = self.backends[backend].calibration
        return AnomalyScore(raw, calibration.score_of(value), calibration.percentile_of(value))


def fit_normal_model(observations: Observations) -> NormalModel:
    """Return the model of normal operation.

    Distances of normal audio are measured on clips that a fold leaves out, or on parts of a single clip.

    Args:
        observations: At least 4 windows of normal audio.

    Raises:
        ValueError: There are fewer, or all are the same.
    """
    bank = observations.embeddings
    if len(bank) < MIN_WINDOWS:
        raise ValueError(
            f"{len(bank)} windows of normal audio are too few; {MIN_WINDOWS} are needed at least"
        )
    if np.ptp(bank, axis=0).max() == 0:
        raise ValueError("all windows of normal audio are the same; they show no range")
    left_out = list(folds(observations.groups))
    # Distances depend on the number of components: as many in the folds as in the end, and not so many that
    # their variances are guesses.
    fewest = len(bank) - max(int(is_out.sum()) for is_out in left_out)
    max_components = min(MAX_COMPONENTS, max(1, fewest // _WINDOWS_PER_COMPONENT))
    held_out = _held_out_distances(bank, left_out, max_components)
    backends = {
        name: FittedBackend(
            backend.fit(bank, max_components=max_components),
            mean=float(held_out[name].mean()),
            deviation=_spread(held_out[name]),
            calibration=Calibration.of(held_out[name]),
        )
        for name, backend in BACKENDS.items()
    }
    fused = np.min(
        [(held_out[name] - fitted.mean) / fitted.deviation for name, fitted in backends.items()], axis=0
    )
    columns = np.moveaxis(observations.images, 1, 0).reshape(SIDE_PIXELS, -1)
    return NormalModel(
        backends=backends,
        fusion=Calibration.of(fused, origin=_FUSION_ORIGIN),
        ranges=_normal_ranges(observations),
        row_means=columns.mean(axis=1, dtype=np.float64),
        row_deviations=columns.std(axis=1, dtype=np.float64),
    )


def folds(groups: NDArray[np.int64]) -> Iterator[NDArray[np.bool_]]:
    """Yield which windows each fold leaves out: whole clips; of a single clip, parts of it."""
    names = np.unique(groups)
    if len(names) == 1:
        place = np.arange(len(groups)) * min(_FOLD_COUNT, len(groups)) // len(groups)
        yield from (place == fold for fold in np.unique(place))
        return
    fold_count = min(_FOLD_COUNT, len(names))
    fold_of = {name: index % fold_count for index, name in enumerate(names)}
    place = np.array([fold_of[group] for group in groups])
    yield from (place == fold for fold in range(fold_count))


def _held_out_distances(
    bank: Vectors, left_out: Sequence[NDArray[np.bool_]], max_components: int
) -> dict[str, NDArray[np.float64]]:
    held_out = {name: np.zeros(len(bank)) for name in BACKENDS}
    for is_out in left_out:
        kept = bank[~is_out]
        if len(kept) < 2:  # two clips of one window each
            kept = bank
        for name, backend in BACKENDS.items():
            fitted = backend.fit(kept, max_components=max_components)
            held_out[name][is_out] = fitted.distances(bank[is_out])
    return held_out


def _spread(distances: NDArray[np.float64]) -> float:
    return max(float(distances.std(ddof=1)), _MIN_SPREAD * float(distances.mean()), 1e-9)


def _normal_ranges(observations: Observations) -> dict[str, NormalRange]:
    ranges = {}
    for definition in DEFINITIONS:
        name = definition.name
        values = [item.values[name] for item in observations.attributes if name in item.values]
        if len(values) < MIN_WINDOWS:
            continue
        mean = float(np.mean(values))
        least = definition.resolution * (abs(mean) if definition.is_relative else 1.0)
        # A few windows, which overlap, show less than the whole range.
        widening = 1.0 + 2.0 / len(values)
        ranges[name] = NormalRange(mean, max(float(np.std(values, ddof=1)) * widening, least))
    return ranges

"""Whether scores separate images of one clip (other seeds) from images of different clips (any seeds).

`compare.auc` and `compare.eer` are those of the model that CompareImages takes by default. The curves are
those of cosines of all pairs, which are kept as pairs.json for
`chladni_similarity.training.calibrate_scores`; scores are a monotone map of cosines, so they have the same
curves. Some pairs of both kinds are sent through CompareImages: its cosines should be those of the
embeddings, and at the score of 0.5 about as many pairs of one kind should err as of the other.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.similarity import ALIGNMENT, EFFICIENTNET, ScoredSimilarity
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.statistics.distances import cosine_distances
from chladni_evaluation.statistics.verification import area_under_curve, equal_error

_SENT_PAIRS: Final = 60
_DECIMALS: Final = 5
_READS_AS_ZERO: Final = 0.005
"""Scores below it are shown as 0 %."""

_Image = tuple[int, int]
"""Number of a clip, number of a seed."""


def measure(dataset: Dataset) -> Figures:
    """Return the area under the ROC curve and the equal error rate, of every model.

    Raises:
        MeasurementError: There are fewer than two clips or seeds.
    """
    if min(dataset.size.clips, dataset.size.seeds) < 2:
        raise MeasurementError("two clips and two seeds are needed, to compare what belongs together")
    default = dataset.similarity.default_model()
    figures: Figures = {}
    cosines: dict[str, dict[str, list[float]]] = {}
    for model in dict.fromkeys((EFFICIENTNET, ALIGNMENT, default)):
        try:
            of_model, cosines[model] = _measure_model(dataset, model)
        except NotMeasurableError:
            figures[f"unavailable.compare.{model}"] = 1
            continue
        figures |= {f"compare.{model}.{name}": value for name, value in of_model.items()}
        if model == default:
            figures |= {f"compare.{name}": of_model[name] for name in ("auc", "eer")}
            figures["scores.unlike_zero_share"] = of_model["unlike_zero_share"]
    (dataset.folder / "pairs.json").write_text(json.dumps(cosines) + "\n")
    return figures


def _measure_model(dataset: Dataset, model: str) -> tuple[Figures, dict[str, list[float]]]:
    """Return the figures of a model, and the cosines of all pairs of both kinds."""
    vectors = dataset.image_vectors(model)
    clips, seeds, _ = vectors.shape
    flat = vectors.reshape(clips * seeds, -1)
    cosines = 1.0 - cosine_distances(flat, flat)
    numbers = np.arange(clips * seeds)
    is_pair = numbers[:, None] < numbers[None, :]
    is_same = (numbers // seeds)[:, None] == (numbers // seeds)[None, :]
    same, different = np.nonzero(is_pair & is_same), np.nonzero(is_pair & ~is_same)
    error = equal_error(cosines[same], cosines[different])
    rng = dataset.rng(f"compare {model}")
    sent_same = _sample(same, seeds, rng)
    sent_different = _sample(different, seeds, rng)
    scored_same = _compared(dataset, sent_same, model)
    scored_different = _compared(dataset, sent_different, model)
    expected = [
        cosines[one[0] * seeds + one[1], other[0] * seeds + other[1]]
        for one, other in (*sent_same, *sent_different)
    ]
    answered = [scored.cosine for scored in (*scored_same, *scored_different)]
    image = dataset.first_images[0]
    figures: Figures = {
        "auc": area_under_curve(cosines[same], cosines[different]),
        "eer": error.rate,
        "eer_cosine": error.threshold,
        "misses_at_half": float(np.mean([scored.score < 0.5 for scored in scored_same])),
        "unlike_zero_share": float(np.mean([scored.score < _READS_AS_ZERO for scored in scored_different])),
        "false_alarms_at_half": float(np.mean([scored.score >= 0.5 for scored in scored_different])),
        "score_of_equal": dataset.similarity.compare(image, image, model=model).score,
        "cosine_difference": float(np.abs(np.subtract(expected, answered)).max()),
    }
    return figures, {
        "same": cosines[same].round(_DECIMALS).tolist(),
        "different": cosines[different].round(_DECIMALS).tolist(),
    }


def _sample(
    pairs: tuple[NDArray[np.int64], ...], seeds: int, rng: np.random.Generator
) -> list[tuple[_Image, _Image]]:
    """Draw pairs, as clips and seeds."""
    count = len(pairs[0])
    chosen = rng.choice(count, size=min(count, _SENT_PAIRS), replace=False)
    numbers = [(int(pairs[0][place]), int(pairs[1][place])) for place in chosen]
    return [(divmod(one, seeds), divmod(other, seeds)) for one, other in numbers]


def _compared(dataset: Dataset, pairs: Sequence[tuple[_Image, _Image]], model: str) -> list[ScoredSimilarity]:
    similarity, images = dataset.similarity, dataset.images
    return dataset.progress.each(
        f"comparing images with {model}",
        pairs,
        lambda pair: similarity.compare(
            images[pair[0][0]][pair[0][1]], images[pair[1][0]][pair[1][1]], model=model
        ),
        at_once=2,
    )

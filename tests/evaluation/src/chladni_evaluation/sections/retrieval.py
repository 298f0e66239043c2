"""Whether images are found by their audio and audio by its images, through the alignment model.

For every seed the images of up to 100 clips are added to a collection, which is then searched by each clip.
A search gives all of its images, so that the answers are the whole matrix of scores: its rows rank images
for a clip, its columns clips for an image. Recalls are means over the seeds.
"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.statistics.ranking import mean_reciprocal_rank, ranks_of_partners, recall_at

_DEPTHS: Final = (1, 5)
_CHECKED_PAIRS: Final = 5


def measure(dataset: Dataset) -> Figures:
    """Return recalls in both directions.

    Raises:
        NotMeasurableError: The similarity service has no alignment model, or keeps no collections.
        MeasurementError: A search does not give all images.
    """
    # Called first, because it fails at once if there is nothing to measure.
    first = dataset.retrieval_positions[0]
    dataset.similarity.align(dataset.audio_embeddings[first].embedding, dataset.spectrograms[first])
    collection = f"quality-{uuid.uuid4().hex[:12]}"
    matrices = [score_matrix(dataset, number, collection) for number in range(dataset.size.seeds)]
    figures: Figures = {
        "retrieval.clips": len(dataset.retrieval_positions),
        "retrieval.seeds": len(matrices),
        "retrieval.align_difference": _difference_to_alignment(dataset, matrices[0]),
    }
    # By clip and image: the columns of the transposed matrix are the clips.
    for name, oriented in (
        ("clip_to_image", matrices),
        ("image_to_clip", [matrix.T for matrix in matrices]),
    ):
        ranks = [ranks_of_partners(matrix) for matrix in oriented]
        for depth in _DEPTHS:
            recalls = [recall_at(of_seed, depth) for of_seed in ranks]
            figures[f"retrieval.{name}.r{depth}"] = float(np.mean(recalls))
            figures[f"retrieval.{name}.r{depth}_worst_seed"] = min(recalls)
        figures[f"retrieval.{name}.mean_reciprocal_rank"] = float(
            np.mean([mean_reciprocal_rank(of_seed) for of_seed in ranks])
        )
    return figures


def score_matrix(dataset: Dataset, number: int, collection: str) -> NDArray[np.float64]:
    """Return the scores of clips (rows) and of the images of one seed (columns).

    Args:
        dataset: The clips and their images.
        number: Which seed, from 0.
        collection: Name of a collection to use; it is empty before and after.

    Raises:
        NotMeasurableError: The service keeps no collections, or does not search by audio.
        MeasurementError: A search does not give all images.
    """
    positions = dataset.retrieval_positions
    similarity = dataset.similarity
    names = [f"clip-{position}" for position in positions]
    similarity.add(
        collection,
        {name: dataset.images[position][number] for name, position in zip(names, positions, strict=True)},
    )

    def row(position: int) -> list[float]:
        scores = similarity.search(collection, dataset.audio_embeddings[position].embedding)
        if scores.keys() != set(names):
            raise MeasurementError(f"SearchImages gives {len(scores)} images of {len(names)}")
        return [scores[name] for name in names]

    try:
        rows = dataset.progress.each(f"searching by audio, seed {number + 1}", positions, row, at_once=2)
    finally:
        similarity.delete(collection, names)
    return np.array(rows)


def _difference_to_alignment(dataset: Dataset, scores: NDArray[np.float64]) -> float:
    """Return the largest difference of some scores to those of ScoreAlignment for the same pairs."""
    positions = dataset.retrieval_positions
    count = len(positions)
    differences = []
    for row in range(0, count, max(1, count // _CHECKED_PAIRS)):
        column = (2 * row) % count
        audio, image = dataset.audio_embeddings[positions[row]], dataset.images[positions[column]][0]
        scored = dataset.similarity.align(audio.embedding, image)
        differences.append(abs(scored.score - scores[row, column]))
    return float(max(differences))

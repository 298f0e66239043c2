"""Whether images are known by their sounds and sounds by their images, through the alignment model.

For every seed the images of up to 100 clips go into a collection, and each clip's sound searches it. A
search gives all of its images, so that the answers are the whole matrix of scores: its rows rank images
for a sound, its columns sounds for an image. Recalls are means over the seeds.
"""

from __future__ import annotations

import uuid
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.dataset import Material
from chladni_evaluation.statistics.ranking import mean_reciprocal_rank, ranks_of_partners, recall_at

_DEPTHS: Final = (1, 5)
_CHECKED_PAIRS: Final = 5


def measure(material: Material) -> Figures:
    """Returns recalls in both directions.

    Raises:
        NotMeasurableError: The similarity service has no alignment model, or keeps no collections.
        MeasurementError: A search does not give all images.
    """
    # Asked first: it tells at once whether there is anything to measure.
    first = material.retrieval_positions[0]
    material.judge.align(material.hearings[first].embedding, material.spectrograms[first])
    collection = f"quality-{uuid.uuid4().hex[:12]}"
    matrices = [score_matrix(material, number, collection) for number in range(material.extent.seeds)]
    figures: Figures = {
        "retrieval.clips": len(material.retrieval_positions),
        "retrieval.seeds": len(matrices),
        "retrieval.align_difference": _difference_to_alignment(material, matrices[0]),
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


def score_matrix(material: Material, number: int, collection: str) -> NDArray[np.float64]:
    """Returns the scores of clips (rows) and of the images of one seed (columns).

    Args:
        material: The clips and their images.
        number: Which seed, from 0.
        collection: Name of a collection to use; it is empty before and after.

    Raises:
        NotMeasurableError: The service keeps no collections, or does not search by sound.
        MeasurementError: A search does not give all images.
    """
    positions = material.retrieval_positions
    judge = material.judge
    names = [f"clip-{position}" for position in positions]
    judge.add(
        collection,
        {name: material.images[position][number] for name, position in zip(names, positions, strict=True)},
    )

    def row(position: int) -> list[float]:
        scores = judge.search(collection, material.hearings[position].embedding)
        if scores.keys() != set(names):
            raise MeasurementError(f"SearchImages gives {len(scores)} images of {len(names)}")
        return [scores[name] for name in names]

    try:
        rows = material.display.each(f"searching by sound, seed {number + 1}", positions, row, at_once=2)
    finally:
        judge.delete(collection, names)
    return np.array(rows)


def _difference_to_alignment(material: Material, scores: NDArray[np.float64]) -> float:
    """The largest difference of some scores to what ScoreAlignment says of the same pairs."""
    positions = material.retrieval_positions
    count = len(positions)
    differences = []
    for row in range(0, count, max(1, count // _CHECKED_PAIRS)):
        column = (2 * row) % count
        sound, image = material.hearings[positions[row]], material.images[positions[column]][0]
        likeness = material.judge.align(sound.embedding, image)
        differences.append(abs(likeness.score - scores[row, column]))
    return float(max(differences))

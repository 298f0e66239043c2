"""Whether sounds decide their images: more than seeds do, and the nearer the nearer they are.

Images are compared by features of EfficientNet-Lite0, which was trained on photographs by others, so that
no model of ours can flatter itself. `mantel.correlation` is Pearson's, between the Euclidean distances of
clips in the 24 descriptors of the whole sound and the distances of their images with one seed, averaged
over the seeds.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.dataset import Material
from chladni_evaluation.statistics.distances import cosine_distances, euclidean_distances
from chladni_evaluation.statistics.permutation import audio_effect, mantel

_PERMUTATIONS: Final = 4999


def measure(material: Material) -> Figures:
    """Returns the audio effect ratio and the Mantel correlations, with their p-values.

    Raises:
        MeasurementError: There are too few clips or seeds to say anything.
    """
    vectors = material.image_vectors(EFFICIENTNET)
    count, seeds, _ = vectors.shape
    flat = vectors.reshape(count * seeds, -1)
    distances = cosine_distances(flat, flat).reshape(count, seeds, count, seeds)
    of_images = np.mean([distances[:, seed, :, seed] for seed in range(seeds)], axis=0)
    hearings = material.hearings
    of_descriptors = euclidean_distances(np.stack([hearing.global_vector for hearing in hearings]))
    of_embeddings = euclidean_distances(np.stack([hearing.vector for hearing in hearings]))
    try:
        ratio = audio_effect(distances, permutations=_PERMUTATIONS, rng=material.rng("audio effect"))
        correlation = mantel(
            of_descriptors, of_images, permutations=_PERMUTATIONS, rng=material.rng("mantel")
        )
        by_rank = mantel(of_descriptors, of_images, permutations=0, rng=material.rng(""), by_rank=True)
        whole = mantel(of_embeddings, of_images, permutations=0, rng=material.rng(""))
    except ValueError as error:
        raise MeasurementError(str(error)) from None
    return {
        "audio_effect_ratio": ratio.value,
        "audio_effect_ratio.p": ratio.p,
        "mantel.correlation": correlation.value,
        "mantel.p": correlation.p,
        "mantel.rank_correlation": by_rank.value,
        "mantel.whole_embedding_correlation": whole.value,
    }

"""Whether clips determine their images: more than seeds do, and similar clips give similar images.

Images are compared by features of EfficientNet-Lite0, which others trained on photographs, so that
no model of this project judges itself. `mantel.correlation` is Pearson's, between the Euclidean distances of
clips in the 24 descriptors of the whole clip and the distances of their images with one seed, averaged
over the seeds. `mantel.librosa` has features of librosa in the descriptors' place (MFCC, chroma, tempo).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni_benchmarks.figures import Figures, MeasurementError
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.corpus.clips import RATE_HZ
from chladni_evaluation.dataset import Dataset
from chladni_evaluation.statistics.distances import cosine_distances, euclidean_distances
from chladni_evaluation.statistics.listening import librosa_features, standardised
from chladni_evaluation.statistics.permutation import audio_effect, mantel

_PERMUTATIONS: Final = 4999


def measure(dataset: Dataset) -> Figures:
    """Return the audio effect ratio and the Mantel correlations, with their p-values.

    Raises:
        MeasurementError: There are too few clips or seeds.
    """
    vectors = dataset.image_vectors(EFFICIENTNET)
    count, seeds, _ = vectors.shape
    flat = vectors.reshape(count * seeds, -1)
    distances = cosine_distances(flat, flat).reshape(count, seeds, count, seeds)
    of_images = np.mean([distances[:, seed, :, seed] for seed in range(seeds)], axis=0)
    embeddings = dataset.audio_embeddings
    of_descriptors = euclidean_distances(np.stack([item.global_vector for item in embeddings]))
    of_embeddings = euclidean_distances(np.stack([item.vector for item in embeddings]))
    heard = dataset.progress.each(
        "hearing clips with librosa",
        dataset.clips,
        lambda clip: librosa_features(clip.samples, rate_hz=RATE_HZ),
    )
    of_librosa = euclidean_distances(standardised(np.stack(heard)))
    try:
        ratio = audio_effect(distances, permutations=_PERMUTATIONS, rng=dataset.rng("audio effect"))
        correlation = mantel(of_descriptors, of_images, permutations=_PERMUTATIONS, rng=dataset.rng("mantel"))
        by_rank = mantel(of_descriptors, of_images, permutations=0, rng=dataset.rng(""), by_rank=True)
        by_librosa = mantel(of_librosa, of_images, permutations=0, rng=dataset.rng(""))
        whole = mantel(of_embeddings, of_images, permutations=0, rng=dataset.rng(""))
    except ValueError as error:
        raise MeasurementError(str(error)) from None
    return {
        "audio_effect_ratio": ratio.value,
        "audio_effect_ratio.p": ratio.p,
        "mantel.correlation": correlation.value,
        "mantel.p": correlation.p,
        "mantel.rank_correlation": by_rank.value,
        "mantel.librosa": by_librosa.value,
        "mantel.whole_embedding_correlation": whole.value,
    }

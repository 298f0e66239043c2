"""Whether an image follows its clip in a straight line when the clip is transposed.

Some melodies are transposed by -6 to 6 semitones, by playing them faster or slower. The path is the sum of
the moves of the image from each semitone to the next, the direct way is the move from the lowest to the
highest, by features of EfficientNet-Lite0. If a semitone throws the image about, the path is much longer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures, MeasurementError, median
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.corpus.clips import RATE_HZ
from chladni_evaluation.dataset import Dataset, evenly
from chladni_evaluation.statistics.distances import cosine_distances
from chladni_fixtures.audio import encoded

_CLIPS: Final = 4
_SEMITONES: Final = range(-6, 7)


def measure(dataset: Dataset) -> Figures:
    """Return the median of the path over the direct way.

    Raises:
        MeasurementError: There is no melody among the clips.
    """
    melodies = [position for position, clip in enumerate(dataset.clips) if clip.kind == "melody"]
    if not melodies:
        raise MeasurementError("there is no melody among the clips")
    ratios = [_ratio(dataset, position) for position in evenly(melodies, _CLIPS)]
    return {"transposition.path_over_direct": median(ratios), "transposition.clips": len(ratios)}


def _ratio(dataset: Dataset, position: int) -> float:
    samples = dataset.clips[position].samples
    seed = dataset.image_seeds[0]

    def image_of(semitones: int) -> bytes:
        audio = encoded(transposed(samples, semitones), rate_hz=RATE_HZ, subtype="PCM_16")
        embedding = dataset.audio_features.extract(audio).embedding
        return dataset.image_generation.generate(embedding, seed=seed)

    images = dataset.progress.each("transposing a melody", list(_SEMITONES), image_of)
    moves = cosine_distances(*[dataset.vectors_of(images, model=EFFICIENTNET)] * 2)
    return float(np.diagonal(moves, 1).sum() / max(moves[0, -1], 1e-6))


def transposed(samples: NDArray[np.float32], semitones: float) -> NDArray[np.float32]:
    """Return audio (n,) played so much faster that it sounds so many semitones higher."""
    speed = 2.0 ** (semitones / 12.0)
    places = np.arange(0, len(samples) - 1, speed)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)

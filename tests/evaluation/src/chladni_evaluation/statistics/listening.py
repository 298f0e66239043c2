"""What others hear in a clip: features of librosa, which this project's descriptors were not made from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_COEFFICIENTS = 13


def librosa_features(samples: NDArray[np.float32], *, rate_hz: int) -> NDArray[np.float64]:
    """Return means and deviations of MFCC and chroma, and the tempo, of a clip (n,): (51,)."""
    import librosa  # noqa: PLC0415 - takes a second, and one section needs it

    timbre = librosa.feature.mfcc(y=samples, sr=rate_hz, n_mfcc=_COEFFICIENTS)
    chroma = librosa.feature.chroma_stft(y=samples, sr=rate_hz, tuning=0.0)
    tempo = librosa.feature.tempo(y=samples, sr=rate_hz)
    parts = [timbre.mean(axis=1), timbre.std(axis=1), chroma.mean(axis=1), chroma.std(axis=1), tempo[:1]]
    return np.concatenate(parts).astype(np.float64)


def standardised(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows (N, D) with columns of mean 0 and deviation 1; columns that do not vary become 0."""
    deviations = rows.std(axis=0)
    result: NDArray[np.float64] = (rows - rows.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)
    return result

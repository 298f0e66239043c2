"""How near reconstructions are to clips: of spectrograms, and of speech by measures of its own.

PESQ (ITU-T P.862.2, wide band) and STOI (Taal et al. 2011) were made for speech; beside each is what the same
clips have that were made from the original spectrograms, by Griffin-Lim alone: no autoencoder can do better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.figures import compare
from chladni_audio_features.reconstruction.griffin_lim import samples_of_mel
from chladni_audio_features.reconstruction.windows import (
    SAMPLE_RATE_HZ,
    mel_windows,
    transform_of,
)
from chladni_audio_features.training.autoencoder.clips import SPEECH, HeardClip, Samples, Windows

_BATCH: Final = 32
_NAMES: Final = {"mean_squared_error": "mse", "mean_absolute_error": "mae"}
"""Names that differ from the fields'; `perceptual_similarity`, which is NSIM, is the proxy of PESQ."""

Measure = Callable[[Samples, Samples], float]
Decode = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


def spectrogram_figures(windows: Windows, decode: Decode) -> dict[str, float]:
    """Return the means over windows of the figures between them and their reconstructions.

    Args:
        windows: (N, mel bins, 256) uint8.
        decode: Reconstructs (B, mel bins, 256) float32 in [0, 1].
    """
    rows = []
    for first in range(0, len(windows), _BATCH):
        originals = windows[first : first + _BATCH].astype(np.float32) / np.float32(255.0)
        rows += [
            asdict(compare(original, decoded))
            for original, decoded in zip(originals, decode(originals), strict=True)
        ]
    names = rows[0] if rows else {}
    return {_NAMES.get(name, name): float(np.mean([row[name] for row in rows])) for name in names}


def speech_measures() -> Mapping[str, Measure]:
    """Return the measures of speech whose packages are installed, by name."""
    measures: dict[str, Measure] = {}
    if find_spec("pesq") is not None:
        measures["pesq"] = _pesq
    if find_spec("pystoi") is not None:
        measures["stoi"] = _stoi
    return measures


def speech_figures(
    autoencoder: Autoencoder, clips: Sequence[HeardClip], measures: Mapping[str, Measure]
) -> dict[str, float]:
    """Return the means of the measures over the clips of speech, and those of Griffin-Lim alone.

    Clips in which a measure finds no speech count for none.
    """
    values: dict[str, list[float]] = {}
    mel_bins = autoencoder.mel_settings.mel_bins
    for clip in clips:
        if clip.kind != SPEECH:
            continue
        made = {
            "": reconstructed_samples(autoencoder, clip.samples),
            "griffin_lim_": _by_griffin_lim(clip.samples, mel_bins),
        }
        for name, measure in measures.items():
            for prefix, samples in made.items():
                value = measure(clip.samples, samples)
                if np.isfinite(value):
                    values.setdefault(f"{prefix}{name}", []).append(value)
    return {name: float(np.mean(found)) for name, found in values.items()}


def reconstructed_samples(autoencoder: Autoencoder, samples: Samples) -> Samples:
    """Return what an autoencoder makes of a clip, as audio of the same length."""
    return autoencoder.samples_of(autoencoder.reconstruct(samples), len(samples))


def _by_griffin_lim(samples: Samples, mel_bins: int) -> Samples:
    windows = mel_windows(samples, mel_bins)
    return samples_of_mel(windows.power(windows.scaled), transform_of(mel_bins).settings, len(samples))


def _pesq(original: Samples, reconstructed: Samples) -> float:
    from pesq import PesqError, pesq  # noqa: PLC0415 - an extra

    value = pesq(SAMPLE_RATE_HZ, original, reconstructed, "wb", on_error=PesqError.RETURN_VALUES)
    return float(value) if value >= 0.0 else float("nan")


def _stoi(original: Samples, reconstructed: Samples) -> float:
    from pystoi import stoi  # noqa: PLC0415 - an extra

    return float(stoi(original, reconstructed, SAMPLE_RATE_HZ, extended=False))

"""The figures of an autoencoder on synthesised clips and on folders of recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import AudioError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.reconstruction.autoencoder import Autoencoder
from chladni_audio_features.reconstruction.windows import SAMPLE_RATE_HZ
from chladni_audio_features.training.autoencoder.clips import (
    AUDIO_SUFFIXES,
    SPEECH,
    HeardClip,
    Samples,
)
from chladni_audio_features.training.autoencoder.evaluation import speech_figures, speech_measures
from chladni_audio_features.training.synthesis.corpus import draw_corpus

_LIMITS: Final = DecodingLimits(max_bytes=256 * 1024 * 1024, max_duration_seconds=600.0)
_SPEECH_CLIPS: Final = 20


def figures_of_synthesis(autoencoder: Autoencoder, *, count: int, seed: int) -> dict[str, float]:
    """Return the figures of clips that the project's synthesis makes."""
    clips = draw_corpus(count=count, seed=seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ)
    resampled = (
        soxr.resample(clip.samples, ANALYSIS_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ).astype(np.float32)
        for clip in clips
    )
    return _prefixed("synthesis", figures_of_clips(autoencoder, resampled))


def figures_of_folder(autoencoder: Autoencoder, name: str, folder: Path, *, count: int) -> dict[str, float]:
    """Return the figures of evenly spread files of a folder, those of speech too if its name says so."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES)
    chosen = [files[index * len(files) // min(count, len(files))] for index in range(min(count, len(files)))]
    clips = read_clips(chosen)
    figures = figures_of_clips(autoencoder, clips)
    if SPEECH in name:
        heard = [HeardClip(SPEECH, clip) for clip in clips[:_SPEECH_CLIPS]]
        figures |= speech_figures(autoencoder, heard, speech_measures())
    return _prefixed(name, figures)


def read_clips(files: Iterable[Path]) -> list[Samples]:
    """Return files as samples at 16 kHz; those that cannot be read are left out."""
    decoder = AudioDecoder(_LIMITS, sample_rate_hz=SAMPLE_RATE_HZ)
    clips = []
    for path in files:
        try:
            clips.append(decoder.decode(path.read_bytes()).samples)
        except AudioError:
            continue
    return clips


def figures_of_clips(autoencoder: Autoencoder, clips: Iterable[Samples]) -> dict[str, float]:
    """Return the means of the figures over clips."""
    rows = [autoencoder.reconstruct(clip).figures for clip in clips]
    if not rows:
        return {}
    return {
        "mse": float(np.mean([row.mean_squared_error for row in rows])),
        "mae": float(np.mean([row.mean_absolute_error for row in rows])),
        "cosine": float(np.mean([row.cosine for row in rows])),
        "perceptual_similarity": float(np.mean([row.perceptual_similarity for row in rows])),
    }


def _prefixed(name: str, figures: dict[str, float]) -> dict[str, float]:
    return {f"{name}.{figure}": value for figure, value in figures.items()}

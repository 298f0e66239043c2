"""What happens to sounds after they are made: mixing, filters, rooms, mastering."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy import signal

from chladni_audio_features.training.synthesis.timbres import Samples


def mix(parts: Iterable[tuple[float, Samples]], *, duration_seconds: float, rate_hz: int) -> Samples:
    """Add sounds up, each from its start in seconds; what reaches beyond the end is cut."""
    total = np.zeros(round(duration_seconds * rate_hz))
    for start_seconds, part in parts:
        start = round(start_seconds * rate_hz)
        room = max(0, len(total) - start)
        total[start : start + len(part)] += part[:room]
    return total


def band_passed(
    samples: Samples, *, low_hz: float | None, high_hz: float | None, rate_hz: int, order: int = 2
) -> Samples:
    """Filter a sound by a Butterworth filter; None leaves that side open."""
    if low_hz is not None and high_hz is not None:
        sections = signal.butter(order, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos")
    elif low_hz is not None:
        sections = signal.butter(order, low_hz, "highpass", fs=rate_hz, output="sos")
    else:
        sections = signal.butter(order, high_hz, "lowpass", fs=rate_hz, output="sos")
    filtered: Samples = signal.sosfilt(sections, samples)
    return filtered


def with_room(
    samples: Samples,
    *,
    decay_seconds: float,
    wetness: float,
    rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """Add the reverberation of a room, modelled as decaying noise that darkens; same length."""
    seconds = np.arange(round(1.5 * decay_seconds * rate_hz)) / rate_hz
    response = rng.standard_normal(len(seconds)) * 10.0 ** (-3.0 * seconds / decay_seconds)
    response = band_passed(response, low_hz=150.0, high_hz=4500.0, rate_hz=rate_hz, order=1)
    response /= np.sqrt(np.square(response).sum())
    wet = signal.fftconvolve(samples, response)[: len(samples)]
    blended: Samples = (1.0 - wetness) * samples + wetness * wet
    return blended


def faded(samples: Samples, *, seconds: float, rate_hz: int) -> Samples:
    """Fade both ends, so that the sound neither begins nor ends with a click."""
    count = min(round(seconds * rate_hz), len(samples) // 2)
    ramp = np.square(np.sin(0.5 * np.pi * np.arange(count) / max(1, count)))
    shaped = samples.copy()
    shaped[:count] *= ramp
    shaped[len(shaped) - count :] *= ramp[::-1]
    return shaped


def normalised(samples: Samples, *, peak: float) -> Samples:
    """Scale a sound to a peak amplitude; silence stays silence."""
    largest = float(np.abs(samples).max(initial=0.0))
    return samples * (peak / largest) if largest > 0.0 else samples

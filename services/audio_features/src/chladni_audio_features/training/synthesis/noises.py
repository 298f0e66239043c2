"""Noises: coloured, gusty, crackling, and plain test tones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from chladni_audio_features.training.synthesis.effects import band_passed
from chladni_audio_features.training.synthesis.timbres import Samples

Noise = Callable[[int, int, np.random.Generator], Samples]


def coloured(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render stationary noise whose spectrum falls by 0 to 9 dB an octave."""
    return _sloped(count, rate_hz, rng, slope_db_per_octave=float(rng.uniform(0.0, 9.0)))


def banded(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render noise in a band of half an octave to three octaves."""
    low_hz = float(np.exp(rng.uniform(np.log(100.0), np.log(4000.0))))
    high_hz = min(low_hz * 2.0 ** float(rng.uniform(0.5, 3.0)), 0.45 * rate_hz)
    noise = rng.standard_normal(count)
    return band_passed(noise, low_hz=low_hz, high_hz=high_hz, rate_hz=rate_hz)


def wind(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render gusts: dark noise that swells and subsides."""
    gusts = _slow_wave(count, rate_hz, rng, fastest_hz=0.7)
    whistle_hz = float(rng.uniform(300.0, 900.0))
    whistle = band_passed(
        rng.standard_normal(count), low_hz=whistle_hz, high_hz=1.3 * whistle_hz, rate_hz=rate_hz
    )
    dark = _sloped(count, rate_hz, rng, slope_db_per_octave=5.0)
    return (0.1 + gusts) * (dark + 0.8 * whistle)


def surf(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render waves that break every few seconds."""
    seconds = np.arange(count) / rate_hz
    period_seconds = float(rng.uniform(2.5, 6.0))
    position = np.mod(seconds / period_seconds + rng.uniform(), 1.0)
    swell = np.where(position < 0.3, position / 0.3, np.exp(-(position - 0.3) / 0.25))
    return (0.05 + np.square(swell)) * _sloped(count, rate_hz, rng, slope_db_per_octave=3.0)


def crackle(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render fire or rain: many short clicks over a soft bed of noise."""
    clicks = np.zeros(count)
    number = rng.poisson(float(rng.uniform(4.0, 60.0)) * count / rate_hz)
    places = rng.integers(0, count, number)
    clicks[places] = rng.exponential(1.0, number) * rng.choice((-1.0, 1.0), number)
    ringing = band_passed(clicks, low_hz=500.0, high_hz=6000.0, rate_hz=rate_hz, order=1)
    return ringing + 0.01 * _sloped(count, rate_hz, rng, slope_db_per_octave=4.0)


def beeps(count: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render an electronic signal: pure tones, steady, interrupted or gliding."""
    seconds = np.arange(count) / rate_hz
    start_hz = float(np.exp(rng.uniform(np.log(120.0), np.log(3000.0))))
    end_hz = start_hz * 2.0 ** float(rng.choice((0.0, 0.0, -1.0, 1.0)))
    sweep_hz = start_hz * (end_hz / start_hz) ** (seconds / max(seconds[-1], 1e-3))
    tone = np.sin(2.0 * np.pi * np.cumsum(sweep_hz) / rate_hz)
    if rng.random() < 0.6:
        gate = np.sin(2.0 * np.pi * float(rng.uniform(0.7, 6.0)) * seconds) > 0.0
        tone *= np.convolve(gate, np.hanning(256) / 127.5, mode="same")
    return tone


NOISES: tuple[Noise, ...] = (coloured, banded, wind, surf, crackle, beeps)


def _sloped(count: int, rate_hz: int, rng: np.random.Generator, *, slope_db_per_octave: float) -> Samples:
    spectrum = np.fft.rfft(rng.standard_normal(count))
    frequencies_hz = np.maximum(np.fft.rfftfreq(count, 1.0 / rate_hz), 30.0)
    spectrum *= (frequencies_hz / 30.0) ** (-slope_db_per_octave / 20.0 / np.log10(2.0))
    noise = np.fft.irfft(spectrum, count)
    unit: Samples = noise / noise.std()
    return unit


def _slow_wave(count: int, rate_hz: int, rng: np.random.Generator, *, fastest_hz: float) -> Samples:
    """Draw a random curve in [0, 1]."""
    seconds = np.arange(count) / rate_hz
    curve = np.zeros(count)
    for _ in range(4):
        curve += np.sin(2.0 * np.pi * (rng.uniform(0.1, fastest_hz) * seconds + rng.uniform()))
    unit: Samples = (curve - curve.min()) / max(float(np.ptp(curve)), 1e-9)
    return unit

"""Drums and patterns for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chladni_audio_features.training.synthesis.effects import band_passed, mix
from chladni_audio_features.training.synthesis.timbres import Samples

Drum = Callable[[int, np.random.Generator], Samples]

STEPS_PER_BEAT = 4

PATTERNS: tuple[Mapping[str, str], ...] = (
    {
        "kick": "x...x...x...x...",
        "hat": "..x...x...x...x.",
        "clap": "....x.......x...",
    },
    {
        "kick": "x.....x.x.......",
        "snare": "....x.......x..o",
        "hat": "x.o.x.o.x.o.x.oo",
    },
    {
        "kick": "x..x..x...x.x...",
        "snare": "....x..o.o..x...",
        "hat": "xoxoxoxoxoxoxoxo",
    },
    {
        "tom_low": "x.....x...x.....",
        "tom_high": "..x.x...x...x.xo",
        "shaker": "o.o.x.o.o.o.x.o.",
    },
    {"clap": "x.......x.......", "hat": "..x...x...x...x."},
)
"""Sixteen steps a bar; "x" is a stroke, "o" a soft one."""


def kick(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a bass drum: a tone that falls from 160 to 48 Hz, with a click of the beater."""
    seconds = np.arange(round(0.35 * rate_hz)) / rate_hz
    phase = 2.0 * np.pi * np.cumsum(48.0 + 112.0 * np.exp(-seconds / 0.03)) / rate_hz
    beater = rng.standard_normal(len(seconds)) * np.exp(-seconds / 0.003)
    return np.sin(phase) * np.exp(-seconds / 0.11) + 0.15 * beater


def snare(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a snare drum: two modes of the skin and the rattle of the wires."""
    seconds = np.arange(round(0.25 * rate_hz)) / rate_hz
    skin = np.sin(2.0 * np.pi * 185.0 * seconds) + 0.6 * np.sin(2.0 * np.pi * 330.0 * seconds)
    wires = band_passed(rng.standard_normal(len(seconds)), low_hz=1200.0, high_hz=None, rate_hz=rate_hz)
    return 0.45 * skin * np.exp(-seconds / 0.05) + 0.35 * wires * np.exp(-seconds / 0.07)


def hat(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a closed hi-hat."""
    seconds = np.arange(round(0.08 * rate_hz)) / rate_hz
    noise = band_passed(rng.standard_normal(len(seconds)), low_hz=6000.0, high_hz=None, rate_hz=rate_hz)
    return 0.35 * noise * np.exp(-seconds / 0.02)


def clap(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Hand that do not quite clap together."""
    seconds = np.arange(round(0.2 * rate_hz)) / rate_hz
    bursts = sum(
        np.where(seconds >= start, np.exp(-(seconds - start) / decay), 0.0)
        for start, decay in ((0.0, 0.006), (0.011, 0.006), (0.023, 0.05))
    )
    noise = band_passed(rng.standard_normal(len(seconds)), low_hz=900.0, high_hz=3500.0, rate_hz=rate_hz)
    return 0.6 * noise * bursts


def tom_low(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a low tom-tom."""
    return _tom(110.0, rate_hz, rng)


def tom_high(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Render a high tom-tom."""
    return _tom(175.0, rate_hz, rng)


def shaker(rate_hz: int, rng: np.random.Generator) -> Samples:
    """Seed in a shell."""
    seconds = np.arange(round(0.09 * rate_hz)) / rate_hz
    noise = band_passed(rng.standard_normal(len(seconds)), low_hz=3500.0, high_hz=9000.0, rate_hz=rate_hz)
    shaken: Samples = 0.3 * noise * np.sin(np.pi * seconds / seconds[-1])
    return shaken


DRUMS: Mapping[str, Drum] = {
    "kick": kick,
    "snare": snare,
    "hat": hat,
    "clap": clap,
    "tom_low": tom_low,
    "tom_high": tom_high,
    "shaker": shaker,
}


def render_pattern(
    pattern: Mapping[str, str],
    *,
    tempo_bpm: float,
    duration_seconds: float,
    rate_hz: int,
    rng: np.random.Generator,
) -> Samples:
    """Play a pattern in a loop, with small differences from stroke to stroke."""
    step_seconds = 60.0 / tempo_bpm / STEPS_PER_BEAT
    strokes = []
    for step in range(int(duration_seconds / step_seconds)):
        for name, steps in pattern.items():
            mark = steps[step % len(steps)]
            if mark != ".":
                strength = (1.0 if mark == "x" else 0.35) * rng.uniform(0.85, 1.0)
                late_seconds = rng.uniform(0.0, 0.004)
                stroke = strength * DRUMS[name](rate_hz, rng)
                strokes.append((step * step_seconds + late_seconds, stroke))
    return mix(strokes, duration_seconds=duration_seconds, rate_hz=rate_hz)


def _tom(frequency_hz: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    seconds = np.arange(round(0.4 * rate_hz)) / rate_hz
    sweep_hz = frequency_hz * (1.0 + 0.5 * np.exp(-seconds / 0.05))
    phase = 2.0 * np.pi * np.cumsum(sweep_hz) / rate_hz + rng.uniform(0.0, 0.2)
    return 0.8 * np.sin(phase) * np.exp(-seconds / 0.13)

"""A corpus of labelled sounds, drawn at random but reproducibly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chladni_audio_features.training.synthesis.effects import band_passed, faded, normalised, with_room
from chladni_audio_features.training.synthesis.machines import random_machine, render_machine
from chladni_audio_features.training.synthesis.music import random_piece, render_piece
from chladni_audio_features.training.synthesis.noises import NOISES
from chladni_audio_features.training.synthesis.percussion import DRUMS, PATTERNS, render_pattern
from chladni_audio_features.training.synthesis.speech import has_speech, random_utterance, speak
from chladni_audio_features.training.synthesis.timbres import INSTRUMENTS, Samples, render_tone

# Share of each kind. Speech and music are what most callers send.
SHARES = {
    "speech": 0.32,
    "music": 0.36,
    "note": 0.08,
    "drums": 0.08,
    "noise": 0.09,
    "machine": 0.07,
}


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """A sound and the kind it belongs to."""

    kind: str
    samples: npt.NDArray[np.float32]


def draw_corpus(
    *, count: int = 0, seed: int, rate_hz: int, indices: Iterable[int] | None = None
) -> Iterator[LabelledClip]:
    """Draw sounds; number i depends on the seed and on i alone.

    Speech is left out if espeak-ng is not installed.

    Args:
        count: How many, from number 0.
        seed: Decides them.
        rate_hz: Sample rate.
        indices: Numbers to draw in place of the first ones.
    """
    kinds = [kind for kind in SHARES if kind != "speech" or has_speech()]
    weights = np.array([SHARES[kind] for kind in kinds])
    for index in range(count) if indices is None else indices:
        rng = np.random.default_rng((seed, index))
        kind = str(rng.choice(kinds, p=weights / weights.sum()))
        yield LabelledClip(kind, draw_clip(kind, rng, rate_hz=rate_hz))


def draw_clip(kind: str, rng: np.random.Generator, *, rate_hz: int) -> npt.NDArray[np.float32]:
    """Draw a sound of one kind, recorded somehow: some room, some bandwidth, some level.

    Returns:
        (n,) float32, 0.2 to 12 s.
    """
    raw = _draw_raw(kind, rng, rate_hz)
    return _recorded(raw, rng, rate_hz).astype(np.float32)


def _draw_raw(kind: str, rng: np.random.Generator, rate_hz: int) -> Samples:
    seconds = float(np.exp(rng.uniform(np.log(2.0), np.log(12.0))))
    if kind == "speech":
        return speak(random_utterance(rng), rate_hz=rate_hz)
    if kind == "music":
        return render_piece(random_piece(rng, duration_seconds=seconds), rate_hz=rate_hz, rng=rng)
    if kind == "note":
        return _note(rng, rate_hz)
    if kind == "drums":
        return _drums(rng, rate_hz, seconds)
    if kind == "noise":
        return NOISES[rng.integers(len(NOISES))](round(seconds * rate_hz), rate_hz, rng)
    if kind == "machine":
        return render_machine(random_machine(rng), duration_seconds=seconds, rate_hz=rate_hz, rng=rng)
    raise ValueError(f"no kind of sound is called {kind!r}")


def _note(rng: np.random.Generator, rate_hz: int) -> Samples:
    return render_tone(
        INSTRUMENTS[rng.integers(len(INSTRUMENTS))],
        midi_note=float(rng.uniform(33.0, 90.0)),
        duration_seconds=float(np.exp(rng.uniform(np.log(0.3), np.log(4.0)))),
        sample_rate_hz=rate_hz,
        rng=rng,
    )


def _drums(rng: np.random.Generator, rate_hz: int, seconds: float) -> Samples:
    if rng.random() < 0.4:  # a single stroke
        drum = list(DRUMS.values())[rng.integers(len(DRUMS))]
        return np.pad(drum(rate_hz, rng), (0, round(rng.uniform(0.1, 0.6) * rate_hz)))
    return render_pattern(
        PATTERNS[rng.integers(len(PATTERNS))],
        tempo_bpm=float(rng.uniform(70.0, 175.0)),
        duration_seconds=seconds,
        rate_hz=rate_hz,
        rng=rng,
    )


def _recorded(samples: Samples, rng: np.random.Generator, rate_hz: int) -> Samples:
    if rng.random() < 0.3:
        samples = with_room(
            samples,
            decay_seconds=float(rng.uniform(0.2, 1.5)),
            wetness=float(rng.uniform(0.1, 0.5)),
            rate_hz=rate_hz,
            rng=rng,
        )
    if rng.random() < 0.4:  # a telephone, or a poor microphone
        high_hz = float(rng.uniform(2800.0, 9000.0))
        samples = band_passed(samples, low_hz=None, high_hz=high_hz, rate_hz=rate_hz, order=6)
    samples = faded(samples, seconds=0.005, rate_hz=rate_hz)
    peak = 10.0 ** (float(rng.triangular(-18.0, -1.0, 0.0)) / 20.0)
    hiss = 10.0 ** (float(rng.uniform(-100.0, -60.0)) / 20.0)
    clip: Samples = normalised(samples, peak=peak) + hiss * peak * rng.standard_normal(len(samples))
    return clip

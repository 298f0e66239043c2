"""Musical clips: melodies and pieces of several voices, in many keys, tempos, timbres and dynamics."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import numpy as np

from chladni_audio_features.training.synthesis import timbres
from chladni_audio_features.training.synthesis.music import (
    MAJOR_PROGRESSIONS,
    MINOR_PROGRESSIONS,
    Piece,
    render_piece,
)
from chladni_audio_features.training.synthesis.percussion import PATTERNS
from chladni_audio_features.training.synthesis.timbres import Samples
from chladni_evaluation.corpus.clips import RATE_HZ, ClipPlan, dealt, spread

_TIMBRES: Final = {
    "piano": timbres.PIANO,
    "pluck": timbres.PLUCK,
    "harp": timbres.HARP,
    "organ": timbres.ORGAN,
    "strings": timbres.STRINGS,
    "flute": timbres.FLUTE,
    "reed": timbres.REED,
    "brass": timbres.BRASS,
    "pad": timbres.PAD,
    "bell": timbres.BELL,
    "sine": timbres.SINE,
}
_PITCH_CLASSES: Final = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")
_LOWEST_TONIC: Final = 48
_SECONDS: Final = (4.0, 7.0)
_LOG_TEMPO_BPM: Final = (math.log(55.0), math.log(180.0))

# Level at the beginning, in the middle and at the end, in dB.
_SHAPES: Final = {
    "steady": (0.0, 0.0, 0.0),
    "crescendo": (-26.0, -10.0, 0.0),
    "diminuendo": (0.0, -10.0, -26.0),
    "swell": (-22.0, 0.0, -22.0),
}
_PEAKS_DB: Final = {"pianissimo": -26.0, "mezzopiano": -13.0, "forte": -6.0, "fortissimo": -1.5}


def plan_melodies(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan melodies of one voice."""
    return _plan_pieces("melody", count, rng, textures=("melody",), has_accompaniment=False)


def plan_polyphony(count: int, rng: np.random.Generator) -> list[ClipPlan]:
    """Plan pieces with chords, some with a bass, some with drums."""
    return _plan_pieces(
        "polyphony", count, rng, textures=("block", "arpeggio", "alberti", "drone"), has_accompaniment=True
    )


def _plan_pieces(
    kind: str, count: int, rng: np.random.Generator, *, textures: tuple[str, ...], has_accompaniment: bool
) -> list[ClipPlan]:
    tonics = dealt(rng, range(_LOWEST_TONIC, _LOWEST_TONIC + 24), count)
    modes = dealt(rng, ("major", "minor"), count)
    log_tempos = spread(rng, *_LOG_TEMPO_BPM, count)
    names = dealt(rng, tuple(_TIMBRES), count)
    shapes = dealt(rng, tuple(_SHAPES), count)
    levels = dealt(rng, tuple(_PEAKS_DB), count)
    chosen_textures = dealt(rng, textures, count)
    plans = []
    for index in range(count):
        mode, tempo_bpm, timbre = modes[index], math.exp(log_tempos[index]), names[index]
        progressions = MAJOR_PROGRESSIONS if mode == "major" else MINOR_PROGRESSIONS
        has_drums = has_accompaniment and bool(rng.random() < 0.3)
        piece = Piece(
            tonic=tonics[index],
            is_major=mode == "major",
            tempo_bpm=tempo_bpm,
            progression=progressions[rng.integers(len(progressions))],
            texture=chosen_textures[index],
            timbre=_TIMBRES[timbre],
            duration_seconds=float(rng.uniform(*_SECONDS)),
            beats_per_bar=int(rng.choice((2, 3, 4))),
            has_bass=has_accompaniment and bool(rng.random() < 0.5),
            drum_pattern=int(rng.integers(len(PATTERNS))) if has_drums else None,
            room_seconds=float(rng.uniform(0.2, 2.0)),
            legato=float(rng.uniform(0.4, 1.1)),
        )
        key = f"{_PITCH_CLASSES[piece.tonic % 12]}-{mode}".replace("#", "-sharp")
        plans.append(
            ClipPlan(
                kind=kind,
                name=f"{key}-{tempo_bpm:.0f}bpm-{timbre}-{shapes[index]}",
                detail=f"{piece.texture}{', bass' * piece.has_bass}{', drums' * has_drums}, {levels[index]}",
                peak_db=_PEAKS_DB[levels[index]],
                render=partial(_render, piece, _SHAPES[shapes[index]]),
            )
        )
    return plans


def _render(piece: Piece, shape_db: tuple[float, float, float], rng: np.random.Generator) -> Samples:
    samples = render_piece(piece, rate_hz=RATE_HZ, rng=rng)
    level_db = np.interp(np.linspace(0.0, 2.0, len(samples)), (0.0, 1.0, 2.0), shape_db)
    shaped: Samples = samples * 10.0 ** (level_db / 20.0)
    return shaped

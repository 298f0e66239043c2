"""Fits what the analyses of music choose by, on pieces that `training.synthesis` makes.

    python -m chladni_audio_features.training.fit_music --pieces 360

It makes pieces, hard and easy ones, fits the networks that choose key, meter and downbeats on four fifths
of them, fits the temperatures and the maps of confidences on the rest, and writes models/music: a network a
file, `confidences.json`, and `manifest.json` with how they were made. Takes about ten minutes on two
processors. Which pieces are made depends on --seed alone; `make quality-music` takes others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.music import choice
from chladni_audio_features.music.analysis import analyse_uncalibrated
from chladni_audio_features.music.beats import downbeat_features
from chladni_audio_features.music.chords import find_chords
from chladni_audio_features.music.frontend import FRAMES_PER_SECOND, MusicFrames
from chladni_audio_features.music.key import key_features
from chladni_audio_features.music.meter import SIGNATURES, beginnings, meter_features, tempo_grid
from chladni_audio_features.training.choice_fitting import fit_choice, fit_logistic
from chladni_audio_features.training.music_claims import claims_of
from chladni_audio_features.training.synthesis.annotated_music import Annotation, render_annotated
from chladni_audio_features.training.synthesis.piece_plans import (
    FREE_METER,
    METERS,
    PITCH_CLASSES,
    random_piece,
)

MODELS: Final = Path(__file__).parents[1] / "models" / "music"
_EASY_EVERY: Final = 4
_HELD_OUT_EVERY: Final = 5
_TEMPO_SPREAD: Final = 0.018
_DECAY: Final = 1e-3

Case = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Heard:
    """A piece as the analyses see it, and what is known of it."""

    frames: MusicFrames
    annotation: Annotation


def main() -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pieces", type=int, default=360, help="pieces to make (default: 360)")
    parser.add_argument("--seed", type=int, default=1, help="decides the pieces (default: 1)")
    parser.add_argument("--out", type=Path, default=MODELS, help="where to write (default: models/music)")
    arguments = parser.parse_args()
    fit(list(make_pieces(arguments.pieces, arguments.seed)), arguments.out, seed=arguments.seed)


def make_pieces(count: int, seed: int) -> Iterator[Heard]:
    """Make pieces, one easy one after three hard ones."""
    for index in range(count):
        rng = np.random.default_rng([seed, index])
        piece = random_piece(rng, hard=index % _EASY_EVERY != 0)
        samples, annotation = render_annotated(piece, rate_hz=ANALYSIS_SAMPLE_RATE_HZ, rng=rng)
        yield Heard(MusicFrames(samples.astype(np.float32)), annotation)


def fit(pieces: Sequence[Heard], folder: Path, *, seed: int) -> None:
    """Fit everything and write it into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    held_out = [index % _HELD_OUT_EVERY == 0 for index in range(len(pieces))]
    for name, (cases_of, units, epochs, candidates) in _NETWORKS.items():
        cases = [cases_of(piece) for piece in pieces]
        fitted = [case for case, is_out in zip(cases, held_out, strict=True) if case and not is_out]
        apart = [case for case, is_out in zip(cases, held_out, strict=True) if case and is_out]
        network = fit_choice(
            fitted, apart, units=units, epochs=epochs, max_candidates=candidates, seed=seed, decay=_DECAY
        )
        hits = np.mean([case[1][network.probabilities(case[0]).argmax()] > 0.0 for case in apart])
        print(
            f"{name}: {hits:.3f} of {len(apart)} held-out pieces right, temperature {network.temperature:.2f}"
        )
        np.savez_compressed(
            folder / f"{name}.npz",
            mean=np.float32(network.mean),
            scale=np.float32(network.scale),
            hidden=np.float32(network.hidden),
            output=np.float32(network.output),
            direct=np.float32(network.direct),
            temperature=np.float32(network.temperature),
        )
    choice.load_choice.cache_clear()
    maps = _confidence_maps([piece for piece, is_out in zip(pieces, held_out, strict=True) if is_out])
    (folder / "confidences.json").write_text(json.dumps(maps, indent=1, sort_keys=True) + "\n")
    _write_manifest(folder, pieces=len(pieces), seed=seed)


def key_case(piece: Heard) -> Case:
    """Return the candidates of a piece's key and the target."""
    notes = piece.frames.notes
    chords = find_chords(notes, duration_seconds=piece.frames.duration_seconds)
    tonic, mode = piece.annotation.key.split()
    targets = np.zeros(24)
    targets[PITCH_CLASSES.index(tonic) + (12 if mode == "minor" else 0)] = 1.0
    return key_features(notes, chords), targets


def meter_case(piece: Heard) -> Case:
    """Return the candidates of a piece's tempo and signature and the target."""
    rate = len(piece.frames.rhythm.onsets_seconds()) / piece.frames.duration_seconds
    features = meter_features(beginnings(piece.frames), onset_rate=rate)
    targets = np.zeros(len(features))
    annotation = piece.annotation
    if annotation.meter == FREE_METER:
        targets[-1] = 1.0
        return features, targets
    distances = np.log(tempo_grid() / annotation.tempo_bpm) / _TEMPO_SPREAD
    near = np.where(np.abs(distances) < 2.2, np.exp(-0.5 * np.square(distances)), 0.0)
    index = next(place for place, meter in enumerate(SIGNATURES) if meter.name == annotation.meter)
    targets[index * len(near) : (index + 1) * len(near)] = near / near.sum()
    return features, targets


def downbeat_case(piece: Heard) -> Case | None:
    """Return the phases of a piece's bars and the target; its beats are counted from any of them."""
    annotation = piece.annotation
    if annotation.meter == FREE_METER:
        return None
    per_bar = METERS[annotation.meter].beats_per_bar
    skipped = len(annotation.beats_seconds) * 7919 % per_bar
    rng = np.random.default_rng(len(annotation.beats_seconds))
    beats = annotation.beats_seconds[skipped:] + rng.normal(
        0.0, 0.01, len(annotation.beats_seconds) - skipped
    )
    channels = beginnings(piece.frames)
    frames = np.clip(np.round(beats * FRAMES_PER_SECOND).astype(np.intp), 0, channels.shape[1] - 1)
    targets = np.zeros(per_bar)
    targets[-skipped % per_bar] = 1.0
    return downbeat_features(channels, frames, per_bar), targets


_NETWORKS: Final = {
    "key": (key_case, 12, 40, 24),
    "meter": (meter_case, 32, 40, 160),
    "downbeat": (downbeat_case, 12, 40, 8),
}


def _confidence_maps(pieces: Sequence[Heard]) -> dict[str, tuple[float, float]]:
    """Fit the maps from raw confidences to how often such claims are right."""
    claims: dict[str, list[tuple[float, float, float]]] = {}
    for piece in pieces:
        for name, found in claims_of(analyse_uncalibrated(piece.frames), piece.annotation).items():
            claims.setdefault(name, []).extend(found)
    return {name: fit_logistic(np.array(found)) for name, found in claims.items()}


def _write_manifest(folder: Path, *, pieces: int, seed: int) -> None:
    digests = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.name not in {"manifest.json", "__init__.py"}
    }
    manifest = {"made_by": __name__, "pieces": pieces, "seed": seed, "sha256": digests}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

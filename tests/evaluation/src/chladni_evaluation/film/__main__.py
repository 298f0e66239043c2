"""Measure whether films keep their promises: time, beats, flashes, the loop's seam, the same frames again.

    make film-check                                 a drum piece of 20 s, some minutes
    make film-check ARGUMENTS="--song song.flac"    a song of one's own
    make film-check ARGUMENTS="--seconds 180"       as long as the targets of time are for

It starts the services on free ports of loopback, makes the release kit of the song twice, the second time by
services that have never seen it, and measures the files as anyone could. It writes build/film-check.json, and
into build/film-check/ the files and contact sheets. The exit status is 1 if a target is missed that does not
depend on the machine: beats, flashes, seam, and equal frames.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from chladni_client import Client
from chladni_client.types.jobs import FilmPart, FilmState
from chladni_evaluation.film.figures import (
    contact_sheet,
    frame_digests,
    most_flashes,
    motion_peaks,
    seam_ratio,
    share_on_beats,
    small_frames,
)
from chladni_local.cluster import LocalCluster

REPOSITORY: Final = Path(__file__).parents[5]
_RATE_HZ: Final = 44_100
_BEATS_PER_MINUTE: Final = 120.0
_LEAST_SHARE: Final = 0.9
_MAX_FLASHES: Final = 3
_MAX_TIMES_REAL_TIME: Final = 3.0
_MAX_LOOP_SECONDS: Final = 45.0


def main() -> int:
    """Run the program; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--song", type=Path, help="the song (default: one that is synthesised)")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the synthesised one")
    parser.add_argument("--seed", type=int, default=7, help="seed of the frames")
    parser.add_argument("--size", type=int, default=512, help="side of the visualiser in pixels")
    parser.add_argument("--folder", type=Path, default=REPOSITORY / "build" / "film-check")
    parser.add_argument("--once", action="store_true", help="do not make it a second time")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    song: Path | None = arguments.song
    beats: tuple[float, ...] = ()
    if song is None:
        song = folder / "song.flac"
        beats = write_drum_piece(song, arguments.seconds)
    kits = [
        make_kit(song, folder / name, seed=arguments.seed, size=arguments.size)
        for name in (["first"] if arguments.once else ["first", "second"])
    ]
    figures = measure(folder / "first", beats) | kits[0]
    if not arguments.once:
        figures["equal_frames"] = all(
            one == other
            for part in (FilmPart.VISUALIZER, FilmPart.LOOP)
            for one, other in zip(
                frame_digests(folder / "first" / part.file_name),
                frame_digests(folder / "second" / part.file_name),
                strict=True,
            )
        )
    (folder.parent / "film-check.json").write_text(json.dumps(figures, indent=2) + "\n")
    failed = print_figures(figures)
    return 1 if failed else 0


def write_drum_piece(path: Path, seconds: float) -> tuple[float, ...]:
    """Write a piece of chords and drums in 4/4, and return its beats."""
    times = np.arange(round(seconds * _RATE_HZ)) / _RATE_HZ
    samples = np.zeros(len(times))
    for number, chord in enumerate(((57, 60, 64), (53, 57, 60), (60, 64, 67), (55, 59, 62))):
        is_on = (times // 8).astype(int) % 4 == number
        for note in chord:
            samples += is_on * 0.06 * np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * times)
    beats = np.arange(0.5, seconds - 0.3, 60.0 / _BEATS_PER_MINUTE)
    decay = np.arange(round(0.2 * _RATE_HZ)) / _RATE_HZ
    kick = np.sin(2 * np.pi * 60 * decay) * np.exp(-decay / 0.05)
    snare = np.random.default_rng(0).standard_normal(len(decay)) * np.exp(-decay / 0.03)
    for number, beat in enumerate(beats):
        stroke = (0.7 if number % 4 == 0 else 0.45) * kick + (0.2 * snare if number % 2 else 0.0)
        first = round(beat * _RATE_HZ)
        samples[first : first + len(stroke)] += stroke[: len(samples) - first]
    soundfile.write(path, np.stack([samples, 0.9 * samples], axis=1), _RATE_HZ)
    return tuple(float(beat) for beat in beats)


def make_kit(song: Path, folder: Path, *, seed: int, size: int) -> dict[str, Any]:
    """Make the release kit of a song by services of its own, and return how long each part took."""
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Any] = {}
    with (
        LocalCluster(folder=folder / "services", ports="free") as cluster,
        Client(cluster.target("gateway")) as client,
    ):
        for part in (FilmPart.COVER, FilmPart.LOOP, FilmPart.VISUALIZER):
            started_at = time.monotonic()
            started = client.create_film(song, width_pixels=size, height_pixels=size, seed=seed, parts=[part])
            *_, film = client.watch_film(started.film_id)
            if film.state is not FilmState.COMPLETED:
                raise SystemExit(f"no {part}: {film.error}")
            client.download_film(film.film_id, part, folder / part.file_name)
            figures[f"{part}_seconds"] = round(time.monotonic() - started_at, 1)
            if part is FilmPart.VISUALIZER and film.song_seconds:
                figures["song_seconds"] = round(film.song_seconds, 2)
                figures["times_real_time"] = round(figures["visualizer_seconds"] / film.song_seconds, 2)
    return figures


def measure(folder: Path, beats: tuple[float, ...]) -> dict[str, Any]:
    """Return the figures of the files of a kit; of beats only if they are known."""
    figures: dict[str, Any] = {}
    frames, rate = small_frames(folder / FilmPart.VISUALIZER.file_name)
    figures["flashes_per_second"] = most_flashes(frames, rate)
    if beats:
        peaks = motion_peaks(frames, rate)
        figures["motion_peaks"] = len(peaks)
        figures["share_on_beats"] = round(share_on_beats(peaks, beats), 3)
    loop, _ = small_frames(folder / FilmPart.LOOP.file_name)
    figures["seam_ratio"] = round(seam_ratio(loop), 3)
    for part in (FilmPart.VISUALIZER, FilmPart.LOOP):
        contact_sheet(folder / part.file_name, folder / f"{part}.png")
    return figures


def print_figures(figures: dict[str, Any]) -> list[str]:
    """Print the figures, and return the names of those that miss a target which no machine decides."""
    targets = {
        "flashes_per_second": figures["flashes_per_second"] <= _MAX_FLASHES,
        "share_on_beats": figures.get("share_on_beats", 1.0) >= _LEAST_SHARE,
        "seam_ratio": figures["seam_ratio"] <= 1.0,
        "equal_frames": figures.get("equal_frames", True),
    }
    of_the_machine = {
        "times_real_time": figures["times_real_time"] <= _MAX_TIMES_REAL_TIME,
        "loop_seconds": figures["loop_seconds"] <= _MAX_LOOP_SECONDS,
    }
    for name, value in figures.items():
        is_met = (targets | of_the_machine).get(name)
        mark = "" if is_met is None else "  met" if is_met else "  MISSED"
        sys.stdout.write(f"{name:20} {value}{mark}\n")
    return [name for name, is_met in targets.items() if not is_met]


if __name__ == "__main__":
    raise SystemExit(main())

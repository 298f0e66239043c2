"""The file that keeps what was found in the song of a film."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chladni_gateway.domain.films.song import Section, Song


def write_analysis(path: Path, song: Song) -> None:
    """Keep what was found in a song."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        np.savez(
            file,
            sha256=np.array(song.sha256),
            seconds=np.array([song.duration_seconds, song.segment_seconds, song.interval_seconds]),
            course=song.course,
            descriptors=song.descriptors,
            beats=np.array(song.beats),
            downbeats=np.array(song.downbeats),
            onsets=np.array(song.onsets),
            sections=np.array([(s.start_seconds, s.end_seconds, s.kind) for s in song.sections]),
        )
    partial.replace(path)


def read_analysis(path: Path) -> Song | None:
    """Return what was found in a song; `None` if it is not analysed yet."""
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as arrays:
        duration, segment, interval = map(float, arrays["seconds"])
        return Song(
            sha256=str(arrays["sha256"]),
            duration_seconds=duration,
            segment_seconds=segment,
            course=arrays["course"],
            interval_seconds=interval,
            descriptors=arrays["descriptors"],
            beats=tuple(map(float, arrays["beats"])),
            downbeats=tuple(map(float, arrays["downbeats"])),
            onsets=tuple(map(float, arrays["onsets"])),
            sections=tuple(
                Section(float(start), float(end), int(kind))
                for start, end, kind in arrays["sections"].reshape(-1, 3)
            ),
        )

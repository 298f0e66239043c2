"""Audio files to calibrate from: which ones, and which of them belong to a shard."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg"})

_SHARD: Final = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th clip, beginning with the one at `number`, which counts from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the shard that a text such as ``2/8`` names.

        Raises:
            ValueError: It names none.
        """
        found = _SHARD.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise ValueError(f"{text!r} is no shard: write I/N, such as 2/8, with I from 1 to N")
        return cls(int(found[1]), int(found[2]))

    def of(self, clips: Sequence[Path]) -> Sequence[Path]:
        """Return the clips of this shard."""
        return clips[self.number - 1 :: self.count]


def find_clips(directories: Sequence[Path]) -> list[Path]:
    """Return the audio files in directories and below, in the same order on every machine.

    Raises:
        OSError: A directory cannot be read.
    """
    found = {
        path
        for directory in directories
        for path in directory.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return sorted(found, key=lambda path: path.as_posix())

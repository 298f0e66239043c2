"""Recordings to calibrate from: which files, and which of them belong to a shard."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from chladni_client.errors import InvalidInputError

SUFFIXES: Final = frozenset({".wav", ".mp3", ".flac", ".ogg"})

_SHARD: Final = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class Shard:
    """Every `count`-th recording, beginning with the one at `number`, which counts from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the shard that a text such as ``2/8`` names.

        Raises:
            InvalidInputError: It names none.
        """
        found = _SHARD.fullmatch(text)
        if found is None or int(found[1]) > int(found[2]):
            raise InvalidInputError(
                f"{text!r} is no shard: write I/N, such as 2/8, with I from 1 to N.", reason="INVALID_FIELD"
            )
        return cls(int(found[1]), int(found[2]))

    def of(self, recordings: Sequence[Path]) -> Sequence[Path]:
        """Returns the recordings of this shard."""
        return recordings[self.number - 1 :: self.count]


def find_recordings(folders: Sequence[Path]) -> list[Path]:
    """Returns the recordings in folders and the folders in them, in the same order on every machine.

    Raises:
        OSError: A folder cannot be read.
    """
    found = {
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    }
    return sorted(found, key=lambda path: path.as_posix())

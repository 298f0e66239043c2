"""The clips of a study: a folder of audio files, or a NumPy file of 16 kHz samples."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni_client.errors import InvalidInputError
from chladni_client.files import AUDIO_SUFFIXES
from chladni_client.types.audio import AudioInput
from chladni_contract.errors import FieldViolation

ARRAY_SAMPLE_RATE_HZ: Final = 16_000

_MAGIC: Final = b"\x93NUMPY"
_PICKLED: Final = (
    "holds pickled objects, which could run any program when they are read. If you trust the file, write its "
    "samples as a plain array: python -c \"import numpy as np; data = np.load('IN.npy', allow_pickle=True); "
    "clips = [np.asarray(item['audio'] if isinstance(item, dict) else item, np.float32) "
    "for item in data.ravel()]; length = min(map(len, clips)); "
    "np.save('OUT.npy', np.stack([clip[:length] for clip in clips]))\""
)


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a study.

    Attributes:
        index: Its place among the clips.
        name: Its file's name, or the file and the row of its array.
        audio: The path of its file, or its samples.
        sample_rate_hz: Sample rate of the samples; `None` for a file.
    """

    index: int
    name: str
    audio: AudioInput
    sample_rate_hz: int | None = None

    @property
    def sample_id(self) -> str:
        """Name of the clip in the files of a study, such as ``sample_007``."""
        return sample_id(self.index)


def sample_id(index: int) -> str:
    """Return the name of the clip at an index in the files of a study."""
    return f"sample_{index:03d}"


class ClipSource:
    """The clips of a folder, in the order of their paths, or of an array, row by row.

    Args:
        path: A folder of audio files, an audio file, or a ``.npy`` file with an array of floats or int16 of
            shape (clips, samples) or (samples,), at 16 kHz; or a folder with one such file and no audio.

    Raises:
        InvalidInputError: The array is pickled or not one of clips, or the folder holds no audio.
        OSError: The file cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._rows: NDArray[Any] | None = None
        self._files: Sequence[Path] = ()
        self._digests: dict[int, str] = {}
        if self._path.suffix.lower() == ".npy":
            self._rows = _read_rows(self._path)
        elif self._path.is_dir():
            self._files = sorted(
                file
                for file in self._path.rglob("*")
                if file.suffix.lower() in AUDIO_SUFFIXES and file.is_file()
            )
            if not self._files:
                self._path = _only_array_in(self._path)
                self._rows = _read_rows(self._path)
        else:
            self._path.stat()
            self._files = [self._path]

    def __len__(self) -> int:
        return len(self._files) if self._rows is None else len(self._rows)

    def __getitem__(self, index: int) -> Clip:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no clip {index}; there are {len(self)}")
        if self._rows is not None:
            return Clip(index, f"{self._path.name}[{index}]", self._rows[index], ARRAY_SAMPLE_RATE_HZ)
        file = self._files[index]
        name = file.name if file == self._path else file.relative_to(self._path).as_posix()
        return Clip(index, name, file)

    def digest(self, index: int) -> str:
        """Return the SHA-256 of a clip, as it was when first asked for; empty if its file cannot be read."""
        if index not in self._digests:
            self._digests[index] = _digest_of(self[index].audio)
        return self._digests[index]


def in_shard(indices: Iterable[int], shard_index: int, shard_count: int) -> list[int]:
    """Return the indices that belong to one of several shards, which share the work of a study.

    Raises:
        ValueError: There is no such shard.
    """
    if not 0 <= shard_index < shard_count:
        raise ValueError(f"shard {shard_index} must be 0 to {shard_count - 1}")
    return [index for index in indices if index % shard_count == shard_index]


def _digest_of(audio: AudioInput) -> str:
    if not isinstance(audio, Path):
        row = np.asarray(audio)
        return hashlib.sha256(row.dtype.str.encode() + row.tobytes()).hexdigest()
    try:
        with audio.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _only_array_in(folder: Path) -> Path:
    arrays = sorted(folder.glob("*.npy"))
    if len(arrays) != 1:
        raise _invalid(f"{folder} holds no file with a suffix of audio, such as .wav or .mp3.")
    return arrays[0]


def _read_rows(path: Path) -> NDArray[Any]:
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise _invalid(f"{path} is no NumPy file; write it with numpy.save.")
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        if "pickle" in str(error).lower() or "object" in str(error).lower():
            raise _invalid(f"{path} {_PICKLED}") from None
        raise _invalid(f"{path} is no NumPy file: {error}") from None
    if array.ndim not in (1, 2) or not array.size:
        raise _invalid(f"{path} has shape {array.shape}, must be (clips, samples) or (samples,).")
    if array.dtype.kind != "f" and array.dtype.newbyteorder("=") != np.int16:
        raise _invalid(f"{path} has the type {array.dtype}, must be float or int16.")
    return array[np.newaxis] if array.ndim == 1 else array


def _invalid(message: str) -> InvalidInputError:
    return InvalidInputError(message, reason="INVALID_FIELD", violations=[FieldViolation("input", message)])

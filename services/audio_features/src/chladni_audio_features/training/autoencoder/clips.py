"""Windows of clips to learn from and to judge by: from the project's synthesis, a folder, or MUSDB18."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soxr
from tqdm import tqdm

from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import AudioError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.reconstruction.windows import (
    SAMPLE_RATE_HZ,
    WINDOW_SAMPLES,
    WINDOW_SECONDS,
    mel_windows,
)
from chladni_audio_features.training.synthesis.corpus import draw_corpus
from chladni_training.errors import DataError, TrainingError
from chladni_training.files import digest_of_arrays, write_array

Windows = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float32]

SPEECH: Final = "speech"
AUDIO_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aiff", ".aif", ".opus"})

_SHARD: Final = 250
"""Synthesised clips of a file: what was drawn is not drawn again after a run was stopped."""
_HELD_OUT_SEED: Final = 1_000_003
_HELD_OUT_EVERY: Final = 10
_MAX_SECONDS: Final = 3600.0
_LIMITS: Final = DecodingLimits(
    max_bytes=2 * 1024**3,
    max_source_bytes=2 * 1024**3,
    max_duration_seconds=_MAX_SECONDS,
    max_source_seconds=_MAX_SECONDS,
)


@dataclass(frozen=True, eq=False)
class HeardClip:
    """A clip that is kept as audio too.

    Attributes:
        kind: What it is, such as ``speech``; the file's name if it comes from one.
        samples: (80000,) float32 at 16 kHz.
    """

    kind: str
    samples: Samples


@dataclass(frozen=True, eq=False)
class ClipSet:
    """What a run learns from, and what it is judged by.

    Attributes:
        name: Where it comes from.
        train: (N, mel bins, 256) uint8, 255 for 1.
        test: (M, mel bins, 256) uint8 of other clips.
        heard: Some of the latter as audio.
    """

    name: str
    train: Windows
    test: Windows
    heard: tuple[HeardClip, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over the windows, hexadecimal."""
        return digest_of_arrays(self.train, self.test)


def window_of(samples: Samples, mel_bins: int) -> Windows:
    """Return the window, (mel bins, 256) uint8, of at most 5 s at 16 kHz; silence fills it up."""
    padded = np.pad(samples, (0, WINDOW_SAMPLES - len(samples)))
    cells: Windows = np.round(mel_windows(padded, mel_bins).scaled[0] * 255.0).astype(np.uint8)
    return cells


def synthesise(
    folder: Path, *, count: int, test_count: int, heard_count: int, mel_bins: int, seed: int
) -> ClipSet:
    """Return windows of synthesised clips, and keep them in a folder.

    Args:
        folder: Where they are kept.
        count: How many to learn from.
        test_count: How many to judge by.
        heard_count: How many of those as audio, at most.
        mel_bins: Mel bands.
        seed: Decides the clips.
    """
    held_out_seed = seed + _HELD_OUT_SEED
    test = _synthesised_windows(folder, count=test_count, mel_bins=mel_bins, seed=held_out_seed)
    heard = list(_draw(held_out_seed, range(min(heard_count, test_count))))
    train = _synthesised_windows(folder, count=count, mel_bins=mel_bins, seed=seed)
    return ClipSet(f"the project's synthesis, seed {seed}", train, test, tuple(heard))


def read_folder(
    folder: Path, *, heard_count: int, mel_bins: int, windows_per_file: int, only_heard: bool = False
) -> ClipSet:
    """Return windows of the audio files in a folder and below.

    Files below a folder `test` are judged by; without one, each tenth file.

    Args:
        folder: The folder.
        heard_count: Clips to keep as audio.
        mel_bins: Mel bands.
        windows_per_file: Windows of a file, at most.
        only_heard: Whether nothing is to be learned; all of a few files are judged by then.

    Raises:
        DataError: There are no files, or none that can be read.
    """
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES
    )
    if not files:
        raise DataError(f"{folder} holds no audio files; name another folder, or leave the option out")
    named = [path for path in files if "test" in path.relative_to(folder).parts[:-1]]
    held_out = set(named or files[_HELD_OUT_EVERY - 1 :: _HELD_OUT_EVERY] or (files if only_heard else ()))
    decoder = AudioDecoder(_LIMITS, sample_rate_hz=SAMPLE_RATE_HZ)

    def clips() -> Iterator[tuple[bool, HeardClip]]:
        for path in tqdm(files, unit="file", desc="reading"):
            try:
                samples = decoder.decode(path.read_bytes()).samples
            except AudioError as error:
                tqdm.write(f"{path.name} is left out: {error}")
                continue
            for part in _parts(samples, windows_per_file):
                yield path in held_out, HeardClip(path.name, part)

    return _clip_set(
        folder.resolve().name, clips(), heard_count=heard_count, mel_bins=mel_bins, only_heard=only_heard
    )


def read_musdb(
    root: Path, *, heard_count: int, mel_bins: int, windows_per_file: int, download: bool
) -> ClipSet:
    """Return windows of MUSDB18: of mixtures and of each stem; the part `test` is judged by.

    Args:
        root: Its folder, with `train` and `test`.
        heard_count: Clips to keep as audio.
        mel_bins: Mel bands.
        windows_per_file: Windows of a track, of each stem.
        download: Whether the `musdb` package fetches its excerpts of 7 s into the folder.

    Raises:
        TrainingError: The `musdb` package is missing.
        DataError: There are no tracks.
    """
    musdb = _musdb()
    if not download and not root.is_dir():
        raise DataError(
            f"{root} is no folder. Fetch MUSDB18 (https://zenodo.org/records/1117372) and name its folder "
            "with --musdb-root, or fetch its excerpts of 7 s with --download"
        )
    is_wav = any(root.glob("*/*/mixture.wav"))
    database = musdb.DB(root=str(root), download=download, is_wav=is_wav)

    def clips() -> Iterator[tuple[bool, HeardClip]]:
        for track in tqdm(database, unit="track", desc="reading"):
            for stems in _chunks(track, windows_per_file):
                for number, stem in enumerate(stems):
                    mono = np.asarray(stem, np.float32).mean(axis=1)
                    samples = soxr.resample(mono, track.rate, SAMPLE_RATE_HZ).astype(np.float32)
                    kind = f"{track.name}, stem {number}" if number else f"{track.name}, mixture"
                    yield track.subset == "test", HeardClip(kind, samples[:WINDOW_SAMPLES])

    return _clip_set("MUSDB18", clips(), heard_count=heard_count, mel_bins=mel_bins)


def _musdb() -> ModuleType:
    try:
        import musdb  # noqa: PLC0415 - an extra, which one option needs
    except ImportError as error:
        raise TrainingError(
            "MUSDB18 is read by the package musdb: install chladni-audio-features[musdb], and ffmpeg"
        ) from error
    module: ModuleType = musdb
    return module


def _chunks(track: Any, count: int) -> Iterator[npt.NDArray[np.float64]]:
    """Yield (stems, samples, channels) of evenly spread parts of a track, which is never read as a whole."""
    available = max(1, int(track.duration // WINDOW_SECONDS))
    for index in range(min(count, available)):
        track.chunk_start = (index * available // min(count, available)) * WINDOW_SECONDS
        track.chunk_duration = WINDOW_SECONDS
        yield track.stems


def _clip_set(
    name: str,
    clips: Iterator[tuple[bool, HeardClip]],
    *,
    heard_count: int,
    mel_bins: int,
    only_heard: bool = False,
) -> ClipSet:
    parts: dict[bool, list[Windows]] = {True: [], False: []}
    heard: list[HeardClip] = []
    for is_test, clip in clips:
        parts[is_test].append(window_of(clip.samples, mel_bins))
        if is_test and len(heard) < heard_count:
            heard.append(clip)
    for is_test, use in ((False, "learn from"), (True, "judge by")):
        if not parts[is_test] and (is_test or not only_heard):
            raise DataError(f"{name} has no clips to {use}; add more files")
    test = np.stack(parts[True])
    return ClipSet(name, np.stack(parts[False]) if parts[False] else test[:0], test, tuple(heard))


def _parts(samples: Samples, count: int) -> Sequence[Samples]:
    """Return at most so many parts of 5 s, evenly spread; the only one of a short clip is shorter."""
    available = max(1, len(samples) // WINDOW_SAMPLES)
    taken = min(count, available)
    starts = [index * available // taken * WINDOW_SAMPLES for index in range(taken)]
    return [samples[start : start + WINDOW_SAMPLES] for start in starts]


def _synthesised_windows(folder: Path, *, count: int, mel_bins: int, seed: int) -> Windows:
    pieces: list[Windows] = []
    with tqdm(total=count, unit="clip", desc="synthesising") as bar:
        for first in range(0, count, _SHARD):
            indices = range(first, min(first + _SHARD, count))
            path = folder / f"synthesis-{seed}-{mel_bins}-{indices.start:06d}-{indices.stop:06d}.npy"
            if path.exists():
                piece: Windows = np.load(path)
                bar.update(len(piece))
            else:
                rows = []
                for clip in _draw(seed, indices):
                    rows.append(window_of(clip.samples, mel_bins))
                    bar.update()
                piece = np.stack(rows)
                write_array(path, piece)
            pieces.append(piece)
    return np.concatenate(pieces)


def _draw(seed: int, indices: range) -> Iterator[HeardClip]:
    for index, clip in zip(
        indices, draw_corpus(indices=indices, seed=seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ), strict=True
    ):
        samples = soxr.resample(clip.samples, ANALYSIS_SAMPLE_RATE_HZ, SAMPLE_RATE_HZ).astype(np.float32)
        spare = len(samples) - WINDOW_SAMPLES
        start = int(np.random.default_rng((seed, index, 1)).integers(spare + 1)) if spare > 0 else 0
        part = samples[start : start + WINDOW_SAMPLES]
        yield HeardClip(clip.kind, np.pad(part, (0, WINDOW_SAMPLES - len(part))))

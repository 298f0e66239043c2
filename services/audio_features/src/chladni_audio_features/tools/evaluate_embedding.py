"""Report how the embedding of real clips is spread and how it separates kinds of sound.

    python -m chladni_audio_features.tools.evaluate_embedding speech=FOLDER music=FOLDER ...

Clips longer than ten seconds are cut into pieces of ten seconds, six at most.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import AudioError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.training.evaluation import format_report, stack_by_kind

_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
_PIECE_SECONDS = 10
_MAX_PIECES = 6
_LIMITS = DecodingLimits(max_duration_seconds=3600.0, max_bytes=1 << 30)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("groups", nargs="+", metavar="KIND=FOLDER", help="clips of one kind")
    parser.add_argument("--limit", type=int, default=150, help="clips of a kind at most")
    options = parser.parse_args(arguments)

    analyser, embedder = DescriptorAnalyser(MelTransform()), load_embedder()
    kinds, embeddings = [], []
    for group in options.groups:
        kind, _, folder = group.partition("=")
        for samples in _pieces(Path(folder), options.limit):
            kinds.append(kind)
            embeddings.append(embedder.embed(analyser.describe(samples)))
    print(format_report(stack_by_kind(kinds, embeddings)))


def _pieces(folder: Path, limit: int) -> Iterator[npt.NDArray[np.float32]]:
    decoder = AudioDecoder(_LIMITS)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)
    for path in paths[:: max(1, len(paths) // limit)][:limit]:
        try:
            samples = decoder.decode(path.read_bytes()).samples
        except AudioError as error:
            print(f"{path.name}: {error}")
            continue
        length = _PIECE_SECONDS * ANALYSIS_SAMPLE_RATE_HZ
        step = max(length, len(samples) // _MAX_PIECES)
        yield from (
            samples[start : start + length] for start in range(0, max(1, len(samples) - length + 1), step)
        )


if __name__ == "__main__":
    main()

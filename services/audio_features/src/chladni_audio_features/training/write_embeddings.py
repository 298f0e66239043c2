"""Write the embeddings of synthesised sounds, to train on.

    python -m chladni_audio_features.training.write_embeddings --count 1500 --seed 20 --out embeddings.npz

Draws sounds of every kind (speech, music, notes, drums, noise, machines), embeds each as the service
would, and writes a NumPy archive:

    embeddings  (count, 152) float32 in [0, 1]; the components are embedding.COMPONENT_NAMES
    kinds       (count,) the kind of each sound

    archive = numpy.load("embeddings.npz")
    archive["embeddings"][archive["kinds"] == "music"]

The same count, seed and versions give the same numbers; sound number i does not depend on the count.
Another seed gives other sounds: use one for training and another one for evaluation. Expect a tenth
of a second for each sound. Without espeak-ng there is no speech.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.embeddings.descriptors import load_embedder
from chladni_audio_features.training.synthesis.corpus import draw_corpus
from chladni_contract.descriptor_space import COMPONENT_NAMES

_PROGRESS_EVERY = 50


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=_at_least(1), required=True, help="how many sounds to draw")
    parser.add_argument("--seed", type=_at_least(0), default=0, help="seed of the corpus (default 0)")
    parser.add_argument("--out", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    if options.out.suffix != ".npz":
        parser.error(f"--out must end in .npz, but is {options.out.name}")
    options.out.parent.mkdir(parents=True, exist_ok=True)

    analyser, embedder = DescriptorAnalyser(MelTransform()), load_embedder()
    embeddings = np.empty((options.count, len(COMPONENT_NAMES)), dtype=np.float32)
    kinds: list[str] = []
    corpus = draw_corpus(count=options.count, seed=options.seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ)
    for index, example in enumerate(corpus):
        embeddings[index] = embedder.embed(analyser.describe(example.samples))
        kinds.append(example.kind)
        if len(kinds) % _PROGRESS_EVERY == 0:
            print(f"{len(kinds)} of {options.count} sounds", file=sys.stderr, flush=True)
    np.savez_compressed(options.out, embeddings=embeddings, kinds=np.array(kinds))
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kinds).items()))
    print(f"{options.out}: {embeddings.shape[0]} embeddings of {embeddings.shape[1]} components ({counts})")


def _at_least(minimum: int) -> Callable[[str], int]:
    """Return a reader of whole numbers that are not smaller than `minimum`."""

    def read(text: str) -> int:
        is_valid = text.isdecimal() and int(text) >= minimum
        if not is_valid:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {minimum}, but is {text}")
        return int(text)

    return read


if __name__ == "__main__":
    main()

"""Compute the shipped calibrations of initial latents on a synthesised corpus.

    python -m chladni_audio_features.tools.calibrate_synthesised
    python -m chladni_audio_features.tools.calibrate_synthesised --sides 28 32    # of digit models alone

Draws sounds of every kind, makes the values of each in both bases and at every size, and writes a calibration
for each combination. The same seed and the same versions give the same files. Without espeak-ng there is no
speech. `chladni-calibrate` does the same with clips of your own.
"""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from chladni_audio_features.analysis.spectrogram import MelTransform, log_mel_spectrogram
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.latents.catalog import CALIBRATION_DIRECTORY
from chladni_audio_features.latents.initial_latents import LatentBasis, latent_values
from chladni_audio_features.tools.calibration.files import Calibration, write_calibration
from chladni_audio_features.tools.calibration.moments import Moments
from chladni_audio_features.training.synthesis.corpus import draw_corpus

_SIDES = (64, 128, 192, 256, 28, 32)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=900, help="sounds to synthesise, at least 2")
    parser.add_argument("--seed", type=int, default=1787, help="seed of the corpus")
    parser.add_argument("--output", type=Path, default=CALIBRATION_DIRECTORY, help="folder to write to")
    parser.add_argument(
        "--sides",
        type=int,
        nargs="+",
        choices=_SIDES,
        default=_SIDES,
        help="sides of the mel images, in cells",
    )
    options = parser.parse_args(arguments)
    if options.count < 2:
        parser.error(f"--count must be at least 2, but is {options.count}")

    transform = MelTransform()
    moments = {(basis, side): Moments.empty(side * side) for basis in LatentBasis for side in options.sides}
    kinds: Counter[str] = Counter()
    for example in draw_corpus(count=options.count, seed=options.seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ):
        kinds[example.kind] += 1
        scaled = log_mel_spectrogram(transform.power_of_clip(example.samples)).scaled
        moments = {
            (basis, side): accumulated.with_vector(latent_values(scaled, side=side, basis=basis))
            for (basis, side), accumulated in moments.items()
        }

    settings = transform.settings
    facts = {
        "mergeable": False,
        "description": "Mean and standard deviation of the mel images of synthesised sounds.",
        "license": "Apache-2.0",
        "seed": options.seed,
        "corpus": dict(sorted(kinds.items())),
        "mel": {
            "sample_rate_hz": settings.sample_rate_hz,
            "fft_size": settings.fft_size,
            "hop_length": settings.hop_length,
            "mel_bins": settings.mel_bins,
        },
        "versions": {name: version(name) for name in ("numpy", "pillow", "scipy")},
    }
    for (basis, side), accumulated in moments.items():
        name = f"embedded-{basis}-{side * side}"
        directory = options.output / name
        if directory.is_dir():
            shutil.rmtree(directory)
        write_calibration(
            directory,
            Calibration(name, basis, accumulated),
            created_by="chladni_audio_features.tools.calibrate_synthesised "
            f"--count {options.count} --seed {options.seed}",
            is_mergeable=False,
            facts={"side": side, **facts},
        )
        spread = accumulated.standard_deviation.mean()
        print(f"{name}: {accumulated.count} sounds, standard deviation {spread:.4f}")


if __name__ == "__main__":
    main()

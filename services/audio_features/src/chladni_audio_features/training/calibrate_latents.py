"""Compute the embedded calibrations of initial latents on a synthesised corpus.

    python -m chladni_audio_features.training.calibrate_latents

Draws sounds of every kind, makes the values of each in both bases and at both sizes, and writes a calibration
for each combination. The same seed and the same versions give the same files. Without espeak-ng there is no
speech. `chladni calibrate` does the same with clips of your own.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from chladni_audio_features.analysis.spectrogram import MelTransform, log_mel_spectrogram
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.latents.catalog import CALIBRATION_DIRECTORY
from chladni_audio_features.latents.initial_latents import LatentBasis, latent_values
from chladni_audio_features.training.latent_moments import LatentMoments, write_calibration
from chladni_audio_features.training.synthesis.corpus import draw_corpus

_SIDES = (64, 128, 192, 256)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=900, help="sounds to synthesise, at least 2")
    parser.add_argument("--seed", type=int, default=1787, help="seed of the corpus")
    parser.add_argument("--output", type=Path, default=CALIBRATION_DIRECTORY, help="folder to write to")
    options = parser.parse_args(arguments)
    if options.count < 2:
        parser.error(f"--count must be at least 2, but is {options.count}")

    transform = MelTransform()
    moments = {(basis, side): LatentMoments(side * side) for basis in LatentBasis for side in _SIDES}
    kinds: Counter[str] = Counter()
    for sound in draw_corpus(count=options.count, seed=options.seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ):
        kinds[sound.kind] += 1
        scaled = log_mel_spectrogram(transform.power_of_clip(sound.samples)).scaled
        for (basis, side), accumulated in moments.items():
            accumulated.add(latent_values(scaled, side=side, basis=basis))

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
        write_calibration(
            options.output / name,
            accumulated,
            name=name,
            basis=basis,
            created_by="chladni_audio_features.training.calibrate_latents "
            f"--count {options.count} --seed {options.seed}",
            with_moments=False,
            facts={"side": side, **facts},
        )
        print(f"{name}: {accumulated.count} sounds, standard deviation {accumulated.deviation.mean():.4f}")


if __name__ == "__main__":
    main()

"""Fit the quantile maps of the embedding on a synthesised corpus.

    python -m chladni_audio_features.training.calibrate_embedding --help

The same seed and the same versions give the same file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser, Descriptors
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.clip import ANALYSIS_SAMPLE_RATE_HZ
from chladni_audio_features.embeddings.descriptors import (
    CALIBRATED,
    CALIBRATION_FILE,
    MAJOR_MODE,
    MANIFEST_FILE,
    MINOR_MODE,
    MODEL_DIRECTORY,
    QuantileMap,
    load_embedder,
)
from chladni_audio_features.training.evaluation import (
    format_report,
    mean_distances,
    nearest_neighbour_accuracy,
    stack_by_kind,
)
from chladni_audio_features.training.synthesis.corpus import draw_corpus
from chladni_contract.descriptor_space import DESCRIPTOR_SPACE
from chladni_training.arguments import JobParser

_KNOTS = 33
_SIGNIFICANT_DIGITS = 6

# Zero means that there is none of it: such sounds do not shift the scale of the others.
_ABSENT_AT_ZERO = ("onset_rate", "pitch_range")


def fit_quantile_map(values: npt.ArrayLike) -> QuantileMap:
    """Fit a map under which `values`, (n,) with at least two distinct ones, spread evenly.

    Raises:
        ValueError: fewer than two distinct values.
    """
    positions = np.linspace(0.0, 1.0, _KNOTS)
    knots = np.quantile(np.asarray(values, dtype=np.float64), positions)
    rounded = np.array([float(f"{knot:.{_SIGNIFICANT_DIGITS}g}") for knot in knots])
    distinct, firsts, counts = np.unique(rounded, return_index=True, return_counts=True)
    if len(distinct) < 2:
        raise ValueError("a quantile map needs at least two distinct values")
    middles = positions[firsts] + 0.5 * (positions[firsts + counts - 1] - positions[firsts])
    middles[0], middles[-1] = 0.0, 1.0
    return QuantileMap(values=distinct, positions=middles.round(_SIGNIFICANT_DIGITS))


def fit_maps(descriptors: Sequence[Descriptors]) -> dict[str, QuantileMap]:
    """Fit the map of every calibrated descriptor and of both modes."""
    audible = [entry for entry in descriptors if not entry.is_silent]
    maps = {}
    for name in CALIBRATED:
        values = [getattr(entry, name) for entry in audible]
        present = [
            value for value in values if value is not None and not (name in _ABSENT_AT_ZERO and value == 0.0)
        ]
        floor = [0.0] if name in _ABSENT_AT_ZERO else []
        maps[name] = fit_quantile_map(floor + present)
    modes = [entry.mode for entry in audible if entry.mode is not None]
    maps[MAJOR_MODE] = fit_quantile_map([0.0] + [mode for mode in modes if mode > 0.0])
    maps[MINOR_MODE] = fit_quantile_map([0.0] + [-mode for mode in modes if mode < 0.0])
    return maps


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the job as the command line says."""
    run(build_parser().parse_args(arguments))


def build_parser() -> JobParser:
    """Return the parser of the job's arguments."""
    parser = JobParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=900, help="sounds to synthesise")
    parser.add_argument("--seed", type=int, default=1787, help="seed of the corpus")
    parser.add_argument("--output", type=Path, default=MODEL_DIRECTORY, help="folder to write to")
    return parser


def run(options: argparse.Namespace) -> int:
    """Run the job and return the exit status."""
    analyser = DescriptorAnalyser(MelTransform())
    kinds, descriptors = [], []
    for example in draw_corpus(count=options.count, seed=options.seed, rate_hz=ANALYSIS_SAMPLE_RATE_HZ):
        kinds.append(example.kind)
        descriptors.append(analyser.describe(example.samples))

    options.output.mkdir(parents=True, exist_ok=True)
    calibration = _encode(
        {
            "space": DESCRIPTOR_SPACE,
            "maps": {
                name: {"values": fitted.values.tolist(), "positions": fitted.positions.tolist()}
                for name, fitted in fit_maps(descriptors).items()
            },
        }
    )
    (options.output / CALIBRATION_FILE).write_bytes(calibration)
    manifest: dict[str, Any] = {
        "model": DESCRIPTOR_SPACE,
        "description": "Quantile maps from descriptors, of the whole sound and of its profile, to [0, 1].",
        "license": "Apache-2.0",
        "made_by": "python -m chladni_audio_features.training.calibrate_embedding "
        f"--count {options.count} --seed {options.seed}",
        "commit": _commit(),
        "corpus": dict(sorted(Counter(kinds).items())),
        "versions": {name: version(name) for name in ("numpy", "scipy", "soundfile", "soxr")},
        "files": {CALIBRATION_FILE: hashlib.sha256(calibration).hexdigest()},
    }
    (options.output / MANIFEST_FILE).write_bytes(_encode(manifest))

    embedder = load_embedder(options.output)
    groups = stack_by_kind(kinds, [embedder.embed(entry) for entry in descriptors])
    manifest["metrics"] = {
        "nearest_neighbour_accuracy": round(nearest_neighbour_accuracy(groups), 3),
        "mean_distance": {
            f"{first} to {second}": round(distance, 3)
            for (first, second), distance in mean_distances(groups).items()
        },
    }
    (options.output / MANIFEST_FILE).write_bytes(_encode(manifest))
    print(format_report(groups))
    return 0


def _encode(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


if __name__ == "__main__":
    main()

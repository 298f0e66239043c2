"""Measures Chladni on this machine: how soon it is ready, how long a picture takes, how much it holds.

    make bench            or        python tests/load/bench.py --runs 9

Starts the four services on free loopback ports, calls them through the public client and writes
build/bench.json, one flat object of numbers. Nothing else should use the processor meanwhile: every figure
but the ratios depends on it. Times are medians; ratios compare two ways that alternate in one run.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import httpx
import librosa
import numpy as np
from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from recordings import RATE_HZ, encoded, melody
from rich.console import Console
from rich.table import Table

from chladni_audio_features.spectrogram import MelTransform, log_mel_spectrogram
from chladni_client import Client

REPOSITORY: Final = Path(__file__).parents[2]
CLIP_SECONDS: Final = 10.0
MEL_SECONDS: Final = 30.0
CALLERS: Final = 8

Figures = dict[str, float]


def main() -> int:
    """Runs the program; returns its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=7, help="runs of each measurement (default: 7)")
    parser.add_argument(
        "--output",
        type=Path,
        default=REPOSITORY / "build" / "bench.json",
        help="where to write the figures (default: build/bench.json)",
    )
    arguments = parser.parse_args()
    console = Console()
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder, console.status("starting the services") as status:
        with LocalCluster(
            folder=Path(folder),
            ports="free",
            on_ready=lambda name, seconds: figures.update({f"ready_seconds.{name}": seconds}),
        ) as cluster:
            status.update("from a recording to a picture")
            figures |= measure_pictures(cluster, arguments.runs)
            status.update("memory")
            figures |= measure_memory(cluster)
        status.update("mel spectrogram")
        figures |= measure_mel(arguments.runs)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    table = Table("figure", "value", title="Chladni on this machine")
    for name, value in sorted(figures.items()):
        table.add_row(name, f"{value:.4g}")
    console.print(table)
    console.print(f"Written to {arguments.output}")
    return 0


def measure_pictures(cluster: LocalCluster, runs: int) -> Figures:
    """Times a 10 s clip to its 512x512 picture: alone, and eight callers at once."""
    clip = encoded(melody(CLIP_SECONDS))
    with Client(cluster.target("gateway")) as client:

        def create(seed: int) -> None:
            client.create_image(clip, seed=seed)

        create(0)
        alone = [timed(partial(create, seed)) for seed in range(runs)]

        def together() -> None:
            with ThreadPoolExecutor(CALLERS) as callers:
                list(callers.map(create, range(CALLERS)))

        return {
            "wav_to_png.median_seconds": statistics.median(alone),
            "wav_to_png.max_seconds": max(alone),
            "wav_to_png.eight_at_once_seconds_each": timed(together) / CALLERS,
        }


def measure_memory(cluster: LocalCluster) -> Figures:
    """Reads what each service holds after its work, from its own metrics."""
    figures: Figures = {}
    for service in SERVICES:
        text = httpx.get(f"http://{cluster.address(service.name, 'metrics')}/metrics").text
        for family in text_string_to_metric_families(text):
            if family.name == "process_resident_memory_bytes":
                figures[f"resident_mb.{service.name}"] = family.samples[0].value / 1e6
    return figures


def measure_mel(runs: int) -> Figures:
    """Compares the service's log-mel spectrogram of 30 s with librosa's, in time and in value."""
    samples = melody(MEL_SECONDS)
    transform = MelTransform()

    def ours() -> NDArray[np.float32]:
        return log_mel_spectrogram(transform.power_of_clip(samples)).decibels

    def theirs() -> NDArray[np.float32]:
        power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2048, hop_length=512, n_mels=128)
        decibels: NDArray[np.float32] = librosa.power_to_db(power, ref=np.max)
        return decibels

    difference_db = float(np.abs(ours() - theirs()).max())
    pairs = [(timed(ours), timed(theirs)) for _ in range(runs)]
    return {
        "mel.speedup_over_librosa": statistics.median(slow / fast for fast, slow in pairs),
        "mel.milliseconds": statistics.median(fast for fast, _ in pairs) * 1e3,
        "mel.max_difference_db": difference_db,
    }


def timed(function: Callable[[], object]) -> float:
    """Returns the seconds that a call takes."""
    started_at = time.perf_counter()
    function()
    return time.perf_counter() - started_at


if __name__ == "__main__":
    sys.exit(main())

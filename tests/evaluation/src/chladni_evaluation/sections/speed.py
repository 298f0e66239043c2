"""How long an image takes, one at a time, from the call to the last byte; and how large the weights are."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path
from typing import Final

from chladni_benchmarks.figures import Figures, median
from chladni_evaluation.dataset import Dataset, evenly

_RUNS: Final = 7
_PACKAGES: Final = {"image_model": "chladni_image_generation", "alignment": "chladni_similarity"}


def measure(dataset: Dataset) -> Figures:
    """Return the median time of an image, and the size of all weights in the repository."""
    embeddings = dataset.audio_embeddings
    runs = [embeddings[position] for position in evenly(range(len(embeddings)), _RUNS)]
    dataset.image_generation.generate(runs[0].embedding, seed=0, bypass_cache=True)

    def seconds_of(seed: int) -> float:
        started_at = time.perf_counter()
        dataset.image_generation.generate(runs[seed].embedding, seed=seed, bypass_cache=True)
        return time.perf_counter() - started_at

    seconds = dataset.progress.each("timing images", range(len(runs)), seconds_of)
    sizes = {part: weights_bytes(Path(str(files(package)))) for part, package in _PACKAGES.items()}
    return {
        "seconds_per_image": median(seconds),
        "seconds_per_image.max": max(seconds),
        "weights.bytes": sum(sizes.values()),
        **{f"weights.{part}_bytes": size for part, size in sizes.items()},
    }


def weights_bytes(folder: Path) -> int:
    """Return the size of all weights in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))

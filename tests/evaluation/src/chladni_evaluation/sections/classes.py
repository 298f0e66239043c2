"""Whether kinds of real recordings look apart: a vote of the five nearest images, beside plain spectrograms.

The recordings are those of Debian's package sonic-pi-samples, by the first part of their names (drums, loops,
ambience, tabla and so on), but those shorter than audio-features takes. They are not part of this project:
without the package the section is unavailable.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import Figures
from chladni_evaluation.clients.similarity import EFFICIENTNET
from chladni_evaluation.dataset import Dataset, evenly
from chladni_evaluation.statistics.distances import cosine_distances

_FOLDER: Final = Path("/usr/share/sonic-pi/samples")
_MIN_SECONDS: Final = 0.1
_OF_A_CLASS: Final = 9
_NEIGHBORS: Final = 5


def measure(dataset: Dataset) -> Figures:
    """Return the share of recordings whose class is that of most of their five nearest neighbours.

    Raises:
        NotMeasurableError: The recordings are not installed.
    """
    recordings = _recordings()
    if not recordings:
        raise NotMeasurableError(f"{_FOLDER} holds no recordings: install sonic-pi-samples")
    contents = [path.read_bytes() for path, _ in recordings]
    labels = np.array([label for _, label in recordings])
    seed = dataset.image_seeds[0]
    images = dataset.progress.each(
        "generating images of recordings",
        contents,
        lambda audio: dataset.image_generation.generate(
            dataset.audio_features.extract(audio).embedding, seed=seed
        ),
        at_once=2,
    )
    spectrograms = dataset.progress.each(
        "rendering spectrograms of recordings", contents, dataset.audio_features.render_spectrogram, at_once=2
    )
    of_images, of_spectrograms = (
        nearest_vote(dataset.vectors_of(shown, model=EFFICIENTNET), labels)
        for shown in (images, spectrograms)
    )
    return {
        "classes.knn5": of_images,
        "classes.knn5_spectrogram": of_spectrograms,
        "classes.knn5_over_spectrogram": of_images / max(of_spectrograms, 1e-6),
        "classes.count": len(set(labels.tolist())),
        "classes.recordings": len(labels),
    }


def nearest_vote(vectors: NDArray[np.floating], labels: NDArray[np.str_]) -> float:
    """Return how often the label of a vector (N, D) is that of most of its five nearest others."""
    distances = cosine_distances(vectors, vectors)
    np.fill_diagonal(distances, np.inf)
    right = 0
    for row, label in zip(distances, labels, strict=True):
        nearest = labels[np.argsort(row, kind="stable")[:_NEIGHBORS]]
        names, counts = np.unique(nearest, return_counts=True)
        # Among labels with equally many votes, the nearest neighbour's.
        most = set(names[counts == counts.max()].tolist())
        right += next(name for name in nearest if name in most) == label
    return right / len(labels)


def _recordings() -> list[tuple[Path, str]]:
    """Return recordings of each class that has enough of them, with the name of the class."""
    by_class: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(_FOLDER.glob("*.flac")):
        if soundfile.info(path).duration >= _MIN_SECONDS:
            by_class[path.stem.partition("_")[0]].append(path)
    return [
        (paths[place], label)
        for label, paths in by_class.items()
        if len(paths) >= _OF_A_CLASS
        for place in evenly(range(len(paths)), _OF_A_CLASS)
    ]

"""Fit the map from words to descriptors: draw music, let the grammar describe it, and regress.

    python -m chladni_image_generation.training.fit_words

Deterministic. It needs no audio: descriptors of music are drawn as for the training of the image model,
features follow from them by the rules of `features_of`, and the grammar writes the prompts.
"""

from __future__ import annotations

import argparse
import io
import math
import zipfile
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_contract.descriptor_space import COMPONENT_NAMES, TEMPORAL_SEGMENTS
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.grammar import GrammarWriter
from chladni_image_generation.prompts.similarity import stems
from chladni_image_generation.prompts.vocabulary import METERS
from chladni_image_generation.prompts.word_map import WORD_MAP_FILE, features_of_words
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

FloatArray = npt.NDArray[np.float64]

_COUNT: Final = 3000
_RIDGE: Final = 3.0
_TEMPERATURE: Final = 1.5
_DIRECTIONS: Final = 24
_BPM: Final = (50.0, 190.0)
_CHANGE: Final = 0.12


def main() -> None:
    """Fit the map and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=WORD_MAP_FILE)
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    embeddings = sample_descriptors(_COUNT, seed=arguments.seed).double().numpy()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    _save(arguments.output, fit(embeddings, seed=arguments.seed))


def fit(embeddings: FloatArray, *, seed: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of a map that is fitted on descriptors of music, (N, 152)."""
    texts: list[list[str]] = []
    rows: list[int] = []
    writer = GrammarWriter()
    meters = sorted(METERS)
    for row, embedding in enumerate(embeddings):
        features = features_of(embedding, meter=meters[row % len(meters)])
        for style in PromptStyle:
            order = PromptOrder(
                features=features, style=style, count=1, temperature=_TEMPERATURE, seed=seed + row
            )
            texts += [sorted(set(stems(text))) for text in writer.write(order, timeout_seconds=1.0)]
            rows.append(row)
    counts = Counter(word for text in texts for word in text)
    vocabulary = sorted(counts)
    places = {word: place for place, word in enumerate(vocabulary)}
    weights = np.array([math.log(len(texts) / counts[word]) + 1.0 for word in vocabulary])
    inputs = np.zeros((len(texts), len(vocabulary)))
    for number, text in enumerate(texts):
        known = [places[word] for word in text]
        inputs[number, known] = features_of_words(weights[known])
    mean = embeddings.mean(axis=0)
    targets = embeddings[rows] - mean
    moves = np.linalg.solve(inputs.T @ inputs + _RIDGE * np.eye(len(vocabulary)), inputs.T @ targets)
    values, vectors = np.linalg.eigh(np.cov(embeddings, rowvar=False))
    order_of_size = np.argsort(values)[::-1][:_DIRECTIONS]
    directions = (vectors[:, order_of_size] * np.sqrt(values[order_of_size])).T
    directions *= np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])[:, None]
    return {
        "vocabulary": np.array(vocabulary),
        "weights": weights.astype(np.float32),
        "moves": moves.astype(np.float16),
        "mean": mean.astype(np.float32),
        "directions": directions.astype(np.float32),
    }


def features_of(embedding: FloatArray, *, meter: str) -> MusicFeatures:
    """Return the features that music with these descriptors would have.

    Args:
        embedding: (152,) in [0, 1].
        meter: Time signature, which descriptors do not say.
    """
    value = dict(zip(COMPONENT_NAMES, map(float, embedding), strict=True))
    tempo_bpm = _BPM[0] + value["tempo"] * (_BPM[1] - _BPM[0])
    arousal = 2.0 * (value["loudness"] + value["onset_rate"] + value["tempo"]) / 3.0 - 1.0
    valence = 1.4 * (value["mode"] - 0.5) + 0.6 * (value["brightness"] - 0.5)
    return MusicFeatures(
        tonality="minor" if value["mode"] < 0.5 else "major",
        tempo_bpm=tempo_bpm,
        time_signature=meter,
        valence=min(1.0, max(-1.0, valence)),
        arousal=min(1.0, max(-1.0, arousal)),
        melody_contour=_contour(_course(value, "pitch_height")),
        dynamic_intensity=_dynamics(_course(value, "level"), value["loudness"]),
    )


def _course(value: dict[str, float], feature: str) -> tuple[float, float, float]:
    """Return the means of a temporal feature in the three thirds of the time."""
    values = [value[f"course_{segment:02}_{feature}"] for segment in range(TEMPORAL_SEGMENTS)]
    third = len(values) // 3
    parts = (values[:third], values[third:-third], values[-third:])
    begin, middle, end = (sum(part) / len(part) for part in parts)
    return begin, middle, end


def _contour(course: tuple[float, float, float]) -> str:
    begin, middle, end = course
    bulge = middle - (begin + end) / 2.0
    if abs(bulge) > _CHANGE and abs(bulge) > abs(end - begin) / 2.0:
        return "arch" if bulge > 0.0 else "valley"
    if abs(end - begin) > _CHANGE:
        return "ascending" if end > begin else "descending"
    return "flat"


def _dynamics(course: tuple[float, float, float], loudness: float) -> str:
    begin, middle, end = course
    bulge = middle - (begin + end) / 2.0
    if abs(bulge) > _CHANGE and abs(bulge) > abs(end - begin) / 2.0:
        return "swell" if bulge > 0.0 else "dip"
    if abs(end - begin) > _CHANGE:
        return "crescendo" if end > begin else "diminuendo"
    return "loud" if loudness > 0.7 else "soft" if loudness < 0.3 else "steady"


def _save(path: Path, arrays: dict[str, npt.NDArray[np.generic]]) -> None:
    """Write a NumPy archive whose bytes depend on the arrays alone, and not on the time."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), content.getvalue())


if __name__ == "__main__":
    main()

"""The data that is measured: clips, their embeddings and spectrograms, and the images that are made of them.

Everything is computed on first use and kept, so that sections share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_benchmarks.figures import Figures
from chladni_evaluation.clients.audio_features import AudioEmbedding, AudioFeaturesClient
from chladni_evaluation.clients.image_generation import ImageGenerationClient
from chladni_evaluation.clients.services import AUDIO_FEATURES, IMAGE_GENERATION, SIMILARITY, Services
from chladni_evaluation.clients.similarity import MOST_NEIGHBORS, SimilarityClient, in_batches
from chladni_evaluation.corpus.clips import Clip
from chladni_evaluation.corpus.perturbations import PERTURBATIONS, Perturbation
from chladni_evaluation.corpus.selection import KINDS, plan_clips
from chladni_evaluation.image_files import encoded_png
from chladni_evaluation.reports.progress import ProgressDisplay
from chladni_evaluation.training_art import art_of_embeddings, held_out_art, training_art

_CALLS_AT_ONCE: Final = 2
_PERTURBED_CLIPS: Final = 30
_ART_COUNT: Final = 40
_ART_PIXELS: Final = 512
# Many and small: they are only embedded, by a network that sees 224 pixels.
_TRAINING_ART_COUNT: Final = 128
_TRAINING_ART_PIXELS: Final = 256


@dataclass(frozen=True, slots=True)
class DatasetSize:
    """The size of the data set.

    Attributes:
        clips: Number of clips.
        seeds: Number of images of each clip, with seeds that all clips share.
        seed: Determines clips, seeds and permutations.
    """

    clips: int
    seeds: int
    seed: int


@dataclass(frozen=True, eq=False)
class PerturbedClip:
    """A clip after a small change.

    Attributes:
        position: Number of the original clip.
        perturbation: The change.
        audio_embedding: Its embedding.
        image: Its image with the first seed.
    """

    position: int
    perturbation: Perturbation
    audio_embedding: AudioEmbedding
    image: bytes


class Dataset:
    """Everything that the sections measure.

    Args:
        size: Number of clips and images.
        services: The services.
        folder: Folder for clips and images.
        progress: Shows progress.
    """

    def __init__(
        self, *, size: DatasetSize, services: Services, folder: Path, progress: ProgressDisplay
    ) -> None:
        self.size = size
        self.folder = folder
        self.progress = progress
        self._services = services
        self._image_vectors: dict[str, NDArray[np.float32]] = {}

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a random generator that depends on the seed and the purpose."""
        return np.random.default_rng([self.size.seed, *purpose.encode()])

    @cached_property
    def audio_features(self) -> AudioFeaturesClient:
        """The audio-features service."""
        return AudioFeaturesClient(self._services.channel(AUDIO_FEATURES))

    @cached_property
    def image_generation(self) -> ImageGenerationClient:
        """The image-generation service."""
        return ImageGenerationClient(self._services.channel(IMAGE_GENERATION))

    @cached_property
    def similarity(self) -> SimilarityClient:
        """The similarity service."""
        return SimilarityClient(self._services.channel(SIMILARITY))

    @cached_property
    def image_seeds(self) -> list[int]:
        """Seeds of the images, from the whole range, so that training has most likely not seen them."""
        return [int(seed) for seed in self.rng("images").integers(0, 2**32, self.size.seeds)]

    @cached_property
    def clips(self) -> list[Clip]:
        """The clips, kind by kind; each is also written into the folder."""
        plans = plan_clips(self.size.clips, seed=self.size.seed)
        generators = self.rng("clips").spawn(len(plans))
        clips = self.progress.each(
            "making clips",
            list(zip(count(), plans, generators, strict=False)),
            lambda item: item[1].make(item[0], item[2]),
        )
        folder = _emptied(self.folder / "clips", "*.wav")
        for clip in clips:
            (folder / f"{clip.name}.wav").write_bytes(clip.wav)
        return clips

    @cached_property
    def audio_embeddings(self) -> list[AudioEmbedding]:
        """The embedding of each clip."""
        return self.progress.each(
            "extracting features of clips",
            self.clips,
            lambda clip: self.audio_features.extract(clip.wav),
            at_once=_CALLS_AT_ONCE,
        )

    @cached_property
    def spectrograms(self) -> list[bytes]:
        """The viridis spectrogram of each clip."""
        return self.progress.each(
            "rendering spectrograms",
            self.clips,
            lambda clip: self.audio_features.render_spectrogram(clip.wav),
            at_once=_CALLS_AT_ONCE,
        )

    @cached_property
    def images(self) -> list[list[bytes]]:
        """The images: one for each clip and each seed. The first of each is written into the folder."""
        requests = [(embedding, seed) for embedding in self.audio_embeddings for seed in self.image_seeds]
        generated = self._generate("generating images", requests)
        rows = [
            generated[first : first + self.size.seeds] for first in range(0, len(generated), self.size.seeds)
        ]
        folder = _emptied(self.folder / "images", "*.png")
        for clip, row in zip(self.clips, rows, strict=True):
            (folder / f"{clip.name}.png").write_bytes(row[0])
        return rows

    @cached_property
    def first_images(self) -> list[bytes]:
        """The image of each clip with the first seed."""
        return [row[0] for row in self.images]

    @cached_property
    def perturbed(self) -> list[PerturbedClip]:
        """Some clips of every kind but silence, each after every small change."""
        audible = [position for position, clip in enumerate(self.clips) if not clip.is_silent]
        chosen = evenly(audible, _PERTURBED_CLIPS)
        changes = [(position, change) for position in chosen for change in PERTURBATIONS]
        embeddings = self.progress.each(
            "extracting features of changed clips",
            changes,
            lambda item: self.audio_features.extract(item[1].apply(self.clips[item[0]])),
            at_once=_CALLS_AT_ONCE,
        )
        images = self._generate(
            "generating images of changed clips",
            [(embedding, self.image_seeds[0]) for embedding in embeddings],
        )
        return [
            PerturbedClip(position, change, embedding, image)
            for (position, change), embedding, image in zip(changes, embeddings, images, strict=True)
        ]

    @cached_property
    def retrieval_positions(self) -> list[int]:
        """The clips that are searched for: 100 of all kinds, or all if there are fewer."""
        return evenly(range(len(self.clips)), MOST_NEIGHBORS)

    @cached_property
    def held_out_art(self) -> list[bytes]:
        """Art that no training step sees."""
        return _encoded(held_out_art(_ART_COUNT, _ART_PIXELS))

    @cached_property
    def training_art(self) -> list[bytes]:
        """Art that the model trains on, at a smaller size."""
        return _encoded(training_art(_TRAINING_ART_COUNT, _TRAINING_ART_PIXELS))

    @cached_property
    def art_of_clips(self) -> dict[int, bytes]:
        """The art for some clips and the first seed, by the number of the clip."""
        chosen = evenly(range(len(self.clips)), _ART_COUNT)
        vectors = np.stack([self.audio_embeddings[position].vector for position in chosen])
        art = _encoded(art_of_embeddings(vectors, [self.image_seeds[0]] * len(chosen), _ART_PIXELS))
        return dict(zip(chosen, art, strict=True))

    def image_vectors(self, model: str) -> NDArray[np.float32]:
        """Return the vectors of all images: (N, S, D).

        Raises:
            NotMeasurableError: The similarity service has no such model.
        """
        if model not in self._image_vectors:
            flat = [image for row in self.images for image in row]
            vectors = self.vectors_of(flat, model=model)
            self._image_vectors[model] = vectors.reshape(len(self.images), self.size.seeds, -1)
        return self._image_vectors[model]

    def vectors_of(self, images: Sequence[bytes], *, model: str) -> NDArray[np.float32]:
        """Return the vectors of images: (N, D), each of length 1.

        Raises:
            NotMeasurableError: The similarity service has no such model.
        """
        similarity = self.similarity
        return np.concatenate(
            self.progress.each(
                f"embedding images with {model}",
                in_batches(images),
                lambda batch: similarity.embed(batch, model=model),
                at_once=_CALLS_AT_ONCE,
            )
        )

    def figures(self) -> Figures:
        """Return the size of the data set as figures."""
        return {
            "clips.count": len(self.clips),
            "clips.seed": self.size.seed,
            "clips.images_each": self.size.seeds,
            **{f"clips.{kind}": sum(clip.kind == kind for clip in self.clips) for kind in KINDS},
        }

    def _generate(self, label: str, requests: Sequence[tuple[AudioEmbedding, int]]) -> list[bytes]:
        image_generation = self.image_generation
        return self.progress.each(
            label,
            requests,
            lambda request: image_generation.generate(request[0].embedding, seed=request[1]),
            at_once=_CALLS_AT_ONCE,
        )


def evenly(positions: Sequence[int], most: int) -> list[int]:
    """Return at most `most` of some positions, evenly spaced."""
    if len(positions) <= most:
        return list(positions)
    return [positions[int(place)] for place in np.linspace(0, len(positions) - 1, most).round()]


def _encoded(images: NDArray[np.uint8]) -> list[bytes]:
    return [encoded_png(image) for image in images]


def _emptied(folder: Path, pattern: str) -> Path:
    """Create a folder, or delete from it what an earlier run wrote; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(pattern):
        path.unlink()
    return folder

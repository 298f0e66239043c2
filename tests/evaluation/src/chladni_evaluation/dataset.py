"""What is measured: clips, what the services say of them, and the images that they make of them.

Everything is made when it is first asked for and kept, so that sections share it.
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
from chladni_evaluation.clients.audio_features import Hearing, Listener
from chladni_evaluation.clients.image_generation import Painter
from chladni_evaluation.clients.services import AUDIO_FEATURES, IMAGE_GENERATION, SIMILARITY, Services
from chladni_evaluation.clients.similarity import MOST_NEIGHBORS, Judge, in_batches
from chladni_evaluation.corpus.clips import Clip
from chladni_evaluation.corpus.perturbations import PERTURBATIONS, Perturbation
from chladni_evaluation.corpus.selection import KINDS, plan_clips
from chladni_evaluation.image_files import encoded_png
from chladni_evaluation.reports.progress import Display
from chladni_evaluation.training_art import art_of_sounds, held_out_art, training_art

_CALLS_AT_ONCE: Final = 2
_PERTURBED_CLIPS: Final = 30
_ART_COUNT: Final = 40
_ART_PIXELS: Final = 512
# Many and small: they are only looked at by a network that sees 224 pixels.
_TRAINING_ART_COUNT: Final = 128
_TRAINING_ART_PIXELS: Final = 256


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is made.

    Attributes:
        clips: Number of clips.
        seeds: Number of images of each clip, with seeds that all clips share.
        seed: Decides clips, seeds and permutations.
    """

    clips: int
    seeds: int
    seed: int


@dataclass(frozen=True, eq=False)
class PerturbedClip:
    """A clip after a small change.

    Attributes:
        position: Which clip it was.
        perturbation: The change.
        hearing: What the service says of it.
        image: Its image with the first seed.
    """

    position: int
    perturbation: Perturbation
    hearing: Hearing
    image: bytes


class Material:
    """Everything that the sections measure.

    Args:
        extent: How much there is.
        services: What makes it.
        folder: Folder for what people want to hear or see.
        display: Shows progress.
    """

    def __init__(self, *, extent: Extent, services: Services, folder: Path, display: Display) -> None:
        self.extent = extent
        self.folder = folder
        self.display = display
        self._services = services
        self._image_vectors: dict[str, NDArray[np.float32]] = {}

    def rng(self, purpose: str) -> np.random.Generator:
        """Returns a random generator that depends on the seed and on what it is for."""
        return np.random.default_rng([self.extent.seed, *purpose.encode()])

    @cached_property
    def listener(self) -> Listener:
        """The audio-features service."""
        return Listener(self._services.channel(AUDIO_FEATURES))

    @cached_property
    def painter(self) -> Painter:
        """The image-generation service."""
        return Painter(self._services.channel(IMAGE_GENERATION))

    @cached_property
    def judge(self) -> Judge:
        """The similarity service."""
        return Judge(self._services.channel(SIMILARITY))

    @cached_property
    def image_seeds(self) -> list[int]:
        """Seeds of the images, from the whole range, so that no training saw them but by accident."""
        return [int(seed) for seed in self.rng("images").integers(0, 2**32, self.extent.seeds)]

    @cached_property
    def clips(self) -> list[Clip]:
        """The clips, kind by kind; each is also written into the folder."""
        plans = plan_clips(self.extent.clips, seed=self.extent.seed)
        generators = self.rng("clips").spawn(len(plans))
        clips = self.display.each(
            "making clips",
            list(zip(count(), plans, generators, strict=False)),
            lambda item: item[1].make(item[0], item[2]),
        )
        folder = _emptied(self.folder / "clips", "*.wav")
        for clip in clips:
            (folder / f"{clip.name}.wav").write_bytes(clip.recording)
        return clips

    @cached_property
    def hearings(self) -> list[Hearing]:
        """What the audio-features service says of each clip."""
        return self.display.each(
            "hearing clips",
            self.clips,
            lambda clip: self.listener.hear(clip.recording),
            at_once=_CALLS_AT_ONCE,
        )

    @cached_property
    def spectrograms(self) -> list[bytes]:
        """The viridis spectrogram of each clip."""
        return self.display.each(
            "drawing spectrograms",
            self.clips,
            lambda clip: self.listener.draw_spectrogram(clip.recording),
            at_once=_CALLS_AT_ONCE,
        )

    @cached_property
    def images(self) -> list[list[bytes]]:
        """The images: for each clip one for each seed. The first of each is written into the folder."""
        orders = [(hearing, seed) for hearing in self.hearings for seed in self.image_seeds]
        painted = self._paint("painting images", orders)
        rows = [
            painted[first : first + self.extent.seeds] for first in range(0, len(painted), self.extent.seeds)
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
        hearings = self.display.each(
            "hearing changed clips",
            changes,
            lambda item: self.listener.hear(item[1].apply(self.clips[item[0]])),
            at_once=_CALLS_AT_ONCE,
        )
        images = self._paint(
            "painting changed clips", [(hearing, self.image_seeds[0]) for hearing in hearings]
        )
        return [
            PerturbedClip(position, change, hearing, image)
            for (position, change), hearing, image in zip(changes, hearings, images, strict=True)
        ]

    @cached_property
    def retrieval_positions(self) -> list[int]:
        """The clips among which images and sounds are found: 100 of all kinds, or all there are."""
        return evenly(range(len(self.clips)), MOST_NEIGHBORS)

    @cached_property
    def held_out_art(self) -> list[bytes]:
        """Art that no training step ever sees."""
        return _encoded(held_out_art(_ART_COUNT, _ART_PIXELS))

    @cached_property
    def training_art(self) -> list[bytes]:
        """Art that the model trains on, in small."""
        return _encoded(training_art(_TRAINING_ART_COUNT, _TRAINING_ART_PIXELS))

    @cached_property
    def art_of_clips(self) -> dict[int, bytes]:
        """The art for some clips and the first seed, by the number of the clip."""
        chosen = evenly(range(len(self.clips)), _ART_COUNT)
        vectors = np.stack([self.hearings[position].vector for position in chosen])
        art = _encoded(art_of_sounds(vectors, [self.image_seeds[0]] * len(chosen), _ART_PIXELS))
        return dict(zip(chosen, art, strict=True))

    def image_vectors(self, model: str) -> NDArray[np.float32]:
        """Returns the vectors of all images: (N, S, D).

        Raises:
            NotMeasurableError: The similarity service has no such model.
        """
        if model not in self._image_vectors:
            flat = [image for row in self.images for image in row]
            vectors = self.vectors_of(flat, model=model)
            self._image_vectors[model] = vectors.reshape(len(self.images), self.extent.seeds, -1)
        return self._image_vectors[model]

    def vectors_of(self, images: Sequence[bytes], *, model: str) -> NDArray[np.float32]:
        """Returns the vectors of images: (N, D), each of length 1.

        Raises:
            NotMeasurableError: The similarity service has no such model.
        """
        judge = self.judge
        return np.concatenate(
            self.display.each(
                f"embedding images with {model}",
                in_batches(images),
                lambda batch: judge.embed(batch, model=model),
                at_once=_CALLS_AT_ONCE,
            )
        )

    def figures(self) -> Figures:
        """Returns how much was made."""
        return {
            "clips.count": len(self.clips),
            "clips.seed": self.extent.seed,
            "clips.images_each": self.extent.seeds,
            **{f"clips.{kind}": sum(clip.kind == kind for clip in self.clips) for kind in KINDS},
        }

    def _paint(self, label: str, orders: Sequence[tuple[Hearing, int]]) -> list[bytes]:
        painter = self.painter
        return self.display.each(
            label,
            orders,
            lambda order: painter.paint(order[0].embedding, seed=order[1]),
            at_once=_CALLS_AT_ONCE,
        )


def evenly(positions: Sequence[int], most: int) -> list[int]:
    """Returns at most `most` of some positions, at even distances."""
    if len(positions) <= most:
        return list(positions)
    return [positions[int(place)] for place in np.linspace(0, len(positions) - 1, most).round()]


def _encoded(images: NDArray[np.uint8]) -> list[bytes]:
    return [encoded_png(image) for image in images]


def _emptied(folder: Path, pattern: str) -> Path:
    """Makes a folder, or deletes from it what an earlier run wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(pattern):
        path.unlink()
    return folder

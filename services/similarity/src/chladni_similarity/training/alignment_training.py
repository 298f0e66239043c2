"""The training of the two towers: symmetric InfoNCE over the pairs of a batch.

Each sound of a batch has to find its image among all of them, and each image its sound (van den Oord et
al. 2018, "Representation learning with contrastive predictive coding", made symmetric by Radford et al.
2021). Rows of one sound, or of variants of it, count as right for each other.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from chladni_runtime.files import FOR_ALL, whole_file
from chladni_similarity.embedders.alignment_network import AlignmentConfig, AlignmentModel
from chladni_similarity.training.augmentation import augment_audio, augment_images
from chladni_similarity.training.pairs import Pairs
from chladni_similarity.training.retrieval import measure_retrieval

_BETAS: Final = (0.9, 0.98)  # CLIP's
_MAX_GRADIENT: Final = 1.0
_SEED_STRIDE: Final = 1_000_003


class CheckpointError(Exception):
    """A checkpoint belongs to another training; the message says what differs."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes:
        steps: Steps of the optimizer.
        batch_size: Pairs in a step.
        seed: Of weights, batches and augmentation.
        learning_rate: At its highest.
        warm_up: Share of the steps in which the learning rate rises to it; then it falls along a cosine to 0.
        weight_decay: AdamW's, on matrices alone.
        audio_noise: Standard deviation of the noise on the embeddings of audio.
        average_decay: Of the moving average of the weights, which is what ships.
        use_bfloat16: Whether the image tower computes in bfloat16.
    """

    steps: int
    batch_size: int = 128
    seed: int = 1
    learning_rate: float = 1.5e-3
    warm_up: float = 0.08
    weight_decay: float = 0.05
    audio_noise: float = 0.015
    average_decay: float = 0.995
    use_bfloat16: bool = True

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        warm_up_steps = max(1, round(self.warm_up * self.steps))
        if step < warm_up_steps:
            return self.learning_rate * (step + 1) / warm_up_steps
        progress = (step - warm_up_steps) / max(1, self.steps - warm_up_steps)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


@dataclass(slots=True)
class Training:
    """A training in progress.

    Attributes:
        recipe: How it is done.
        model: What is trained.
        average: The moving average of its weights.
        optimizer: AdamW.
        step: Steps done.
        seconds: Time that they took.
    """

    recipe: Recipe
    model: AlignmentModel
    average: AlignmentModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    seconds: float = 0.0

    @classmethod
    def begin(cls, recipe: Recipe, config: AlignmentConfig, device: str) -> Training:
        """Return a training at its first step."""
        torch.manual_seed(recipe.seed)
        model = AlignmentModel(config).to(device, memory_format=torch.channels_last)
        average = AlignmentModel(config).to(device, memory_format=torch.channels_last)
        average.load_state_dict(model.state_dict())
        return cls(
            recipe, model, average.eval().requires_grad_(requires_grad=False), _optimizer(model, recipe)
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, mode=FOR_ALL) as file:
            torch.save({"recipe": asdict(self.recipe), **self._state()}, file)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            CheckpointError: It is of another recipe.
        """
        saved: dict[str, Any] = torch.load(path, map_location=self.model.device, weights_only=True)
        here = asdict(self.recipe)
        if different := sorted(key for key in here if saved["recipe"].get(key) != here[key]):
            raise CheckpointError(f"{path} was trained with another {', '.join(different)}")
        for name in ("model", "average", "optimizer"):
            getattr(self, name).load_state_dict(saved[name])
        self.step, self.seconds = saved["step"], saved["seconds"]

    def _state(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state_dict() for name in ("model", "average", "optimizer")}
        return {**parts, "step": self.step, "seconds": self.seconds}

    def advance(self, batch: Pairs) -> float:
        """Do one step on pairs; return its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate_at(self.step)
        self.model.train()
        loss = self._loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own gap
        nn.utils.clip_grad_norm_(self.model.parameters(), _MAX_GRADIENT)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return float(loss.detach())

    def _loss(self, batch: Pairs) -> Tensor:
        device = self.model.device
        audio = augment_audio(batch.audio, self.recipe.audio_noise).to(device)
        images = augment_images(batch.images).to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.recipe.use_bfloat16):
            image_vectors = self.model.image_tower(images)
        audio_vectors = self.model.audio_tower(audio)
        logits = (
            self.model.scale * F.normalize(audio_vectors, dim=1) @ F.normalize(image_vectors.float(), dim=1).T
        )
        return contrastive_loss(logits, batch.clip.to(device))

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the weights; faster in the beginning, when it has seen few."""
        keep = min(self.recipe.average_decay, (1 + self.step) / (10 + self.step))
        for mean, value in zip(
            self.average.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)


def contrastive_loss(logits: Tensor, clip: Tensor) -> Tensor:
    """Return the mean of the cross-entropies of sounds over images and of images over sounds.

    Args:
        logits: (N, N), scaled cosines of the sounds (rows) with the images (columns) of N pairs.
        clip: (N,), equal for rows of one sound.
    """
    is_right = (clip[:, None] == clip[None]).float()
    targets = is_right / is_right.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


@dataclass(frozen=True, slots=True)
class Watch:
    """The log and the checkpoints of a training.

    Attributes:
        checkpoint: File of the checkpoint.
        checkpoint_every: Steps between checkpoints, each with its figures on the held-out pairs.
        log_every: Steps between lines.
    """

    checkpoint: Path
    checkpoint_every: int = 250
    log_every: int = 25


def train(training: Training, pairs: Pairs, held_out: Pairs, watch: Watch) -> None:
    """Train until the recipe's last step, with a log and checkpoints.

    A step's randomness depends on the seed and its number alone, so that a training which was stopped and
    resumed sees what an uninterrupted one sees.
    """
    recipe = training.recipe
    batches = _batches(len(pairs), recipe, first_step=training.step)
    started_at, seconds_before, first_step = time.monotonic(), training.seconds, training.step
    losses: list[float] = []
    while training.step < recipe.steps:
        torch.manual_seed(recipe.seed * _SEED_STRIDE + training.step)
        losses.append(training.advance(pairs.rows(next(batches))))
        elapsed = time.monotonic() - started_at
        training.seconds = seconds_before + elapsed
        is_last = training.step == recipe.steps
        if training.step % watch.log_every == 0 or is_last:
            seconds_per_step = elapsed / (training.step - first_step)
            left_minutes = seconds_per_step * (recipe.steps - training.step) / 60
            loss, speed = sum(losses) / len(losses), f"{seconds_per_step:.2f} s/step"
            _tell(training, f"loss {loss:.4f}  {speed}  {left_minutes:.1f} min left")
            losses.clear()
        if training.step % watch.checkpoint_every == 0 or is_last:
            training.save(watch.checkpoint)
            figures = measure_retrieval(training.average, held_out)
            _tell(training, "held out: " + "  ".join(f"{name} {value:g}" for name, value in figures.items()))


def _tell(training: Training, line: str) -> None:
    print(f"step {training.step}/{training.recipe.steps}  {line}", flush=True)


def _batches(count: int, recipe: Recipe, *, first_step: int) -> Iterator[Tensor]:
    """Yield the rows of each step from `first_step` on: every row once an epoch, in an order of its own."""
    size = min(recipe.batch_size, count)
    steps_per_epoch = count // size
    epoch, position = divmod(first_step, steps_per_epoch)
    while True:
        order = torch.randperm(count, generator=torch.Generator().manual_seed(recipe.seed + epoch))
        for start in range(position, steps_per_epoch):
            yield order[start * size : (start + 1) * size]
        epoch, position = epoch + 1, 0


def _optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    matrices = [weight for weight in model.parameters() if weight.ndim > 1]
    others = [weight for weight in model.parameters() if weight.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=_BETAS)

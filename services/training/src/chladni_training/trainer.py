"""Training of one network over epochs, which can be killed at any moment and goes on as if it had not been.

Everything random follows from the seed and the step, or from states that the checkpoint holds, and the order
of the data from the seed and the epoch. So a run that went on from a checkpoint ends with the same weights,
bit for bit, as one that was never stopped (in as many processes, on the same kind of processor).
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor, nn
from tqdm import tqdm

from chladni_training.checkpoints import (
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
)
from chladni_training.errors import DataError, DivergenceError
from chladni_training.metrics import MetricsLog

CHECKPOINT_NAME: Final = "checkpoint.pt"
_SECONDS_BETWEEN_LINES: Final = 30.0


class Rows(Protocol):
    """Data to train on, in memory; a tensor is one."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Return some rows (B, ...) by their positions (B,)."""


class Objective(Protocol):
    """What a network learns."""

    def __call__(self, model: nn.Module, batch: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        """Return the terms of the loss by name, scalars whose sum is made small.

        Args:
            model: The network.
            batch: Rows of the data, on the network's device.
            generator: Draws all that is random, on the CPU.
        """


class MovingAverage(Protocol):
    """An average of weights over steps, such as diffusers' `EMAModel`."""

    def step(self, parameters: Any) -> None:
        """Take the weights after one more step into the average."""

    def state_dict(self) -> dict[str, Any]:
        """Return the average and its settings."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take a state that `state_dict` returned."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a network is trained; what decides the weights is part of a run's identity.

    Attributes:
        epochs: Passes over the data.
        batch_size: Rows of a step, over all processes; what is left of an epoch is left out.
        learning_rate: At its highest: after the warm-up it falls to zero by a cosine.
        seed: Seed of everything.
        warmup_steps: Steps over which the learning rate rises.
        weight_decay: Of AdamW.
        max_gradient_norm: Longer gradients are shortened to this.
        checkpoint_every_steps: Steps between checkpoints; there is one after each epoch too.
        log_every_steps: Steps of which a row of the log is the mean.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    warmup_steps: int = 0
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    checkpoint_every_steps: int = 200
    log_every_steps: int = 50

    @property
    def identity(self) -> dict[str, Any]:
        """What decides the weights."""
        return {name: value for name, value in asdict(self).items() if name != "checkpoint_every_steps"}


class Trainer:
    """A run of training.

    Args:
        model: The network, with its first weights.
        data: Rows to learn from.
        objective: What it learns.
        plan: How.
        folder: Where the figures are kept, and the checkpoint if it has no place of its own.
        identity: What else makes the run this one, such as the network's settings and the data's digest.
        checkpoint: The checkpoint's file.
        notes: What a reader of the checkpoint needs to know, such as the network's configuration.
        average: Average of the weights over steps, if one is wanted.
        accelerator: Where it computes, and in how many processes; on the CPU alone if absent.

    Raises:
        DataError: There are too few rows.
        CheckpointError: The folder holds a checkpoint that is damaged or of another run.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        data: Rows,
        objective: Objective,
        plan: TrainingPlan,
        folder: Path,
        identity: Mapping[str, Any],
        checkpoint: Path | None = None,
        notes: Mapping[str, Any] | None = None,
        average: MovingAverage | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        self._accelerator = accelerator or Accelerator(cpu=True)
        processes = self._accelerator.num_processes
        if plan.batch_size % processes:
            raise DataError(f"a batch of {plan.batch_size} rows cannot be shared by {processes} processes")
        if len(data) < plan.batch_size:
            raise DataError(f"there are {len(data)} rows, fewer than a batch of {plan.batch_size}")
        self.plan = plan
        self.checkpoint = checkpoint or folder / CHECKPOINT_NAME
        self.average = average
        self.step = 0
        self.seconds = 0.0
        self._data = data
        self._objective = objective
        self._identity = {**plan.identity, **identity}
        self._notes = dict(notes or {})
        self._sums: dict[str, float] = {}
        self._epoch_loss = 0.0
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self._model, self._optimizer = self._accelerator.prepare(model, optimizer)
        self._schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate_share)
        state = load_checkpoint(self.checkpoint, self._identity)
        self.log = MetricsLog(
            folder if self._accelerator.is_main_process else None, state["log"] if state else None
        )
        if state:
            self._restore(state)
        elif self._accelerator.process_index:
            # Each process drops out units of its own.
            torch.manual_seed(plan.seed + self._accelerator.process_index)

    @property
    def model(self) -> nn.Module:
        """The network itself, without what accelerate wraps around it."""
        unwrapped: nn.Module = self._accelerator.unwrap_model(self._model)
        return unwrapped

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return len(self._data) // self.plan.batch_size

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.plan.epochs * self.steps_per_epoch

    @property
    def epoch_loss(self) -> float:
        """Mean loss of the epoch that is under way, at its end."""
        return self._epoch_loss / self.steps_per_epoch

    def run(self, on_epoch: Callable[[int], Mapping[str, float]] | None = None) -> None:
        """Train to the end.

        Args:
            on_epoch: Called in the leading process after each epoch, with its number from 1; returns further
                figures of it. It draws from generators of its own, not from the global ones.

        Raises:
            DivergenceError: Loss, gradients or weights are no longer finite.
            StorageError: Something cannot be written.
        """
        started = time.monotonic() - self.seconds
        is_terminal = sys.stderr.isatty()
        bar = tqdm(
            total=self.total_steps,
            initial=self.step,
            unit="step",
            disable=not self._accelerator.is_main_process,
            mininterval=0.2 if is_terminal else _SECONDS_BETWEEN_LINES,
            maxinterval=10.0 if is_terminal else _SECONDS_BETWEEN_LINES,
        )
        with self.log, bar:
            for epoch in range(len(self.log.epochs), self.plan.epochs):
                order = self._order(epoch)
                for within in range(self.step - epoch * self.steps_per_epoch, self.steps_per_epoch):
                    first = within * self.plan.batch_size
                    loss = self._train_step(order[first : first + self.plan.batch_size])
                    bar.set_postfix(epoch=epoch + 1, loss=f"{loss:.4f}", refresh=False)
                    bar.update()
                    self.seconds = time.monotonic() - started
                    if (
                        self.step % self.plan.checkpoint_every_steps == 0
                        or within + 1 == self.steps_per_epoch
                    ):
                        self._save()
                self._finish_epoch(epoch + 1, on_epoch)
                self.seconds = time.monotonic() - started
                self._save()
        self._accelerator.wait_for_everyone()

    def _order(self, epoch: int) -> Tensor:
        """Return the positions of the rows in the order of an epoch."""
        generator = torch.Generator().manual_seed(self.plan.seed * 1_000_003 + epoch)
        return torch.randperm(len(self._data), generator=generator)

    def _train_step(self, rows: Tensor) -> float:
        """Take one step; return its loss."""
        rank, processes = self._accelerator.process_index, self._accelerator.num_processes
        generator = torch.Generator().manual_seed(
            (self.plan.seed * 15_485_863 + self.step) * processes + rank
        )
        batch = self._data[rows[rank::processes]].to(self._accelerator.device)
        self._model.train()
        with self._accelerator.autocast():
            terms = self._objective(self._model, batch, generator)
        loss = torch.stack([term.float() for term in terms.values()]).sum()
        self._accelerator.backward(loss)
        norm = self._accelerator.clip_grad_norm_(self._model.parameters(), self.plan.max_gradient_norm)
        if not math.isfinite(float(norm)):
            raise self._diverged(
                f"the loss is {float(loss.detach()):g} and the gradient's norm {float(norm):g}"
            )
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._schedule.step()
        if self.average is not None:
            self.average.step(self.model.parameters())
        self.step += 1
        self._epoch_loss += float(loss.detach())
        self._log_step({"loss": float(loss.detach()), **self._separate(terms)})
        return float(loss.detach())

    def _separate(self, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the terms of a loss that has several."""
        return {name: float(term.detach()) for name, term in terms.items()} if len(terms) > 1 else {}

    def _log_step(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        if self.step % self.plan.log_every_steps == 0:
            means = {name: value / self.plan.log_every_steps for name, value in self._sums.items()}
            rate = float(self._schedule.get_last_lr()[0])
            self.log.add_step({"step": self.step, **means, "learning_rate": rate})
            self._sums = {}

    def _finish_epoch(self, epoch: int, on_epoch: Callable[[int], Mapping[str, float]] | None) -> None:
        figures: Mapping[str, float] = {}
        if on_epoch is not None and self._accelerator.is_main_process:
            with torch.random.fork_rng():
                figures = on_epoch(epoch)
        self.log.add_epoch({"epoch": epoch, "step": self.step, "loss": self.epoch_loss, **figures})
        self._epoch_loss = 0.0
        self._accelerator.wait_for_everyone()

    def _rate_share(self, step: int) -> float:
        """Return the part of the highest learning rate that a step takes."""
        warmup = self.plan.warmup_steps
        if step < warmup:
            return (step + 1) / (warmup + 1)
        share = (step - warmup) / max(1, self.total_steps - warmup)
        return 0.5 + 0.5 * math.cos(math.pi * min(1.0, share))

    def _save(self) -> None:
        random = gather_object([random_states()])
        if not self._accelerator.is_main_process:
            return
        weights = self.model.state_dict()
        if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
            raise self._diverged("some weights are not finite")
        state = {
            "notes": self._notes,
            "step": self.step,
            "seconds": self.seconds,
            "model": weights,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "random": random,
            "log": self.log.state,
            "sums": dict(self._sums),
            "epoch_loss": self._epoch_loss,
        }
        save_checkpoint(self.checkpoint, self._identity, state)
        self.log.write()

    def _restore(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        states = state["random"]
        restore_random_states(states[self._accelerator.process_index % len(states)])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self._sums, self._epoch_loss = dict(state["sums"]), float(state["epoch_loss"])

    def _diverged(self, what: str) -> DivergenceError:
        kept = f"The checkpoint {self.checkpoint} is intact; " if self.checkpoint.exists() else ""
        return DivergenceError(
            f"step {self.step + 1} diverged: {what}. {kept}take a lower learning rate, with --fresh"
        )

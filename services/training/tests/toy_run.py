"""A run of training that takes a moment: a small network with dropout, on made-up numbers."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from torch import nn

from chladni_training.trainer import Trainer, TrainingPlan

PLAN = TrainingPlan(
    epochs=3,
    batch_size=8,
    learning_rate=0.05,
    seed=4,
    warmup_steps=3,
    checkpoint_every_steps=3,
    log_every_steps=2,
)
ROWS = 70


class Average:
    """An exponential moving average of weights."""

    def __init__(self, parameters):
        self.weights = [parameter.detach().clone() for parameter in parameters]

    def step(self, parameters):
        for weight, parameter in zip(self.weights, parameters, strict=True):
            weight.lerp_(parameter.detach(), 0.1)

    def state_dict(self):
        return {"weights": self.weights}

    def load_state_dict(self, state_dict):
        self.weights = state_dict["weights"]


def objective(model, batch, generator):
    noise = torch.randn(batch.shape, generator=generator)
    return {
        "fit": (model(batch + 0.1 * noise) - batch).square().mean(),
        "size": model(batch).abs().mean() / 9,
    }


def make_trainer(folder, plan=PLAN, learn=objective, rows=ROWS, **identity):
    torch.manual_seed(plan.seed)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Dropout(0.2), nn.Linear(7, 5))
    data = torch.randn(rows, 5, generator=torch.Generator().manual_seed(0))
    return Trainer(
        model=model,
        data=data,
        objective=learn,
        plan=plan,
        folder=folder,
        identity={"data": "toy", **identity},
        average=Average(model.parameters()),
    )


def slow_objective(model, batch, generator):
    time.sleep(0.05)
    return objective(model, batch, generator)


if __name__ == "__main__":
    make_trainer(Path(sys.argv[1]), learn=slow_objective).run(lambda epoch: {"epoch_squared": epoch**2})

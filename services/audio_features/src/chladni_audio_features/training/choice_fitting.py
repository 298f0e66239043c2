"""Fits the networks that choose among candidates, by Adam on the cross entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from chladni_audio_features.music.choice import ChoiceNetwork

_RATE: Final = 0.004
_MOMENTS: Final = (0.9, 0.999)
_BATCH: Final = 16

Array = npt.NDArray[np.float64]


def fit_choice(
    cases: Sequence[tuple[Array, Array]],
    held_out: Sequence[tuple[Array, Array]],
    *,
    units: int,
    epochs: int,
    max_candidates: int,
    seed: int = 0,
    decay: float,
) -> ChoiceNetwork:
    """Fit a network.

    Args:
        cases: Each the features of the candidates, (candidates, features), and their target probabilities.
        held_out: Cases that the temperature is fitted on.
        units: Hidden units.
        epochs: Passes over the cases.
        max_candidates: Candidates of a case that a step sees, those with a target among them.
        seed: Decides the initial weights and the order.
        decay: Decay of the weights.
    """
    rng = np.random.default_rng(seed)
    stacked = np.vstack([features[rng.permutation(len(features))[:60]] for features, _ in cases])
    mean, scale = stacked.mean(axis=0), np.maximum(stacked.std(axis=0), 0.02)
    standard = [(np.clip((features - mean) / scale, -6.0, 6.0), targets) for features, targets in cases]
    width = stacked.shape[1]
    weights = [
        rng.normal(0.0, 1.0 / np.sqrt(width), (width + 1, units)),
        rng.normal(0.0, 0.3 / np.sqrt(units), units),
        np.zeros(width),
    ]
    adam = _Adam(weights, steps=epochs * (len(cases) // _BATCH + 1))
    for _ in range(epochs):
        order = rng.permutation(len(standard))
        for start in range(0, len(order), _BATCH):
            gradients = [decay * weight for weight in weights]
            batch = [standard[index] for index in order[start : start + _BATCH]]
            for features, targets in batch:
                chosen = _sampled(targets, max_candidates, rng)
                parts = _gradients(weights, features[chosen], targets[chosen])
                for place, part in enumerate(parts):
                    gradients[place] += part / len(batch)
            adam.step(weights, gradients)
    network = ChoiceNetwork(mean, scale, weights[0], weights[1], weights[2], 1.0)
    return _with_temperature(network, held_out or cases)


class _Adam:
    """Adam (Kingma & Ba 2015) with a rate that falls as half a cosine; changes weights in place."""

    def __init__(self, weights: Sequence[Array], *, steps: int) -> None:
        self._first, self._second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
        self._steps, self._step = steps, 0

    def step(self, weights: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Take a step."""
        self._step += 1
        rate = _RATE * 0.5 * (1.0 + np.cos(np.pi * self._step / self._steps))
        for weight, gradient, first, second in zip(
            weights, gradients, self._first, self._second, strict=True
        ):
            np.add(first, (1.0 - _MOMENTS[0]) * (gradient - first), out=first)
            np.add(second, (1.0 - _MOMENTS[1]) * (np.square(gradient) - second), out=second)
            direction = first / (1.0 - _MOMENTS[0] ** self._step)
            spread = np.sqrt(second / (1.0 - _MOMENTS[1] ** self._step))
            np.subtract(weight, rate * direction / (spread + 1e-8), out=weight)


def _sampled(targets: Array, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    if len(targets) <= count:
        return np.arange(len(targets))
    wanted = np.flatnonzero(targets > 0.0)
    others = rng.permutation(np.flatnonzero(targets == 0.0))[: max(0, count - len(wanted))]
    return np.concatenate([wanted, others])


def _gradients(weights: Sequence[Array], features: Array, targets: Array) -> tuple[Array, Array, Array]:
    hidden, output, direct = weights
    units = np.tanh(features @ hidden[:-1] + hidden[-1])
    scores = units @ output + features @ direct
    exponentials = np.exp(scores - scores.max())
    error = exponentials / exponentials.sum() - targets
    back = error[:, None] * output * (1.0 - np.square(units))
    return np.vstack([features.T @ back, back.sum(axis=0)]), units.T @ error, features.T @ error


def _with_temperature(network: ChoiceNetwork, cases: Sequence[tuple[Array, Array]]) -> ChoiceNetwork:
    """Return the network with the temperature under which the targets are likeliest (Guo et al. 2017)."""

    def at(temperature: float) -> ChoiceNetwork:
        return ChoiceNetwork(
            network.mean, network.scale, network.hidden, network.output, network.direct, temperature
        )

    def surprise(temperature: float) -> float:
        tried = at(temperature)
        return -sum(
            float(np.log(max((tried.probabilities(features) * (targets > 0.0)).sum(), 1e-9)))
            for features, targets in cases
        )

    return at(min((float(value) for value in np.geomspace(0.5, 6.0, 40)), key=surprise))


def fit_logistic(claims: Array, *, prior: float = 1.0) -> tuple[float, float]:
    """Fit slope and offset of the log odds of confidences to how often they are right, by Newton's method.

    Args:
        claims: (n, 3) of confidence, share that is right, and weight.
        prior: Weight of the map that changes nothing, in claims of its own.
    """
    bounded = np.clip(claims[:, 0], 1e-4, 1.0 - 1e-4)
    odds = np.log(bounded / (1.0 - bounded))
    columns = np.column_stack([odds, np.ones_like(odds)])
    weights = claims[:, 2] / claims[:, 2].mean()
    parameters = np.array([1.0, 0.0])
    for _ in range(30):
        probabilities = 1.0 / (1.0 + np.exp(-columns @ parameters))
        gradient = columns.T @ (weights * (probabilities - claims[:, 1])) + prior * (parameters - [1.0, 0.0])
        curvature = (columns * (weights * probabilities * (1.0 - probabilities))[:, None]).T @ columns
        parameters = parameters - np.linalg.solve(curvature + prior * np.eye(2), gradient)
        parameters = np.array([np.clip(parameters[0], 0.05, 5.0), np.clip(parameters[1], -6.0, 6.0)])
    return float(parameters[0]), float(parameters[1])

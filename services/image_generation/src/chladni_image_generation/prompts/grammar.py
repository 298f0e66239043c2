"""A seeded grammar that writes prompts without any model.

Each part of a prompt is chosen among phrases in an order that the music decides; temperature says how far
down the order a choice goes, and at 0 it takes the first. Convergent prompts keep to one scene that the
features stand for; divergent ones put together a subject, a change and a place that have nothing to do with
each other, and keep the features as undertone. No phrase comes twice in a prompt, nor a divergent association
twice in a set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from chladni_image_generation.prompts import vocabulary
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

_CONVERGENT_REACH: Final = 1.2
_DIVERGENT_REACH: Final = 12.0
_MAX_TRIES: Final = 50


class GrammarWriter:
    """Writes prompts by a grammar; a `PromptWriter`."""

    name: Final = "grammar"
    model: Final = "chladni-grammar-v1"
    takes_seed: Final = True

    def write(self, order: PromptOrder, *, timeout_seconds: float) -> list[str]:  # noqa: ARG002 - it takes no time
        """Return the prompts, all different as far as the temperature lets them."""
        rng = np.random.default_rng([order.seed, list(PromptStyle).index(order.style)])
        prompts: list[str] = []
        used: set[str] = set()
        for _ in range(order.count):
            for _ in range(_MAX_TRIES):
                parts = _Parts(order, rng, used)
                prompt = parts.converge() if order.style is PromptStyle.CONVERGENT else parts.diverge()
                if prompt not in prompts or order.temperature == 0.0:
                    break
            prompts.append(prompt)
            used |= parts.associations
        return prompts


class _Parts:
    """The choices for one prompt."""

    def __init__(self, order: PromptOrder, rng: np.random.Generator, used: set[str]) -> None:
        self._features = order.features
        self._rng = rng
        self._used = used
        self._order = order
        self.associations: set[str] = set()

    def converge(self) -> str:
        """Return a prompt that keeps to the features."""
        features = self._features
        quadrant = (features.is_bright, features.is_active)
        scene = self._pick(vocabulary.SCENES[quadrant], _CONVERGENT_REACH)
        medium = self._pick(vocabulary.MEDIA, _CONVERGENT_REACH)
        details = [
            self._pick(vocabulary.MOTIONS[features.pace], _CONVERGENT_REACH),
            *self._details(_CONVERGENT_REACH),
        ]
        mood = " and ".join(features.mood[:2]) or ("joyful" if features.is_bright else "melancholic")
        palette = self._pick(vocabulary.PALETTES[quadrant], _CONVERGENT_REACH)
        light = self._pick(vocabulary.LIGHTS[quadrant], _CONVERGENT_REACH)
        article = "An" if medium[0] in "aeiou" else "A"
        return (
            f"{article} {medium} of {scene} in {light}, with a {mood} mood, {', '.join(details)}, "
            f"in {palette}."
        )

    def diverge(self) -> str:
        """Return a prompt that associates freely."""
        subject = self._pick_new(vocabulary.SUBJECTS)
        change = self._pick_new(vocabulary.CHANGES)
        place = self._pick_new(vocabulary.PLACES)
        medium = self._pick_new(vocabulary.DIVERGENT_MEDIA)
        features = self._features
        quadrant = (features.is_bright, features.is_active)
        undertone = [
            self._pick(vocabulary.MOTIONS[features.pace], _DIVERGENT_REACH),
            self._pick(vocabulary.PALETTES[quadrant], _DIVERGENT_REACH),
        ]
        opened = subject[0].upper() + subject[1:]
        began = place[0].upper() + place[1:]
        shapes = (
            f"{opened}, {change}, {place}, as a {medium} in {undertone[1]}, with {undertone[0]}.",
            f"{opened} {place}, {change}: a {medium}, {undertone[0]}, {undertone[1]}.",
            f"{began}, {subject}, {change}, a {medium} of {undertone[0]} in {undertone[1]}.",
        )
        return shapes[int(self._rng.integers(len(shapes))) if self._order.temperature > 0.0 else 0]

    def _details(self, reach: float) -> list[str]:
        features = self._features
        tonality = "minor" if "minor" in (features.tonality or features.key).lower() else "major"
        tables = [
            (vocabulary.CONTOURS, _named(features.melody_contour, vocabulary.CONTOURS)),
            (vocabulary.METERS, features.time_signature),
            (vocabulary.DYNAMICS, _named(features.dynamic_intensity, vocabulary.DYNAMICS)),
            (vocabulary.HARMONIES, tonality if features.key or features.tonality else ""),
        ]
        return [self._pick(table[name], reach) for table, name in tables if name in table]

    def _pick(self, phrases: Sequence[str], reach: float) -> str:
        """Choose a phrase: the lower in the order, the less likely, the more so the lower the temperature."""
        ordered = _ordered(phrases, self._features)
        if self._order.temperature <= 0.0:
            return ordered[0]
        weights = np.exp(-np.arange(len(ordered)) / (reach * self._order.temperature))
        return ordered[int(self._rng.choice(len(ordered), p=weights / weights.sum()))]

    def _pick_new(self, phrases: Sequence[str]) -> str:
        """Choose a phrase that no other prompt of the set has, while there is one."""
        left = [phrase for phrase in phrases if phrase not in self._used] or list(phrases)
        phrase = self._pick(left, _DIVERGENT_REACH)
        self.associations.add(phrase)
        return phrase


def _ordered(phrases: Sequence[str], features: MusicFeatures) -> list[str]:
    """Order phrases that fit equally well, otherwise for each music and the same each time."""
    described = features.described()
    return sorted(phrases, key=lambda phrase: hashlib.sha256(f"{described}|{phrase}".encode()).digest())


def _named(text: str, table: Mapping[str, Sequence[str]]) -> str:
    """Return the first name of a table that a text holds."""
    return next((name for name in table if name in text.lower()), "")

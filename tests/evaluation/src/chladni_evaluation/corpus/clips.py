"""A clip, and the plan for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from chladni_audio_features.training.synthesis.effects import faded, normalised
from chladni_audio_features.training.synthesis.timbres import Samples
from chladni_fixtures.audio import encoded

RATE_HZ: Final = 22050
_FADE_SECONDS: Final = 0.005

ValueT = TypeVar("ValueT")


@dataclass(frozen=True, eq=False)
class Clip:
    """Audio as it is sent to the services.

    Attributes:
        name: Its kind and main parameters, usable as a file name.
        kind: Kind of audio.
        detail: Its parameters for people.
        samples: (n,) float32 in [-1, 1], mono, as 16 bits hold them.
    """

    name: str
    kind: str
    detail: str
    samples: NDArray[np.float32]

    @property
    def wav(self) -> bytes:
        """The bytes of a WAV file."""
        return encoded(self.samples, rate_hz=RATE_HZ, subtype="PCM_16")

    @property
    def is_silent(self) -> bool:
        """Whether every sample is 0."""
        return not self.samples.any()


@dataclass(frozen=True, kw_only=True)
class ClipPlan:
    """How to make a clip.

    Attributes:
        kind: Kind of audio.
        name: Name without kind and number.
        detail: Its parameters for people.
        peak_db: Peak relative to full scale.
        render: Renders the audio, with a random generator for everything that has no parameter.
    """

    kind: str
    name: str
    detail: str
    peak_db: float
    render: Callable[[np.random.Generator], Samples]

    def make(self, number: int, rng: np.random.Generator) -> Clip:
        """Make the clip.

        Args:
            number: Its number among all clips.
            rng: Draws everything that has no parameter.
        """
        faded_samples = faded(self.render(rng), seconds=_FADE_SECONDS, rate_hz=RATE_HZ)
        levelled = normalised(faded_samples, peak=10.0 ** (self.peak_db / 20.0))
        samples = (np.round(levelled * 32767.0) / 32768.0).astype(np.float32)
        return Clip(
            name=f"{self.kind}-{number:02}-{self.name}",
            kind=self.kind,
            detail=f"{self.detail}, peak {self.peak_db:.0f} dB, {len(samples) / RATE_HZ:.1f} s",
            samples=samples,
        )


def spread(rng: np.random.Generator, low: float, high: float, count: int) -> list[float]:
    """Return numbers that cover a range evenly, in random order: one from each of `count` equal parts."""
    parts = (rng.permutation(count) + rng.random(count)) / max(1, count)
    return [float(value) for value in low + (high - low) * parts]


def dealt(rng: np.random.Generator, options: Sequence[ValueT], count: int) -> list[ValueT]:
    """Return options in random order, each as often as any other or once more."""
    order: list[int] = []
    while len(order) < count:
        order += rng.permutation(len(options)).tolist()
    return [options[position] for position in order[:count]]

"""What is known about machines: judgements, and sets of normal operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.images import Image
from chladni_runtime.execution.deadlines import Deadline


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyQuery:
    """What is to be judged, and how; empty and `None` leave it to the service.

    Attributes:
        clip: Audio; `None` if an image is given.
        spectrogram: A gray spectrogram image; `None` if audio is given.
        normal_set: Name of the normal set.
        backend: How distance is measured.
        shaft_speed_hz: Revolutions per second.
        with_error_map: Whether the error map is wanted.
    """

    clip: AudioClip | None = None
    spectrogram: bytes | None = None
    normal_set: str = ""
    backend: str = ""
    shaft_speed_hz: float | None = None
    with_error_map: bool = False


@dataclass(frozen=True, slots=True)
class DeviatingAttribute:
    """A quantity that left its normal range.

    Attributes:
        name: Stable name, such as ``roughness``.
        z_score: Distance from the normal mean in standard deviations.
        description: What that means, one sentence for people.
        value: What was measured, in `unit`.
        normal_mean: Mean of normal operation.
        normal_deviation: Standard deviation of normal operation.
        unit: Unit, such as ``Hz``; ``1`` for a plain number.
    """

    name: str
    z_score: float
    description: str
    value: float
    normal_mean: float
    normal_deviation: float
    unit: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """How far a machine is from normal operation.

    Attributes:
        label: ``NORMAL``, ``NEEDS MAINTENANCE`` or ``SEVERE ANOMALY``.
        score: Calibrated: below 9 is normal.
        distance: Mahalanobis distance, not scaled.
        percentile: Percentage of held-out normal audio that is nearer.
        normal_set: Normal set that was used.
        backend: How distance was measured.
        window_count: Windows of ten seconds that were judged.
        attributes: What left its normal range, the farthest first.
        error_map: The spectrogram with red where it differs; `None` unless asked for.
    """

    label: str
    score: float
    distance: float
    percentile: float
    normal_set: str
    backend: str
    window_count: int
    attributes: Sequence[DeviatingAttribute]
    error_map: Image | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNormalSet:
    """What a normal set is to be made of; empty and `None` leave it to the service.

    Attributes:
        name: Its name.
        description: One sentence for people.
        clips: Audio of normal operation.
        spectrograms: Spectrogram images of normal operation.
        encoder: What turns windows into vectors.
        backend: How distance is measured.
        shaft_speed_hz: Revolutions per second.
        replace: Whether one of the same name is replaced.
    """

    name: str
    description: str = ""
    clips: Sequence[AudioClip] = ()
    spectrograms: Sequence[bytes] = ()
    encoder: str = ""
    backend: str = ""
    shaft_speed_hz: float | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class NormalSet:
    """A set of normal operation.

    Attributes:
        name: Its name.
        description: One sentence for people.
        clip_count: Clips and images that it was made of.
        window_count: Windows that were taken from them.
        encoder: What turns windows into vectors.
        backend: How distance is measured.
        shaft_speed_hz: Revolutions per second; `None` if unknown.
        audio_seconds: Audio that it was made of; `None` for images.
        create_time: When it was made.
    """

    name: str
    description: str
    clip_count: int
    window_count: int
    encoder: str
    backend: str
    shaft_speed_hz: float | None
    audio_seconds: float | None
    create_time: datetime


@dataclass(frozen=True, slots=True)
class NormalSetPage:
    """Some of the normal sets.

    Attributes:
        normal_sets: The normal sets, by name.
        next_page_token: Where the next page begins; empty if there is none.
    """

    normal_sets: Sequence[NormalSet]
    next_page_token: str


class MachineJudge(Protocol):
    """Judges machines, and learns what is normal."""

    async def judge(self, query: AnomalyQuery, deadline: Deadline) -> Judgement:
        """Return how far a machine is from normal operation."""
        ...

    async def create_normal_set(self, new: NewNormalSet, deadline: Deadline) -> NormalSet:
        """Make a normal set."""
        ...

    async def get_normal_set(self, name: str, deadline: Deadline) -> NormalSet:
        """Return a normal set."""
        ...

    async def list_normal_sets(self, page_size: int, page_token: str, deadline: Deadline) -> NormalSetPage:
        """Return a page of the normal sets."""
        ...

    async def delete_normal_set(self, name: str, deadline: Deadline) -> bool:
        """Delete a normal set; return whether there was one."""
        ...

"""Machine listening: judgements of machines, and sets of normal operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AnomalyLabel(StrEnum):
    """Condition of a machine."""

    UNKNOWN = ""
    NORMAL = "NORMAL"
    NEEDS_MAINTENANCE = "NEEDS MAINTENANCE"
    SEVERE_ANOMALY = "SEVERE ANOMALY"


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
class AnomalyScore:
    """How far a machine is from normal operation.

    Attributes:
        result: Condition by the score.
        score: Calibrated: 99 of 100 normal clips are below 9; 15 or more is severe.
        distance: Mahalanobis distance, not scaled.
        percentile: Percentage of held-out normal audio that is nearer.
        normal_set: Normal set that was used.
        backend: How distance was measured.
        window_count: Windows of ten seconds that were judged.
        attributes: What left its normal range, the farthest first.
        error_map: PNG of the spectrogram with red where it differs from normal; empty unless asked for.
    """

    result: AnomalyLabel
    score: float
    distance: float
    percentile: float
    normal_set: str
    backend: str
    window_count: int
    attributes: tuple[DeviatingAttribute, ...]
    error_map: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class NormalSet:
    """A set of normal operation of a machine.

    Attributes:
        name: Its name.
        description: One sentence for people.
        clip_count: Clips and images that it was made of.
        window_count: Windows that were taken from them.
        encoder: What turns windows into vectors.
        backend: How distance is measured unless a call names another way.
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

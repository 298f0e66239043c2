"""What the figures should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on a figure.

    Attributes:
        relation: On which side of the bound the figure should be; the bound itself is fine.
        bound: The bound, in the figure's unit.
    """

    relation: Literal["at most", "at least"]
    bound: float

    def is_met(self, value: float) -> bool:
        """Return whether a value keeps the bound; NaN never does."""
        return value <= self.bound if self.relation == "at most" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


TARGETS: Final[Mapping[str, Target]] = {
    "embedding.c32.cpu_ms_over_model": Target("at most", 0.3),
    "embedding.c32.throughput_ratio": Target("at least", 0.95),
    "generation.serving_overhead": Target("at most", 0.03),
    "fairness.short_p95_gain": Target("at least", 3),
    "cancellation.steps_after": Target("at most", 1),
    "mel.max_difference_db": Target("at most", 2e-5),
    "burst.refused_max_ms": Target("at most", 100),
    "burst.lost": Target("at most", 0),
    "burst.internal": Target("at most", 0),
    "live.256.first_image_ms": Target("at most", 500),
    "live.256.delay_p95_ms": Target("at most", 300),
    "live.256.images_per_second": Target("at least", 10),
    "live.256.late_share": Target("at most", 0.01),
    "live.512.images_per_second": Target("at least", 6),
    "live.two_streams.least_share": Target("at least", 0.45),
    "live.still_beside_ratio": Target("at most", 2),
    "live.slow_reader_growth_mib": Target("at most", 8),
    "reproducibility.images": Target("at least", 200),
    "reproducibility.differing_images": Target("at most", 0),
    "gpu.batched_speedup_8": Target("at least", 1.7),
    "gpu.differing_images": Target("at most", 0),
}
"""Bounds by the name of the figure."""


def missed(figures: Mapping[str, float]) -> list[str]:
    """Return the names of the figures that miss their targets."""
    return [name for name, target in TARGETS.items() if name in figures and not target.is_met(figures[name])]

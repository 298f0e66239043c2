"""Figures, and the arithmetic that turns times into figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

Figures: TypeAlias = dict[str, float]
"""Numbers by name, such as ``{"burst.refused_p99_ms": 41.3}``. A name ends with its unit if it has one."""


class MeasurementError(Exception):
    """What was measured did not work as it should, so that its time means nothing; the message says how."""


def latency_figures(prefix: str, seconds: Sequence[float], percents: Sequence[int] = (50, 99)) -> Figures:
    """Return percentiles of times in milliseconds, as ``<prefix>.p<percent>_ms``.

    Raises:
        MeasurementError: There are no times.
    """
    return {f"{prefix}.p{percent}_ms": percentile(seconds, percent) * 1e3 for percent in percents}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile, between two values in proportion (Hyndman and Fan's definition 7).

    Raises:
        MeasurementError: There are no values.
    """
    if not values:
        raise MeasurementError("nothing was measured, so there is no percentile of it")
    return float(np.percentile(values, percent))


def median(values: Sequence[float]) -> float:
    """Return the median.

    Raises:
        MeasurementError: There are no values.
    """
    return percentile(values, 50)


def throughput_ceiling(
    bare_throughput_per_second: float, *, client_cpu_seconds: float, wall_seconds: float, processor_count: int
) -> float:
    """Return the most that a server could serve on a machine that it shares with its client.

    The bare path uses all processors. A client on the same machine takes ``client_cpu_seconds`` out of
    ``processor_count * wall_seconds``, which the server cannot use. So the ceiling is the bare throughput
    times the share that is left:
    ``bare * (1 - client / (processors * wall))``.

    Raises:
        MeasurementError: The client used all processors.
    """
    share = 1 - client_cpu_seconds / (processor_count * wall_seconds)
    if share <= 0:
        raise MeasurementError("the client took all processors; nothing can be said of the server")
    return bare_throughput_per_second * share


def growth_exponent(costs: Mapping[float, float]) -> float:
    """Return the exponent p of the power law ``cost = c * size ** p`` that fits best on logarithmic scales.

    1 means that twice the size costs twice as much; well below 1, that a fixed cost dominates.

    Raises:
        MeasurementError: There are fewer than two sizes, or a size or cost that is not positive.
    """
    if len(costs) < 2 or min(*costs, *costs.values()) <= 0:
        raise MeasurementError(f"no power law fits {dict(costs)}")
    exponent, _ = np.polyfit(np.log(list(costs)), np.log(list(costs.values())), deg=1)
    return float(exponent)

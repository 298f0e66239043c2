"""Short jobs behind long ones: the service's scheduler against first come, first served.

Long jobs (50 steps) arrive faster than the model completes them, and short ones (4 steps) in between, each at
a random moment of its own interval. All come from one caller, so that only length and waiting time decide.
The same arrivals are replayed on the same engine with either scheduler and the embedded model. A gain is the
time of short jobs, from arrival to image, under first come, first served, divided by that under the service's
scheduler; a cost is the same for long jobs, inverted.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from chladni_benchmarks.conditions import Conditions
from chladni_benchmarks.figures import Figures, median, percentile
from chladni_benchmarks.reports.charts import BarChart, Chart
from chladni_benchmarks.workers.worker import Worker

_LONG_STEPS: Final = 50
_SHORT_STEPS: Final = 4
_LONG_INTERVAL_STEPS: Final = 20
_ORDERS: Final = ("first_come", "fair")

_Arrival = dict[str, Any]


def measure(conditions: Conditions) -> Figures:
    """Return the times of short and long jobs under both orders, and the gain of one over the other."""
    long_count, short_count = conditions.choose((3, 8), (1, 2))
    schedule_count = conditions.choose(2, 1)
    seconds: dict[tuple[str, int], list[float]] = {
        (order, steps): [] for order in _ORDERS for steps in (_LONG_STEPS, _SHORT_STEPS)
    }
    conditions.report("loading the model")
    with Worker("scheduler_replay") as replay:
        step_seconds = replay.ask("step_seconds")
        for number in range(schedule_count):
            arrivals = _arrivals(
                random.Random(number),
                step_seconds,
                long_count=long_count,
                short_count=short_count,
            )
            for order in _ORDERS:
                conditions.report(f"schedule {number + 1} of {schedule_count}, {order.replace('_', ' ')}")
                times = replay.ask("replay", turns=order, arrivals=arrivals)
                for arrival, time in zip(arrivals, times, strict=True):
                    seconds[order, arrival["steps"]].append(time)
    figures: Figures = {}
    for order in _ORDERS:
        short, long = seconds[order, _SHORT_STEPS], seconds[order, _LONG_STEPS]
        figures |= {
            f"fairness.{order}.short_p50_seconds": median(short),
            f"fairness.{order}.short_p95_seconds": percentile(short, 95),
            f"fairness.{order}.long_p50_seconds": median(long),
            f"fairness.{order}.long_p95_seconds": percentile(long, 95),
        }
    for percent in ("p50", "p95"):
        figures[f"fairness.short_{percent}_gain"] = (
            figures[f"fairness.first_come.short_{percent}_seconds"]
            / figures[f"fairness.fair.short_{percent}_seconds"]
        )
        figures[f"fairness.long_{percent}_cost"] = (
            figures[f"fairness.fair.long_{percent}_seconds"]
            / figures[f"fairness.first_come.long_{percent}_seconds"]
        )
    return figures


def charts(figures: Mapping[str, float]) -> list[Chart]:
    """Return the times under both orders."""
    return [
        BarChart(
            "fairness",
            f"Jobs of 4 steps behind jobs of 50: p95 {figures['fairness.short_p95_gain']:.1f} times as fast",
            "seconds",
            {
                order.replace("_", " "): {
                    f"{length} {percent}": figures[f"fairness.{order}.{length}_{percent}_seconds"]
                    for length in ("short", "long")
                    for percent in ("p50", "p95")
                }
                for order in _ORDERS
            },
        )
    ]


def _arrivals(
    rng: random.Random, step_seconds: float, *, long_count: int, short_count: int
) -> list[_Arrival]:
    """Return jobs in order of arrival: the time, and the number of steps."""
    long_moments = [index * _LONG_INTERVAL_STEPS * step_seconds for index in range(long_count)]
    span_seconds = long_count * _LONG_STEPS * step_seconds
    short_moments = [(index + rng.random()) * span_seconds / short_count for index in range(short_count)]
    jobs = [(moment, _LONG_STEPS) for moment in long_moments] + [
        (moment, _SHORT_STEPS) for moment in short_moments
    ]
    return [{"at_seconds": moment, "steps": steps} for moment, steps in sorted(jobs)]

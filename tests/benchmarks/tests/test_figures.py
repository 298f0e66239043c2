"""The arithmetic between times and figures."""

from __future__ import annotations

import pytest

from chladni_benchmarks import figures
from chladni_benchmarks.figures import MeasurementError


def test_percentiles_and_their_names() -> None:
    seconds = [index / 1000 for index in range(1, 102)]
    assert figures.latency_figures("x", seconds) == pytest.approx({"x.p50_ms": 51, "x.p99_ms": 100})
    with pytest.raises(MeasurementError, match="nothing was measured"):
        figures.median([])


def test_the_ceiling_is_what_the_client_leaves() -> None:
    def ceiling(client_cpu_seconds: float) -> float:
        return figures.throughput_ceiling(
            500.0, client_cpu_seconds=client_cpu_seconds, wall_seconds=2.0, processor_count=2
        )

    assert ceiling(0.0) == 500.0
    assert ceiling(1.0) == pytest.approx(375.0)
    with pytest.raises(MeasurementError):
        ceiling(4.0)


def test_the_exponent_of_a_power_law_is_found() -> None:
    costs = {size: 3.0 * size**1.5 for size in (1.0, 4.0, 16.0, 64.0)}
    assert figures.growth_exponent(costs) == pytest.approx(1.5)
    with pytest.raises(MeasurementError):
        figures.growth_exponent({1.0: 0.0, 2.0: 1.0})
    with pytest.raises(MeasurementError):
        figures.growth_exponent({1.0: 1.0})

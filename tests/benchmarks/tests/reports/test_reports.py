"""Targets, the table and the charts."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console

from chladni_benchmarks.reports import charts, targets
from chladni_benchmarks.reports.table import figures_table


def test_a_bound_itself_is_met_and_nan_never_is() -> None:
    at_most, at_least = targets.Target("at most", 1), targets.Target("at least", 1)
    assert at_most.is_met(1)
    assert at_least.is_met(1)
    assert not at_most.is_met(1.01)
    assert not at_least.is_met(0.99)
    assert not at_most.is_met(math.nan)
    assert not at_least.is_met(math.nan)


def test_the_table_shows_what_is_met_missed_and_not_measured() -> None:
    values = {"burst.lost": 1.0, "cancellation.steps_after": 1.0, "mel.milliseconds": 7.0}
    assert targets.missed(values) == ["burst.lost"]
    terminal = io.StringIO()
    Console(width=100, file=terminal).print(figures_table(values, {"gpu": "no CUDA device"}))
    rows = {line.split()[0]: line for line in terminal.getvalue().splitlines() if line.strip()}
    assert "MISSED" in rows["burst.lost"]
    assert "met" in rows["cancellation.steps_after"]
    assert "no CUDA device" in rows["gpu"]


def test_charts_are_drawn(tmp_path: Path) -> None:
    paths = charts.draw(
        [
            charts.BarChart("bars", "Bars", "ms", {"a": {"x": 1.0, "y": 2.0}, "b": {"y": 3.0}}, limit=2.5),
            charts.LineChart("lines", "Lines", "size", "ms", {"a": {1.0: 1.0, 4.0: 0.0, 16.0: 9.0}}),
        ],
        tmp_path,
    )
    assert [path.name for path in paths] == ["bars.png", "lines.png"]
    assert all(np.asarray(Image.open(path).convert("L")).std() > 5 for path in paths)

"""The figures as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from chladni_benchmarks.reports.targets import TARGETS

_MET: Final = Text("met", style="green")
_MISSED: Final = Text("MISSED", style="bold red")


def figures_table(figures: Mapping[str, float], notes: Mapping[str, str]) -> Table:
    """Return a table of figures, each with its target and whether it is met.

    Args:
        figures: The figures; those of a section, which share the first part of their names, stand together.
        notes: For each section without figures, why it has none.
    """
    table = Table(title="Chladni on this machine", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("target")
    table.add_column("")
    for _, names in groupby(figures, key=lambda name: name.partition(".")[0]):
        for name in names:
            target = TARGETS.get(name)
            verdict = Text() if target is None else _MET if target.is_met(figures[name]) else _MISSED
            style = "bold" if target else None
            table.add_row(Text(name, style=style or ""), f"{figures[name]:,.4g}", str(target or ""), verdict)
        table.add_section()
    for section, note in notes.items():
        table.add_row(section, Text("not measured", style="yellow"), note, "")
    return table

"""The figures as a table for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from chladni_benchmarks.reports.targets import Target

_MET: Final = Text("met", style="green")
_MISSED: Final = Text("MISSED", style="bold red")


def figures_table(figures: Mapping[str, float], targets: Mapping[str, Target]) -> Table:
    """Return a table of figures, each with its target and whether it is met.

    Args:
        figures: The figures; those whose names begin with the same part stand together.
        targets: The targets; one whose figure is absent is shown as missed.
    """
    table = Table(title="The quality of Chladni", title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("target")
    table.add_column("")
    names = dict.fromkeys((*figures, *targets))
    for part in dict.fromkeys(map(_first_part, names)):
        for name in (name for name in names if _first_part(name) == part):
            _add_row(table, name, figures.get(name), targets.get(name))
        table.add_section()
    return table


def _add_row(table: Table, name: str, value: float | None, target: Target | None) -> None:
    is_met = target is not None and value is not None and target.is_met(value)
    table.add_row(
        Text(name, style="bold" if target else ""),
        Text("unavailable", style="bold red") if value is None else f"{value:,.4g}",
        str(target or ""),
        Text() if target is None else _MET if is_met else _MISSED,
    )


def _first_part(name: str) -> str:
    return name.partition(".")[0]

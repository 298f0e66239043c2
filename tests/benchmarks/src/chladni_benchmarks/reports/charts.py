"""Charts of figures, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK: Final = "#2b3a42"
_COLOURS: Final = ("#2f6f8f", "#d98324", "#6a994e", "#8f4f8f")
_SIZE_INCHES: Final = (7.2, 4.2)


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars side by side.

    Attributes:
        file_name: Name of the file without its ending.
        title: One line.
        unit: What the bars count.
        series: For each name in the legend, a height for each group.
        limit: A target, drawn as a line.
    """

    file_name: str
    title: str
    unit: str
    series: Mapping[str, Mapping[str, float]]
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines through points, on logarithmic scales, where a power law is a straight line.

    Attributes:
        file_name: Name of the file without its ending.
        title: One line.
        size: What grows, with its unit.
        unit: What it costs.
        series: For each name in the legend, the cost at each size.
    """

    file_name: str
    title: str
    size: str
    unit: str
    series: Mapping[str, Mapping[float, float]]


Chart = BarChart | LineChart


def draw(charts: Sequence[Chart], folder: Path) -> list[Path]:
    """Draw charts into a folder, which is created if absent; return the files."""
    # Imported here because it takes half a second, which --help should not need.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    mpl.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for chart in charts:
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        if isinstance(chart, BarChart):
            _draw_bars(axes, chart)
        else:
            _draw_lines(axes, chart)
        axes.set_title(chart.title, color=_INK, loc="left", fontsize=11)
        axes.set_ylabel(chart.unit, color=_INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
        if len(chart.series) > 1:
            axes.legend(frameon=False, fontsize=9)
        paths.append(folder / f"{chart.file_name}.png")
        figure.savefig(paths[-1], dpi=130)
    return paths


def _draw_bars(axes: Axes, chart: BarChart) -> None:
    groups = list(dict.fromkeys(group for heights in chart.series.values() for group in heights))
    width = 0.8 / len(chart.series)
    for index, (name, heights) in enumerate(chart.series.items()):
        offset = (index - (len(chart.series) - 1) / 2) * width
        bars = axes.bar(
            [groups.index(group) + offset for group in heights],
            list(heights.values()),
            width,
            label=name,
            color=_COLOURS[index % len(_COLOURS)],
        )
        axes.bar_label(bars, fmt="%.3g", fontsize=8, padding=2, color=_INK)
    axes.set_xticks(range(len(groups)), groups)
    axes.margins(y=0.12)
    if chart.limit is not None:
        axes.axhline(chart.limit, color="#b23a48", linestyle="--", linewidth=1)
        axes.annotate(
            f"target {chart.limit:g}", (1, chart.limit), xycoords=("axes fraction", "data"),
            xytext=(-4, 4), textcoords="offset points", ha="right", fontsize=8, color="#b23a48",
        )  # fmt: skip


def _draw_lines(axes: Axes, chart: LineChart) -> None:
    for index, (name, points) in enumerate(chart.series.items()):
        shown = {size: cost for size, cost in points.items() if cost > 0}  # a logarithm has no 0
        axes.plot(list(shown), list(shown.values()), "o-", label=name, color=_COLOURS[index % len(_COLOURS)])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = sorted({size for points in chart.series.values() for size in points})
    axes.set_xticks(sizes, [f"{size:g}" for size in sizes])
    axes.set_xlabel(chart.size, color=_INK)

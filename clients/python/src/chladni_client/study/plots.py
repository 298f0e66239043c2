"""Plots of convergent against divergent prompts, by matplotlib."""

from __future__ import annotations

import io
import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from chladni_client.study.creativity import METRICS, MODES, SCORES_FILE
from chladni_client.study.records import write_file

PLOT_FILE: Final = "convergent_vs_divergent.png"
_COLORS: Final = ("#33658a", "#f26419")


def draw_comparison(folder: Path) -> bool:
    """Draw the scores of convergent against divergent prompts; return whether matplotlib is installed.

    Args:
        folder: The folder of scores, which gets the plot.
    """
    if find_spec("matplotlib") is None:
        return False
    scores = json.loads((folder / SCORES_FILE).read_bytes())
    figure_module: Any = import_module("matplotlib.figure")
    figure = figure_module.Figure(figsize=(10, 4), layout="constrained")
    for place, name in enumerate(METRICS):
        axes = figure.add_subplot(1, len(METRICS), place + 1)
        values = [
            [score[name] for score in scores if score["mode"] == mode and score[name] is not None] or [0.0]
            for mode in MODES
        ]
        boxes = axes.boxplot(values, widths=0.6, patch_artist=True, showmeans=True)
        for box, color in zip(boxes["boxes"], _COLORS, strict=True):
            box.set_facecolor(color)
        axes.set_xticks([1, 2], MODES)
        axes.set_ylim(0, 1)
        axes.set_title(name.capitalize())
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, metadata={"Software": None})
    write_file(folder / PLOT_FILE, content.getvalue())
    return True

"""Targets, the table, contact sheets and progress."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from rich.console import Console

from chladni_evaluation.image_files import encoded_png
from chladni_evaluation.reports.contact_sheet import Row, Tile, draw_sheet
from chladni_evaluation.reports.progress import ProgressDisplay
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import TARGETS, missed, targets_of
from chladni_evaluation.sections import SECTIONS

EVERY_TARGET = targets_of([section.name for section in SECTIONS])


def test_targets_belong_to_sections_and_to_their_figures() -> None:
    assert TARGETS.keys() <= {section.name for section in SECTIONS} | {"clips"}
    assert len(EVERY_TARGET) == sum(map(len, TARGETS.values()))


def test_what_is_absent_is_missed() -> None:
    assert missed({}, EVERY_TARGET) == list(EVERY_TARGET)
    targets = targets_of(["effect"])
    good = {
        "clips.count": 100,
        "clips.speech": 1,
        "audio_effect_ratio": 1.6,
        "audio_effect_ratio.p": 0.0002,
        "mantel.correlation": 0.5,
        "mantel.p": 0.0002,
        "mantel.librosa": 0.45,
    }
    assert missed(good, targets) == []
    assert missed(good | {"mantel.p": 0.001, "audio_effect_ratio": 1.5}, targets) == [
        "audio_effect_ratio",
        "mantel.p",
    ]
    assert missed(good | {"mantel.correlation": math.nan}, targets) == ["mantel.correlation"]


def test_the_table_shows_what_is_met_missed_and_absent() -> None:
    figures = {"mantel.correlation": 0.7, "audio_effect_ratio": 1.2, "richness.art.edge_density": 0.1}
    terminal = io.StringIO()
    Console(width=100, file=terminal).print(figures_table(figures, EVERY_TARGET))
    rows = {line.split()[0]: line for line in terminal.getvalue().splitlines() if line.strip()}
    assert "met" in rows["mantel.correlation"]
    assert "MISSED" in rows["audio_effect_ratio"]
    assert "unavailable" in rows["retrieval.image_to_clip.r1"]
    assert "MISSED" in rows["retrieval.image_to_clip.r1"]
    assert "met" not in rows["richness.art.edge_density"]


def test_a_sheet_holds_every_image_where_it_belongs() -> None:
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]
    tiles = [
        Tile(encoded_png(np.full((50, 50, 3), colour, np.uint8)), "a caption longer than it has room " * 4)
        for colour in colours
    ]
    sheet = draw_sheet([Row("two", tiles[:2]), Row("", tiles[2:])], title="t", subtitle="s", tile_pixels=40)
    pixels = np.asarray(sheet)
    counts = [(pixels == colour).all(axis=2).sum() for colour in colours]
    assert counts == [1600, 1600, 1600]
    places = [np.argwhere((pixels == colour).all(axis=2)).mean(axis=0) for colour in colours]
    assert places[0][0] == places[1][0] < places[2][0]
    assert places[0][1] == places[2][1] < places[1][1]


def test_work_keeps_its_order_and_its_first_error() -> None:
    progress = ProgressDisplay(Console(file=io.StringIO()))
    assert progress.each("work", range(50), lambda number: number * number, at_once=4) == [
        number * number for number in range(50)
    ]
    with pytest.raises(ZeroDivisionError):
        progress.each("work", range(5), lambda number: 1 // number, at_once=2)

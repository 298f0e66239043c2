"""The command line, the targets, the table and the sheets."""

import io
import math
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from rich.console import Console

from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import MeasurementError
from chladni_evaluation.clients.errors import answered
from chladni_evaluation.image_files import encoded_png, reduced
from chladni_evaluation.reports.contact_sheet import Row, Tile, draw_sheet
from chladni_evaluation.reports.progress import ProgressDisplay
from chladni_evaluation.reports.table import figures_table
from chladni_evaluation.reports.targets import TARGETS, missed, targets_of
from chladni_evaluation.sections import SECTIONS
from chladni_evaluation.sections.speed import weights_bytes

EVERY_TARGET = targets_of([section.name for section in SECTIONS])


def run_program(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "chladni_evaluation", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_section_and_option_and_nonsense_is_refused() -> None:
    shown = run_program("--help")
    assert shown.returncode == 0
    assert all(section.name in shown.stdout and section.question in shown.stdout for section in SECTIONS)
    assert all(option in shown.stdout for option in ("--seed ", "--clips", "--seeds", "--similarity"))
    refused = run_program("--clips", "0")
    assert refused.returncode == 2
    assert "must be 1 or more" in refused.stderr


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


def test_a_reduced_image_holds_means() -> None:
    halves = np.zeros((64, 64, 3), np.uint8)
    halves[::2] = 100
    np.testing.assert_array_equal(reduced(encoded_png(halves), 32), np.full((32, 32, 3), 50))


def test_work_keeps_its_order_and_its_first_error() -> None:
    progress = ProgressDisplay(Console(file=io.StringIO()))
    assert progress.each("work", range(50), lambda number: number * number, at_once=4) == [
        number * number for number in range(50)
    ]
    with pytest.raises(ZeroDivisionError):
        progress.each("work", range(5), lambda number: 1 // number, at_once=2)


class RefusedCall(grpc.RpcError):
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return "the reason"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.UNIMPLEMENTED, NotMeasurableError),
        (grpc.StatusCode.NOT_FOUND, NotMeasurableError),
        (grpc.StatusCode.INVALID_ARGUMENT, MeasurementError),
        (grpc.StatusCode.INTERNAL, MeasurementError),
    ],
)
def test_what_is_not_offered_is_told_from_what_fails(code: grpc.StatusCode, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"Paint answers {code.name}: the reason"), answered("Paint"):
        raise RefusedCall(code)


def test_all_weights_of_a_folder_are_counted(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.safetensors").write_bytes(b"12345")
    (tmp_path / "two.safetensors").write_bytes(b"123")
    (tmp_path / "config.json").write_bytes(b"{}")
    assert weights_bytes(tmp_path) == 8

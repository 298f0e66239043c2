"""The command line, from one cheap section to its chart."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

from PIL import Image

from chladni_benchmarks.sections import SECTIONS


def run_bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chladni_benchmarks", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_section_alone_gives_figures_a_table_and_a_chart(tmp_path: Path) -> None:
    output = tmp_path / "deep" / "figures.json"
    finished = run_bench("--quick", "--only", "mel", "--output", str(output))
    assert finished.returncode == 0, finished.stderr
    written = json.loads(output.read_text())
    assert {name.partition(".")[0] for name in written} == {"machine", "mel"}
    assert all(math.isfinite(value) and value >= 0 for value in written.values())
    assert written["mel.max_difference_db"] <= 2e-5
    assert "mel.max_difference_db" in finished.stdout
    with Image.open(output.parent / "bench" / "mel.png") as chart:
        assert chart.width > 500


def test_help_names_every_section_and_an_unknown_one_is_refused() -> None:
    shown = run_bench("--help")
    assert shown.returncode == 0
    assert all(section.name in shown.stdout and section.question in shown.stdout for section in SECTIONS)
    assert run_bench("--only", "melody").returncode == 2

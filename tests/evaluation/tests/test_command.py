"""The command line."""

from __future__ import annotations

import subprocess
import sys

from chladni_evaluation.sections import SECTIONS


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
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

"""Each fault that was found names the tests that show it, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TABLE = REPOSITORY / "tests/robustness/FAULTS.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TABLE.read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| fault ")
]


def test_the_table_has_rows():
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:50])
def test_a_fault_names_tests_that_exist(row):
    tests = re.findall(r"`([\w/]+)::(test_\w+)`", row[1])
    assert tests
    assert row[1].count("`") == 2 * len(tests)
    for folder, name in tests:
        files = (REPOSITORY / folder).rglob("test_*.py")
        pattern = re.compile(rf"^(async )?def {name}\(", re.MULTILINE)
        assert any(pattern.search(path.read_text("utf-8")) for path in files), f"{folder}::{name}"

"""The table of properties in `tests/README.md` names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_every_property_is_held_by_tests_that_exist():
    text = (REPOSITORY / "tests" / "README.md").read_text()
    rows = re.findall(r"^\| (\d+)\. .*?\| (.*) \|$", text, flags=re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 19))
    for number, cell in rows:
        named = re.findall(r"`([^`:]+)::(\w+)`", cell)
        assert named, f"property {number} names no test"
        for folder, test in named:
            sources = (REPOSITORY / folder).rglob("test_*.py")
            assert any(re.search(rf"def {test}\(", source.read_text()) for source in sources), (
                f"property {number}: {folder} has no {test}"
            )

"""The table of properties in `tests/README.md` names tests that exist, are tagged and have examples."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
TEXT = (REPOSITORY / "tests" / "README.md").read_text()
ROWS = {
    int(number): re.findall(r"`([^`:]+)::(\w+)`", cell)
    for number, cell in re.findall(r"^\| (\d+)\. .*?\| (.*) \|$", TEXT, flags=re.MULTILINE)
}
MIN_EXAMPLES = 100


def functions_of(folder, name):
    """Returns the test functions of a name in a folder, each with the source of its file."""
    for path in (REPOSITORY / folder).rglob("test_*.py"):
        source = path.read_text()
        if re.search(rf"def {name}\(", source):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
                    yield node, source


def example_count_of(function, source):
    """Returns the number of generated examples that the decorators of a test say; 0 if none does."""
    for decorator in map(ast.unparse, function.decorator_list):
        constant = re.search(
            rf"^{re.escape(decorator)} = settings\(\s*max_examples=(\d+)", source, flags=re.MULTILINE
        )
        count = re.search(r"max_examples=(\d+)", decorator) or constant
        if count:
            return int(count[1])
    return 0


def test_there_are_eighteen_properties():
    assert sorted(ROWS) == list(range(1, 19))


@pytest.mark.parametrize("number", range(1, 19))
def test_every_property_is_held_by_tests_that_exist(number):
    assert ROWS[number], "it names no test"
    for folder, test in ROWS[number]:
        assert list(functions_of(folder, test)), f"{folder} has no {test}"


@pytest.mark.parametrize("number", range(1, 19))
def test_a_test_of_each_property_is_tagged_and_has_a_hundred_examples(number):
    tag = rf"Feature: voice-to-image-system,.*Property {number}:"
    counts = [
        example_count_of(function, source)
        for folder, test in ROWS[number]
        for function, source in functions_of(folder, test)
        if re.search(tag, ast.get_docstring(function) or "")
    ]
    assert counts, "no test of it has its tag"
    assert max(counts) >= MIN_EXAMPLES

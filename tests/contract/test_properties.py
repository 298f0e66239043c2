"""The table of properties in `tests/README.md` names tests that exist, are tagged and have examples.

The examples are the same in every process, whatever it did before.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.internal.constants_ast import is_local_module_file

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


def test_examples_do_not_depend_on_what_is_imported(tmp_path, monkeypatch):
    drawn = []

    @settings(max_examples=200, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(), st.text(), st.floats(), st.binary())
    def draw(integer, text, number, data):
        drawn.append(repr((integer, text, number, data)))

    draw()
    module = tmp_path / "constants_of_its_own.py"
    module.write_text(
        "".join(f"A{n} = {n}, {n}.5, 'text {n}', b'bytes {n}'\n" for n in range(100_000, 100_050))
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    importlib.import_module(module.stem)
    assert is_local_module_file(str(module)), "Hypothesis would look for constants in it"
    before, drawn[:] = drawn[:], []
    draw()
    assert len(before) == 200
    assert drawn == before

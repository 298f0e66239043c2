"""The check of the examples in other languages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"


@pytest.fixture(scope="module")
def check_examples():
    spec = importlib.util.spec_from_file_location("check_examples", CLIENTS / "check_examples.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_an_example_that_does_nothing_is_found_out(check_examples):
    missed = "misses: writes the image, reports progress, tries again.*ends with 1 if the image is too large"
    with pytest.raises(SystemExit, match=missed):
        check_examples.check([sys.executable, "-c", "pass"])


def test_every_language_but_python_has_an_example_and_its_check(check_examples):
    folders = {folder.name for folder in CLIENTS.iterdir() if folder.is_dir()}
    assert folders - {"python", "__pycache__"} == set(check_examples.LANGUAGES)


def test_unknown_languages_are_named(check_examples, capsys):
    with pytest.raises(SystemExit):
        check_examples.main(["cobol"])
    assert "There is no example in cobol" in capsys.readouterr().err

"""Runs of training for tests."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_TOY_RUN = Path(__file__).with_name("toy_run.py")


@pytest.fixture(scope="session")
def toy_run():
    """The module of the toy run."""
    spec = importlib.util.spec_from_file_location("toy_run", _TOY_RUN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

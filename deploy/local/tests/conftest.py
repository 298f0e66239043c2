"""Tiny services in place of the real ones; `stand_in.py` says how they behave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chladni_local.services import SERVICES, Service


@pytest.fixture
def stand_in_modules(tmp_path, monkeypatch):
    """Modules by the names of the real ones, and two more; each runs a stand-in."""
    folder = tmp_path / "modules"
    folder.mkdir()
    modules = {service.module: service.name for service in SERVICES}
    for module, name in (modules | {"stand_in_front": "front", "stand_in_back": "back"}).items():
        (folder / f"{module}.py").write_text(
            f"import os\nos.environ['STAND_IN'] = {name!r}\nimport stand_in\n"
        )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(Path(__file__).parent)]))
    monkeypatch.setenv("STAND_IN_STOPS", str(tmp_path / "stops"))


@pytest.fixture
def stand_ins(stand_in_modules):
    """Two services, `front` that calls `back`."""
    return (
        Service("back", "stand_in_back", {"grpc": 50991}),
        Service("front", "stand_in_front", {"grpc": 50992}, backends=("back",)),
    )


@pytest.fixture
def stops(tmp_path):
    """Return the services that have stopped in good order, with the backend that they knew."""

    def stops():
        path = tmp_path / "stops"
        return path.read_text().splitlines() if path.exists() else []

    return stops


@pytest.fixture(scope="session")
def scripts():
    """The folder of the programs."""
    return Path(__file__).parents[1]

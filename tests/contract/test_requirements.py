"""Each package that is declared is pinned, and each pin is of a package that something needs."""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
OURS = "chladni"


def _lines(name: str) -> list[str]:
    lines = (REPOSITORY / "requirements" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def _declared() -> set[str]:
    found = _names(_lines("development.txt"))
    folders = ("protos", "services", "clients", "deploy", "tests")
    for path in (path for folder in folders for path in (REPOSITORY / folder).rglob("pyproject.toml")):
        content = tomllib.loads(path.read_text())
        project = content["project"]
        found |= _names(project.get("dependencies", []))
        for extra in project.get("optional-dependencies", {}).values():
            found |= _names(extra)
        found |= _names(content["build-system"]["requires"])
    return {name for name in found if not name.startswith(OURS)}


def _needed(declared: set[str]) -> set[str]:
    """Return what packages need that are declared, with any of their extras that pins allow for."""
    found: set[str] = set()
    waiting = [*declared]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            required = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:  # of an extra that is not installed here
            continue
        waiting += [
            canonicalize_name(item.name) for item in map(Requirement, required) if _may_apply(item.marker)
        ]
    return found


def _may_apply(marker: object) -> bool:
    return not re.search(r"extra == .(dev|docs?|tests?|testing|cover|coverage|all|full)", str(marker))


def test_each_package_is_pinned_once_and_needed() -> None:
    pins = [canonicalize_name(Requirement(line).name) for line in _lines("constraints.txt")]
    declared = _declared()
    assert sorted(set(pins)) == sorted(pins)
    assert declared <= set(pins)
    assert set(pins) - _needed(declared) == set()

"""Every contract carries the options that the generators of other languages need, in one form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROTOS = Path(__file__).parents[2] / "protos"
FILES = sorted((PROTOS / "chladni").rglob("*.proto"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(PROTOS).as_posix())
def test_a_contract_has_the_options_of_other_languages(file):
    text = file.read_text()
    (package,) = re.findall(r"^package ([\w.]+);", text, re.MULTILINE)
    *names, version = package.removeprefix("chladni.").split(".")
    found = dict(re.findall(r'^option (\w+) = "?(.+?)"?;$', text, re.MULTILINE))
    assert found == {
        "csharp_namespace": ".".join(part.capitalize() for part in package.split(".")),
        "go_package": f"chladni.dev/go/{'/'.join(names)}/{version};{''.join(names)}{version}",
        "java_multiple_files": "true",
        "java_package": f"dev.{package}",
    }

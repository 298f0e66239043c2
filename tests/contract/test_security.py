"""The limits that SECURITY.md states are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chladni_gateway.config import GatewaySettings
from chladni_runtime.settings import ServiceSettings

TEXT = (Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.partition("## Limits")[2].splitlines()
    if line.startswith("| ") and "`" in line
]
MEBIBYTE = 1024 * 1024


def settings_of(row):
    return [name.lower() for name in re.findall(r"`([A-Z_]+)`", row[2])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_setting_exists_for_the_services_that_are_said_to_have_it(row):
    names = settings_of(row)
    assert names
    for name in names:
        assert name in GatewaySettings.model_fields
        if row[2].endswith("*"):
            assert name in ServiceSettings.model_fields
        else:
            assert name not in ServiceSettings.model_fields or len(names) > 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_default_is_the_one_that_is_stated(row):
    stated = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", row[1])]
    unit = MEBIBYTE if "MiB" in row[1] else 3600 if "hours" in row[1] else 1
    for name in settings_of(row):
        default = GatewaySettings().model_dump()[name]
        if isinstance(default, (int, float)):
            assert {default, default / unit} & set(stated), name


def test_every_limit_of_the_gateway_is_listed():
    listed = {name for row in ROWS for name in settings_of(row)}
    limits = {name for name in GatewaySettings.model_fields if name.startswith("max_")}
    shown = {
        "max_live_seconds",
        "max_audio_seconds",
        "max_remembered_jobs",
    }  # of what is done, not of who may do it
    assert limits - shown <= listed

"""Settings: read once, all faults together, nothing silently ignored."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import Field

from chladni_runtime.settings import (
    Port,
    ServiceSettings,
    SettingsError,
    load_settings,
    load_settings_or_exit,
)


class ExampleSettings(ServiceSettings):
    environment_prefix: ClassVar[str] = "CHLADNI_EXAMPLE_"

    grpc_port: Port = 50099
    metrics_port: Port = 9199
    model: str = "embedded"
    steps: int = Field(20, ge=1, le=150)


def test_defaults_and_values_from_the_environment():
    settings = load_settings(
        ExampleSettings, {"CHLADNI_EXAMPLE_STEPS": "12", "CHLADNI_OTHER_STEPS": "x", "PATH": "/bin"}
    )
    assert settings.steps == 12
    assert settings.model == "embedded"
    assert settings.host == "127.0.0.1"


def test_every_fault_is_reported_in_one_error():
    with pytest.raises(SettingsError) as caught:
        load_settings(
            ExampleSettings,
            {
                "CHLADNI_EXAMPLE_STEPS": "0",
                "CHLADNI_EXAMPLE_GRPC_PORT": "http",
                "CHLADNI_EXAMPLE_MODLE": "sd",
                "CHLADNI_EXAMPLE_ZZZ": "1",
            },
        )
    message = str(caught.value)
    assert "4 fault(s)" in message
    assert "CHLADNI_EXAMPLE_STEPS" in message
    assert "CHLADNI_EXAMPLE_GRPC_PORT" in message
    assert "did you mean CHLADNI_EXAMPLE_MODEL?" in message
    assert "CHLADNI_EXAMPLE_ZZZ: no such setting" in message


def test_settings_do_not_change():
    settings = load_settings(ExampleSettings, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.steps = 3


def test_faults_end_the_process_with_status_2(monkeypatch, capsys):
    monkeypatch.setenv("CHLADNI_EXAMPLE_STEPS", "many")
    with pytest.raises(SystemExit) as caught:
        load_settings_or_exit(ExampleSettings)
    assert caught.value.code == 2
    assert "CHLADNI_EXAMPLE_STEPS" in capsys.readouterr().err

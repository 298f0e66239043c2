"""A scripted gateway on loopback, clients of it, and the command."""

from __future__ import annotations

import os
import sys
import wave
from pathlib import Path

import pytest
from grpc_health.v1.health import HealthServicer
from typer.testing import CliRunner

from chladni_client import AsyncClient, Client, RetryPolicy
from chladni_client.cli.app import build_app
from chladni_fakes.scripted_gateway.messages import (
    bare_error,
    creation_events_in_two_parts,
    png_of,
    raw_latents_of,
    rich_error,
)
from chladni_fakes.scripted_gateway.script import Script
from chladni_fakes.scripted_gateway.server import start_server


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def health():
    return HealthServicer()


@pytest.fixture
def target(script, health):
    """Address of a server that answers as the script says."""
    server, address = start_server(script, health)
    yield address
    server.stop(None).wait()


@pytest.fixture
def quick_retries():
    return RetryPolicy(max_attempts=3, initial_backoff_seconds=0.002, max_backoff_seconds=0.01)


@pytest.fixture
async def async_client(target, quick_retries):
    async with AsyncClient(target, audio_features_target=target, retry_policy=quick_retries) as client:
        yield client


@pytest.fixture
def client(target, quick_retries):
    with Client(target, audio_features_target=target, retry_policy=quick_retries) as client:
        yield client


@pytest.fixture(name="rich_error")
def rich_error_fixture():
    return rich_error


@pytest.fixture(name="bare_error")
def bare_error_fixture():
    return bare_error


@pytest.fixture(name="png_of", scope="session")
def png_of_fixture():
    return png_of


@pytest.fixture(name="raw_latents_of", scope="session")
def raw_latents_of_fixture():
    return raw_latents_of


@pytest.fixture(name="creation_events_in_two_parts")
def creation_events_in_two_parts_fixture():
    return creation_events_in_two_parts


def write_wav(path, samples, *, sample_rate_hz=8000, channel_count=1, sample_bytes=2):
    """Writes integer samples, of which each is `sample_bytes` little-endian bytes, as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channel_count)
        file.setsampwidth(sample_bytes)
        file.setframerate(sample_rate_hz)
        file.writeframes(
            b"".join(
                int(sample).to_bytes(sample_bytes, "little", signed=sample_bytes > 1) for sample in samples
            )
        )
    return path


@pytest.fixture(name="write_wav", scope="session")
def write_wav_fixture():
    return write_wav


@pytest.fixture(name="start_server")
def start_server_fixture():
    return start_server


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder: an empty one, with an environment that names no server."""
    path = tmp_path / "here"
    path.mkdir()
    monkeypatch.chdir(path)
    for name in [name for name in os.environ if name.startswith("CHLADNI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("NO_COLOR", "1")
    return path


@pytest.fixture
def installed_command(folder):
    """Path of the installed command `chladni`."""
    return Path(sys.executable).with_name("chladni")


@pytest.fixture
def run(folder):
    """Runs the command in this process, which is quicker than the installed one."""

    def run(*arguments, stdin=None):
        return CliRunner().invoke(build_app(), [*map(str, arguments)], input=stdin, prog_name="chladni")

    return run

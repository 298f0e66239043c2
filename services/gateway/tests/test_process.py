"""The service as a process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def environment(tmp_path):
    return dict(os.environ) | {
        "CHLADNI_GATEWAY_IMAGE_FOLDER": str(tmp_path / "images"),
        "CHLADNI_GATEWAY_GRPC_PORT": "0",
        "CHLADNI_GATEWAY_HTTP_PORT": "0",
        "CHLADNI_GATEWAY_METRICS_PORT": "0",
        "CHLADNI_GATEWAY_DRAIN_DELAY_SECONDS": "0",
    }


def address_in(log):
    """Returns where a gateway listens for HTTP, from the lines that it logged until it was ready."""
    assert '"ready"' in log[-1], "".join(log)
    (port,) = [facts["http_port"] for line in log if "http_port" in (facts := json.loads(line))]
    return f"http://127.0.0.1:{port}"


def test_it_serves_on_http_stays_small_logs_json_and_ends_on_sigterm(environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "chladni_gateway"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        log = []
        for line in process.stderr:
            log.append(line)
            if '"ready"' in line:
                break
        address = address_in(log)
        assert httpx.get(f"{address}/").status_code == 200
        assert httpx.get(f"{address}/api/v1/health").status_code == 503
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident_kilobytes = int(status.split("VmRSS:")[1].split()[0])
        assert resident_kilobytes < 150_000
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"path": "/api/v1/health", "status": 503' in errors
    assert "Traceback" not in errors


async def test_a_gateway_that_is_killed_leaves_no_work_behind(backends, environment, eventually):
    targets = {
        "CHLADNI_GATEWAY_AUDIO_FEATURES_TARGET": backends.servers["audio-features"].target,
        "CHLADNI_GATEWAY_IMAGE_GENERATION_TARGET": backends.servers["image-generation"].target,
    }
    backends.image_generation.may_go_on.clear()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chladni_gateway", env=environment | targets, stderr=asyncio.subprocess.PIPE
    )
    try:
        log = []
        async for line in process.stderr:
            log.append(line.decode())
            if '"ready"' in log[-1]:
                break
        async with httpx.AsyncClient(base_url=address_in(log)) as http:
            creation = asyncio.create_task(http.post("/api/v1/generate", files={"file": b"RIFF"}))
            await eventually(lambda: backends.image_generation.running == 1)
            process.kill()
            with pytest.raises(httpx.TransportError):
                await creation
        await eventually(lambda: backends.image_generation.cancelled == 1)
        assert backends.image_generation.running == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def test_wrong_settings_end_it_at_once(environment):
    result = subprocess.run(
        [sys.executable, "-m", "chladni_gateway"],
        env=environment | {"CHLADNI_GATEWAY_MAX_IMAGES": "none"},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 2
    assert "CHLADNI_GATEWAY_MAX_IMAGES" in result.stderr


def imported_with(modules):
    """The top-level modules that a fresh interpreter has after some imports."""
    code = f"import sys, {modules}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def messages_imported_with(modules):
    """The packages of the contract that a fresh interpreter has after some imports."""
    listing = "[name.rpartition('.')[0] for name in sys.modules if '_pb2' in name]"
    code = f"import sys, {modules}; print(*{listing})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name for name in result.stdout.split() if name.startswith("chladni.")}


def test_it_does_without_heavy_libraries():
    assert not {"numpy", "torch", "scipy", "PIL", "av"} & imported_with("chladni_gateway.composition")


def test_what_it_does_knows_nothing_of_its_transports():
    modules = (
        "chladni_gateway.application, chladni_gateway.recipes.embedded, chladni_gateway.storage.image_folder"
    )
    assert not {"grpc", "fastapi", "starlette"} & imported_with(modules)
    # The reasons of errors are read from their descriptor; of the contract nothing else is known.
    assert messages_imported_with(modules) == {"chladni.errors.v1"}

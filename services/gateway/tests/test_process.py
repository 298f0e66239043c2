"""The service as a process."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


@pytest.fixture
def environment(tmp_path):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return dict(os.environ) | {
        "CHLADNI_GATEWAY_IMAGE_FOLDER": str(tmp_path / "images"),
        "CHLADNI_GATEWAY_GRPC_PORT": str(ports[0]),
        "CHLADNI_GATEWAY_HTTP_PORT": str(ports[1]),
        "CHLADNI_GATEWAY_METRICS_PORT": str(ports[2]),
        "CHLADNI_GATEWAY_DRAIN_DELAY_SECONDS": "0",
    }


def test_it_serves_on_http_stays_small_logs_json_and_ends_on_sigterm(environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "chladni_gateway"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        for line in process.stderr:
            if '"ready"' in line:
                break
        address = f"http://127.0.0.1:{environment['CHLADNI_GATEWAY_HTTP_PORT']}"
        assert httpx.get(f"{address}/").status_code == 200
        assert httpx.get(f"{address}/api/health").status_code == 503
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident_kilobytes = int(status.split("VmRSS:")[1].split()[0])
        assert resident_kilobytes < 150_000
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"path": "/api/health", "status": 503' in errors
    assert "Traceback" not in errors


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


def test_it_does_without_heavy_libraries():
    assert not {"numpy", "torch", "scipy", "PIL"} & imported_with("chladni_gateway.composition")


def test_what_it_does_knows_nothing_of_its_transports():
    modules = "chladni_gateway.workshop, chladni_gateway.embedded_recipe, chladni_gateway.folder_store"
    assert not {"grpc", "chladni", "fastapi", "starlette"} & imported_with(modules)

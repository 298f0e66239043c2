"""The service as a process: what it imports, how it starts, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

IMPORTS = """
import sys
import chladni_similarity.composition, chladni_similarity.config
print(sorted({"torch", "transformers"} & set(sys.modules)))
"""


def test_importing_the_service_loads_no_model_library():
    answer = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_service_starts_serves_and_ends_on_sigterm():
    environ = os.environ | {
        "CHLADNI_SIMILARITY_GRPC_PORT": "0",
        "CHLADNI_SIMILARITY_METRICS_PORT": "0",
        "CHLADNI_SIMILARITY_DRAIN_DELAY_SECONDS": "0",
    }
    command = [sys.executable, "-m", "chladni_similarity"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        logs = []
        for line in process.stderr:
            logs.append(json.loads(line))
            if logs[-1]["message"] == "ready":
                break
        (listening,) = (entry for entry in logs if entry["message"] == "listening")
        with grpc.insecure_channel(f"127.0.0.1:{listening['grpc_port']}") as channel:
            response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert response.status == health_pb2.HealthCheckResponse.SERVING
    loaded = [entry["model"] for entry in logs if entry["message"] == "model loaded"]
    left_out = [entry["model"] for entry in logs if entry["message"].startswith("model left out")]
    assert loaded[0] == "efficientnet-lite0"
    # The second is left out, and that is said, until it has been trained.
    assert loaded + left_out == ["efficientnet-lite0", "chladni-alignment"]


def test_wrong_settings_end_the_process_at_once_with_every_fault():
    environ = os.environ | {"CHLADNI_SIMILARITY_MODELS": "?", "CHLADNI_SIMILARITY_PORT": "1"}
    answer = subprocess.run(
        [sys.executable, "-m", "chladni_similarity"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 2
    assert "2 fault(s)" in answer.stderr

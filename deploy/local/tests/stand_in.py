"""A tiny service in place of a real one: it answers on every port that its environment names.

Its name is in STAND_IN, and the fault that it plays, if any, in STAND_IN_<NAME>: `crash` at the start,
`slow` (never ready) or `stubborn` (deaf to SIGTERM). SIGUSR1 makes it end with an error.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import HealthServicer

NAME = os.environ["STAND_IN"].upper().replace("-", "_")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
FAULT = os.environ.get(f"STAND_IN_{NAME}", "")


def listen_on_other_ports():
    """Open the ports that are not gRPC's."""
    listeners = []
    for variable, port in os.environ.items():
        is_own = variable.startswith(f"CHLADNI_{NAME}_") and variable.endswith("_PORT")
        if is_own and variable != f"CHLADNI_{NAME}_GRPC_PORT":
            listener = socket.create_server(("127.0.0.1", int(port)))
            listeners.append(listener)
    return listeners


def serve():
    print(f"{NAME} starts as {os.getpid()} with {FAULT or 'no fault'}", file=sys.stderr, flush=True)
    if FAULT == "crash":
        raise SystemExit("the weights are missing")
    received = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, _frame: received.append(number))
    if FAULT == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    health = HealthServicer()
    health.set("", NOT_SERVING if FAULT == "slow" else SERVING)
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    if NAME in {"GATEWAY", "AUDIO_FEATURES"}:
        stand_in_servicers = importlib.import_module("stand_in_servicers")  # slow, and so only where needed
        stand_in_servicers.register(server)
    server.add_insecure_port(f"127.0.0.1:{os.environ[f'CHLADNI_{NAME}_GRPC_PORT']}")
    server.start()
    listeners = listen_on_other_ports()
    while not received:
        time.sleep(0.02)
    if signal.SIGUSR1 in received:
        raise SystemExit("the disk is full")
    server.stop(None)
    for listener in listeners:
        listener.close()
    with Path(os.environ["STAND_IN_STOPS"]).open("a") as stops:
        stops.write(f"{NAME.lower()} {os.environ.get('CHLADNI_FRONT_BACK_TARGET')}\n")


serve()

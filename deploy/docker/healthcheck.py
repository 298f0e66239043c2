"""Exit with 0 if a gRPC service reports that it is SERVING, else with 1.

The images' HEALTHCHECK; it needs only packages that every service needs anyway.

    python healthcheck.py 127.0.0.1:50051 chladni.audio.v1.AudioFeatureService
"""

from __future__ import annotations

import sys
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_SECONDS: Final = 3.0  # Less than the timeout of the HEALTHCHECK itself.


def is_serving(target: str, service: str) -> bool:
    """Return whether the service at `target` (``host:port``) answers SERVING in time."""
    # A proxy in the environment is for addresses outside of this container.
    with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    _, given_target, given_service = sys.argv
    sys.exit(0 if is_serving(given_target, given_service) else 1)

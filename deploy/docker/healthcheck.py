"""Exit with 0 if a gRPC service reports that it is SERVING, else with 1.

The images' HEALTHCHECK, and the probe of clusters whose services speak TLS, which Kubernetes' own probes do
not. It needs only packages that every service needs anyway.

    python healthcheck.py 127.0.0.1:50051 chladni.audio.v1.AudioFeatureService

If the service's environment names a certificate, the check trusts that certificate alone, and shows it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import grpc
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_SECONDS: Final = 3.0  # Less than the timeout of the HEALTHCHECK itself.

_CERTIFICATE: Final = re.compile(r"(CHLADNI_[A-Z_]+?)(?<!_BACKEND)_TLS_CERTIFICATE")
# A proxy in the environment is for addresses outside of this container.
_OPTIONS: Final = [("grpc.enable_http_proxy", 0)]


def is_serving(target: str, service: str, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the service at `target` (``host:port``) answers SERVING in time."""
    with _open_channel(target, os.environ if environ is None else environ) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _open_channel(target: str, environ: Mapping[str, str]) -> grpc.Channel:
    matches = (_CERTIFICATE.fullmatch(name) for name, value in environ.items() if value)
    prefix = next((match[1] for match in matches if match), None)
    if prefix is None:
        return grpc.insecure_channel(target, options=_OPTIONS)
    certificate = Path(environ[f"{prefix}_TLS_CERTIFICATE"]).read_bytes()
    key = Path(environ[f"{prefix}_TLS_KEY"]).read_bytes()
    return grpc.secure_channel(
        target,
        grpc.ssl_channel_credentials(certificate, key, certificate),
        options=[*_OPTIONS, ("grpc.ssl_target_name_override", _name_in(certificate))],
    )


def _name_in(certificate: bytes) -> str:
    """Return a name for which a certificate is."""
    leaf = x509.load_pem_x509_certificates(certificate)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return found[0]


if __name__ == "__main__":
    _, given_target, given_service = sys.argv
    sys.exit(0 if is_serving(given_target, given_service) else 1)

"""Whether traces are recorded: OpenTelemetry's variables decide; without them nothing of it is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from chladni_runtime.telemetry.spans import UnrecordedTracer

if TYPE_CHECKING:
    from chladni_runtime.telemetry.spans import Tracer

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"
_UNKNOWN_VERSION: Final = "unknown"


class TracingError(Exception):
    """The environment asks for traces that this installation cannot send."""


def tracer_of_environment(service: str, environ: Mapping[str, str] | None = None) -> Tracer:
    """Return the tracer that OpenTelemetry's variables ask for: by default one that records nothing.

    Args:
        service: Name of the service.
        environ: The variables; the process's own if absent.

    Raises:
        TracingError: They ask for a protocol that is not supported, or OpenTelemetry is not installed.
    """
    environ = os.environ if environ is None else environ
    if not _is_asked_for(environ):
        return UnrecordedTracer()
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _PROTOCOL)
    if protocol != _PROTOCOL:
        raise TracingError(
            f"{' or '.join(_PROTOCOLS)} is {protocol!r}; traces are sent by {_PROTOCOL} alone, to "
            "port 4318 of most collectors."
        )
    try:
        from chladni_runtime.telemetry.otlp import new_tracer  # noqa: PLC0415 - only where it is asked for
    except ModuleNotFoundError as error:
        raise TracingError(
            f"{next(name for name in _ENDPOINTS if environ.get(name))} is set, but {error.name} is not "
            "installed: install chladni-runtime[tracing]."
        ) from None
    return new_tracer(service, version_of(service))


def version_of(service: str) -> str:
    """Return the version of a service, such as ``audio-features``."""
    try:
        return version(f"chladni-{service}")
    except PackageNotFoundError:
        return _UNKNOWN_VERSION


def _is_asked_for(environ: Mapping[str, str]) -> bool:
    return (
        any(environ.get(name) for name in _ENDPOINTS)
        and environ.get("OTEL_SDK_DISABLED", "").lower() != "true"
        and environ.get("OTEL_TRACES_EXPORTER", "otlp") != "none"
    )

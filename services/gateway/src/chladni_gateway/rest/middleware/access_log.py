"""The access log: identifier, log line and metrics of every request, and the answer to unexpected errors."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from http import HTTPMethod, HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from chladni_contract.metadata import REQUEST_ID_KEY
from chladni_gateway.rest.errors import error_response, internal_error
from chladni_runtime.logs import REQUEST_ID
from chladni_runtime.telemetry.scope import current_telemetry, observed
from chladni_runtime.telemetry.spans import SpanKind
from chladni_runtime.telemetry.trace_context import TRACEPARENT_KEY, TRACESTATE_KEY, parse_trace_context
from chladni_runtime.telemetry.work_metrics import exemplar_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from chladni_gateway.metrics import HttpMetrics

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_METHODS: Final = frozenset(HTTPMethod)
_NO_ROUTE: Final = "none"
_MAX_LOGGED_PATH: Final = 256

_log = logging.getLogger(__name__)


class AccessLogMiddleware:
    """ASGI middleware that identifies, logs, counts and times requests.

    Args:
        app: The application.
        metrics: Metrics of requests.
    """

    def __init__(self, app: ASGIApp, *, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._telemetry = current_telemetry()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_KEY, "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        parent = parse_trace_context(headers.get(TRACEPARENT_KEY, ""), headers.get(TRACESTATE_KEY, ""))
        telemetry = self._telemetry.root(_method_of(scope), parent=parent, kind=SpanKind.SERVER)
        token = REQUEST_ID.set(request_id)
        try:
            with observed(telemetry):
                if scope["type"] == "websocket":
                    await self._app(scope, receive, send)
                else:
                    await self._observe(request_id, scope, receive, send)
        finally:
            REQUEST_ID.reset(token)
            telemetry.span.end()

    async def _observe(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        started_at = time.monotonic()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        has_started = False

        async def observed_send(message: Message) -> None:
            nonlocal status, has_started
            if message["type"] == "http.response.start":
                status, has_started = message["status"], True
                MutableHeaders(scope=message)[REQUEST_ID_KEY] = request_id
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.exception("a request failed unexpectedly")
            if has_started:
                raise
            await error_response(internal_error())(scope, receive, observed_send)
            del error
        finally:
            self._record(scope, status, time.monotonic() - started_at)

    def _record(self, scope: Scope, status: int, duration_seconds: float) -> None:
        method = _method_of(scope)
        route = getattr(scope.get("route"), "path_format", _NO_ROUTE)
        span = current_telemetry().span
        exemplar = exemplar_of(span)
        self._metrics.requests.labels(method, route, str(status)).inc(exemplar=exemplar)
        self._metrics.duration.labels(method, route).observe(duration_seconds, exemplar)
        if span.is_recorded:
            span.set_attributes(
                {
                    "http.request.method": method,
                    "http.route": route,
                    "http.response.status_code": status,
                    "chladni.request_id": REQUEST_ID.get(),
                }
            )
        _log.info(
            "request finished",
            extra={
                "method": method,
                "path": scope["path"][:_MAX_LOGGED_PATH],
                "status": status,
                "duration_ms": round(duration_seconds * 1000, 3),
                "client": scope["client"][0] if scope.get("client") else "",
            },
        )


def _method_of(scope: Scope) -> str:
    method = scope.get("method", "GET")  # which a WebSocket begins with
    return method if method in _METHODS else "OTHER"

"""Structured logs: one JSON object a line, with the identifiers of the request and its trace."""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TextIO

from chladni_runtime.telemetry.scope import current_telemetry

if TYPE_CHECKING:
    from types import TracebackType

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Identifier of the request that the current task serves; empty outside of requests."""

_log = logging.getLogger(__name__)

_MAX_DELAY_SECONDS: Final = 0.05
_STANDARD_FIELDS: Final = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", None, None)) | {"message": "", "asctime": ""}
)


class JsonFormatter(logging.Formatter):
    """Records, with what was given as `extra`, as lines of JSON.

    Args:
        service: Name of the service, in every line.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encode = json.JSONEncoder(default=str).encode  # json.dumps would create one for every line

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {key: item for key, item in vars(record).items() if key not in _STANDARD_FIELDS}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return self._encode(entry)


class BufferedHandler(logging.Handler):
    """Lines that are written together, at most 0.05 s late; a warning is written at once, after what waits.

    The thread that logs only appends the record. A thread of the handler formats and writes the records: a
    write releases the interpreter's lock, which a busy event loop would have to win back for every call from
    the threads that compute.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._records: deque[logging.LogRecord] = deque()
        self._has_records = threading.Event()
        self._is_closed = False
        self._writing = threading.Lock()  # the handler's own lock is held by the thread that logs
        threading.Thread(target=self._write_regularly, name="logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        if request_id := REQUEST_ID.get():
            record.request_id = request_id  # read here, while the request is the current one
        if (context := current_telemetry().span.context) is not None:
            record.trace_id, record.span_id = context.trace_id, context.span_id
        self._records.append(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        elif not self._has_records.is_set():
            self._has_records.set()

    def flush(self) -> None:
        """Write the records that wait; logging also calls this when the process ends."""
        with self._writing:
            self._has_records.clear()
            lines = []
            while self._records:
                record = self._records.popleft()
                try:
                    lines.append(self.format(record) + "\n")
                except Exception:  # noqa: BLE001 - logging never fails the work that it describes
                    self.handleError(record)
            with suppress(OSError, ValueError):  # the stream is closed: nobody reads it
                self._stream.write("".join(lines))
                self._stream.flush()

    def close(self) -> None:
        """Write the records that wait, and stop the thread."""
        self.flush()
        self._is_closed = True
        self._has_records.set()
        super().close()

    def _write_regularly(self) -> None:
        while self._has_records.wait() and not self._is_closed:
            time.sleep(_MAX_DELAY_SECONDS)
            self.flush()


def configure_logging(service: str, level: str, stream: TextIO | None = None) -> None:
    """Send every log of the process to a stream (standard error if absent) as JSON lines.

    Python's warnings and exceptions that nobody handles become lines too. gRPC's core writes lines of its own
    unless the environment's `GRPC_VERBOSITY` is NONE, as it is in the images and under `make up`.
    """
    handler = BufferedHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _log_exception
    threading.excepthook = lambda caught: _log_exception(
        caught.exc_type, caught.exc_value, caught.exc_traceback
    )
    sys.unraisablehook = lambda caught: _log_exception(
        caught.exc_type, caught.exc_value, caught.exc_traceback
    )


def _log_exception(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    if error is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit)):
        _log.error("an exception was not handled", exc_info=(kind, error, traceback))

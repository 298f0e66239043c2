"""Structured logs: one JSON object a line, with the request's identifier."""

import json
import logging
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

REQUEST_ID: Final[ContextVar[str]] = ContextVar("request_id", default="")
"""Identifier of the request that the current task works for; empty outside of requests."""

_MAX_DELAY_SECONDS: Final = 0.05
_STANDARD_FIELDS: Final = frozenset(
    vars(logging.LogRecord("", 0, "", 0, "", None, None)) | {"message": "", "asctime": ""}
)


class JsonFormatter(logging.Formatter):
    """Formats a record, and whatever was given as `extra`, as one line of JSON.

    Args:
        service: Name of the service, in every line.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._encode = json.JSONEncoder(default=str).encode  # json.dumps would make a new encoder a line

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line of a record."""
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


class PatientHandler(logging.Handler):
    """Writes lines together, a twentieth of a second late at most; a warning at once, after what waits.

    Whoever logs only notes the record. A thread of the handler makes lines of records and writes them: a
    write gives up the interpreter's lock, which a busy event loop would have to win back for every call from
    the threads that compute.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._records: deque[logging.LogRecord] = deque()
        self._has_news = threading.Event()
        self._is_closed = False
        self._writing = threading.Lock()  # the handler's own lock is held by whoever logs
        threading.Thread(target=self._write_regularly, name="logs", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record."""
        if request_id := REQUEST_ID.get():
            record.request_id = request_id  # noted here, where the request is the current one
        self._records.append(record)
        if record.levelno >= logging.WARNING:
            self.flush()
        elif not self._has_news.is_set():
            self._has_news.set()

    def flush(self) -> None:
        """Writes what waits; logging calls this also when the process ends."""
        with self._writing:
            self._has_news.clear()
            lines = []
            while self._records:
                record = self._records.popleft()
                try:
                    lines.append(self.format(record) + "\n")
                except Exception:  # noqa: BLE001 - no log ever fails what it tells of
                    self.handleError(record)
            with suppress(OSError, ValueError):  # the stream is closed: nobody is left to be told
                self._stream.write("".join(lines))
                self._stream.flush()

    def close(self) -> None:
        """Writes what waits, and ends."""
        self.flush()
        self._is_closed = True
        self._has_news.set()
        super().close()

    def _write_regularly(self) -> None:
        while self._has_news.wait() and not self._is_closed:
            time.sleep(_MAX_DELAY_SECONDS)
            self.flush()


def configure_logging(service: str, level: str, stream: TextIO | None = None) -> None:
    """Sends every log of the process to a stream (standard error if absent) as JSON lines."""
    handler = PatientHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)

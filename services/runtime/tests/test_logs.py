"""Log lines: what they hold and when they are written."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest

from chladni_runtime.logs import REQUEST_ID, BufferedHandler, JsonFormatter


@pytest.fixture
def stream():
    return StringIO()


@pytest.fixture
def log(stream):
    handler = BufferedHandler(stream)
    handler.setFormatter(JsonFormatter("example"))
    # Not in the tree of loggers: pytest handles those, and raises what cannot be formatted.
    logger = logging.Logger("example", logging.DEBUG)  # noqa: LOG001
    logger.addHandler(handler)
    yield logger
    handler.close()


def lines_of(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_holds_what_was_given_and_whose_request_it_is(log, stream):
    token = REQUEST_ID.set("abc")
    try:
        log.warning("slow %s", "model", extra={"seconds": 2.5, "path": object})
    finally:
        REQUEST_ID.reset(token)
    (line,) = lines_of(stream)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING", "service": "example", "logger": "example", "message": "slow model",
        "request_id": "abc", "seconds": 2.5, "path": str(object),
    }  # fmt: skip


def test_lines_are_written_by_themselves(log, stream):
    log.info("one")
    log.info("two")
    patience = time.monotonic() + 5
    while len(lines_of(stream)) < 2 and time.monotonic() < patience:
        time.sleep(0.001)
    assert [line["message"] for line in lines_of(stream)] == ["one", "two"]
    log.info("three")
    while len(lines_of(stream)) < 3 and time.monotonic() < patience:
        time.sleep(0.001)
    assert lines_of(stream)[-1]["message"] == "three"


def test_a_warning_is_written_at_once_after_what_waits(log, stream):
    log.info("first")
    log.warning("second")
    assert [line["message"] for line in lines_of(stream)] == ["first", "second"]


def test_closing_writes_what_waits(log, stream):
    log.info("last")
    log.handlers[0].close()
    assert [line["message"] for line in lines_of(stream)] == ["last"]


def test_a_trace_is_part_of_its_line(log, stream):
    try:
        int("wrong")
    except ValueError:
        log.exception("failed")
    (line,) = lines_of(stream)
    assert "ValueError: invalid literal" in line["exception"]


def test_what_cannot_be_logged_raises_nothing(log, stream, capsys):
    log.info("%d", "no number")
    log.info("fine")
    log.handlers[0].flush()
    assert [line["message"] for line in lines_of(stream)] == ["fine"]
    assert "no number" in capsys.readouterr().err
    stream.close()
    log.warning("to a closed stream")


def test_lines_of_many_threads_are_whole_and_in_the_order_of_each(log, stream):
    def log_as(name):
        for number in range(200):
            log.log(logging.WARNING if number % 50 == 7 else logging.INFO, name, extra={"number": number})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log_as, "abcd"))
    log.handlers[0].flush()
    for name in "abcd":
        numbers = [line["number"] for line in lines_of(stream) if line["message"] == name]
        assert numbers == list(range(200))


PROCESS = """
import threading, warnings
from chladni_runtime.logs import configure_logging
configure_logging("example", "INFO")
warnings.warn("a warning")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
class Unraisable:
    def __del__(self):
        raise ValueError("in a finaliser")
Unraisable()
raise RuntimeError("in the main thread")
"""


def test_what_nobody_handles_is_a_line_too():
    ended = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert "a warning" in lines[0]["message"]
    errors = ["ZeroDivisionError", "in a finaliser", "in the main thread"]
    assert all(error in line["exception"] for error, line in zip(errors, lines[1:], strict=True))

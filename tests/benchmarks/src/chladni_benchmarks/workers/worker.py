"""A program of this package in a process of its own, which is idle until it gets a command.

Both sides speak lines of JSON through pipes: ``[command, arguments]`` there, ``{"result": ...}`` or
``{"error": ...}`` back. While a process waits for its next line it takes no processor time, so that two
processes can be measured in turn without disturbing each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final, Self

from chladni_benchmarks.figures import MeasurementError

_STOP_SECONDS: Final = 5.0


class Worker:
    """Runs a program of this package while the context lasts.

    Args:
        program: Name of its module.
        arguments: Its command line.
    """

    def __init__(self, program: str, *arguments: str) -> None:
        self._program = program
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"chladni_benchmarks.workers.{program}", *arguments],
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout  # noqa: PT018
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    @property
    def pid(self) -> int:
        """Process identifier."""
        return self._process.pid

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a command and return its result.

        Raises:
            MeasurementError: It failed, or the process ended.
        """
        self.send(command, **arguments)
        return self.receive()

    def send(self, command: str, **arguments: Any) -> None:
        """Send a command without waiting for its result; see `receive`.

        Raises:
            MeasurementError: The process has ended.
        """
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps([command, arguments]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def receive(self) -> Any:
        """Return the result of the oldest command without one.

        Raises:
            MeasurementError: It failed, or the process ended.
        """
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        answer = json.loads(line)
        if "error" in answer:
            raise MeasurementError(f"{self._program}: {answer['error']}")
        return answer["result"]

    def _ended(self) -> MeasurementError:
        return MeasurementError(f"{self._program} ended with status {self._process.wait()}; see above")

"""The program's side of `chladni_benchmarks.workers.worker`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any


def answer_commands(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Answer the commands on standard input until it is closed.

    Output of a command goes to standard error, because standard output carries the answers.

    Args:
        commands: Functions by name; they take keyword arguments and return what JSON can hold.
    """
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        name, arguments = json.loads(line)
        try:
            answer = {"result": commands[name](**arguments)}
        except Exception as error:  # noqa: BLE001 - reported to the measurement, which ends with it
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

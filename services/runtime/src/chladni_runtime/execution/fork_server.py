"""The program that the processes of a `ProcessPool` are forked from.

It runs in a process of its own that has one thread, no gRPC and no socket but the pool's, and has imported
what the functions need, so a process is forked from it in milliseconds, and shares that memory. It ends with
the pool's process, as its children do, whatever the end.

    python -P -c "from chladni_runtime.execution.fork_server import main; main()" DESCRIPTOR
"""

from __future__ import annotations

import array
import importlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chladni_runtime.execution.memory import exempt_from_collection
from chladni_runtime.execution.process_channel import load_trusted, receive_object, send_object

_STATUS: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = resource.getpagesize()
_DESCRIPTOR_BYTES: Final = array.array("i").itemsize


@dataclass(frozen=True, slots=True)
class Preparation:
    """What the fork server does before it forks anything.

    Attributes:
        modules: Names of the modules that it imports.
        warm_up: Function without arguments that it calls then, to fill tables and caches; `None` for none.
    """

    modules: tuple[str, ...] = ()
    warm_up: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A call that a process makes.

    Attributes:
        function: What to call.
        args: Its arguments.
        cpu_seconds: Processor time after which the kernel ends the process.
        memory_bytes: Address space that it may take beside what it has.
    """

    function: Callable[..., object]
    args: tuple[object, ...]
    cpu_seconds: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call: its result, or what it raised."""

    result: object = None
    error: Exception | None = None


def main() -> None:
    """Serve the pool whose socket has the descriptor that is the first argument."""
    # The pool's process decides when these end; a signal to the whole group must not break calls in progress.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        prepare(receive_object(control, load_trusted, maps_memory=False))
        send_object(control, os.getpid())
        while True:
            channel = _receive_channel(control)
            if not os.fork():
                control.close()
                serve_tasks(channel)
            channel.close()
    except (EOFError, OSError):
        os._exit(0)


def prepare(preparation: Preparation) -> None:
    """Import and warm up what the functions need."""
    for name in preparation.modules:
        importlib.import_module(name)
    if preparation.warm_up is not None:
        preparation.warm_up()
    exempt_from_collection()  # the collector would touch, and so copy, every page that processes share


def serve_tasks(channel: socket.socket) -> None:
    """Make the calls that come through a socket until it closes; then end the process."""
    try:
        send_object(channel, os.getpid())
        while True:
            task = receive_object(channel, load_trusted, maps_memory=True)
            outcome = _run(task)
            del task  # its memory is given back before the next one comes
            _send_outcome(channel, outcome)
            del outcome
    finally:
        os._exit(0)


def _run(task: Task) -> Outcome:
    used_seconds = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    pages = int(_STATUS.read_text(encoding="ascii").split()[0])
    try:
        _limit(resource.RLIMIT_CPU, int(used_seconds) + task.cpu_seconds + 1)
        _limit(resource.RLIMIT_AS, pages * _PAGE_BYTES + task.memory_bytes)
        return Outcome(result=task.function(*task.args))
    except Exception as error:  # noqa: BLE001 - raised again in the pool's process
        return Outcome(error=error.with_traceback(None))
    finally:
        _limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
        _limit(resource.RLIMIT_CPU, resource.RLIM_INFINITY)


def _limit(kind: int, value: int) -> None:
    """Set a limit, or the one that the system sets if that is lower: only root may go above it."""
    _, system_limit = resource.getrlimit(kind)
    limits = [limit for limit in (value, system_limit) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(kind, (min(limits, default=resource.RLIM_INFINITY), system_limit))


def _send_outcome(channel: socket.socket, outcome: Outcome) -> None:
    try:
        send_object(channel, outcome)
    except (AttributeError, TypeError, ValueError) as error:  # an error or a result that cannot be pickled
        kind = type(outcome.error or outcome.result).__name__
        send_object(channel, Outcome(error=RuntimeError(f"{kind} cannot be returned: {error}")))


def _receive_channel(control: socket.socket) -> socket.socket:
    """Return the socket of the next process.

    Raises:
        EOFError: The pool has ended.
    """
    _, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(_DESCRIPTOR_BYTES))
    if not ancillary:
        raise EOFError
    descriptors = array.array("i", ancillary[0][2])
    return socket.socket(fileno=descriptors[0])

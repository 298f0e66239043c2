"""Functions in processes of their own, within limits: for libraries in C that read hostile bytes.

A function that crashes, hangs, or needs too much time or memory costs its caller an error and the pool one
process, which is replaced in milliseconds. Its caller may also leave: the process is ended then.
"""

from __future__ import annotations

import array
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from chladni_contract.errors import FieldViolation, Reason, restore_error
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.fork_server import Outcome, Preparation, Task
from chladni_runtime.execution.process_channel import ResultUnpickler, receive_object, send_object

ResultT = TypeVar("ResultT")

_START_SECONDS: Final = 60.0
_POLL_MS: Final = 20
_MAX_TASKS: Final = 1000
"""Calls after which a process is replaced, so that what libraries leak does not add up."""
_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_SERVER_PROGRAM: Final = "from chladni_runtime.execution.fork_server import main; main()"
_SINGLE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_COMMON_TYPES: Final = (Outcome, FieldViolation, Reason, restore_error)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """What one call may take.

    Attributes:
        cpu_seconds: Processor time.
        wall_seconds: Time from its start.
        memory_bytes: Address space, beside the arguments and what every process has.
    """

    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int


class ProcessEndedError(Exception):
    """The process that ran a function ended: it crashed, or the kernel ended it for want of memory."""


class ProcessTimeoutError(ProcessEndedError):
    """The function took too long, and was ended.

    Args:
        limit_seconds: Time that it may take.
        kind: Which time that is, such as "processor time".
    """

    def __init__(self, limit_seconds: float, kind: str) -> None:
        super().__init__(f"it took more than {limit_seconds:g} s of {kind}")
        self.limit_seconds = limit_seconds


class ProcessPool:
    """A fixed number of processes that make calls for the threads of this one.

    Safe to use from any thread. Use as a context manager, or call `start` and `close`; it is no matter which
    threads and sockets this process has by then, because nothing is forked from it. Linux only.

    Args:
        process_count: Calls at a time; others wait.
        limits: What one call may take.
        modules: Modules that the functions need, imported before the first call.
        warm_up: Function without arguments, of an importable module, that is called once before the first
            call.
        result_types: Classes of which results and errors are made, beside Python's own, NumPy's arrays and
            what errors of Chladni consist of. Others cannot come back.
    """

    def __init__(
        self,
        process_count: int,
        *,
        limits: ProcessLimits,
        modules: Iterable[str] = (),
        warm_up: Callable[[], object] | None = None,
        result_types: Iterable[Any] = (),
    ) -> None:
        self.limits = limits
        self.process_count = process_count
        self._preparation = Preparation(tuple(modules), warm_up)
        self._result_types = (*_COMMON_TYPES, *result_types)
        self._free = threading.Semaphore(process_count)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._server: _Server | None = None
        self._is_closed = False
        self._busy_count = 0
        self.replaced_count = 0
        """Processes that ended, or were ended, during a call."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def busy_count(self) -> int:
        """Calls in progress."""
        return self._busy_count

    def start(self) -> None:
        """Start the processes; takes as long as importing the modules."""
        with self._lock:
            self._idle = [self._fork() for _ in range(self.process_count)]

    def close(self) -> None:
        """End the processes; calls in progress fail."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
            server, self._server = self._server, None
        for process in idle:
            process.end()
        if server is not None:
            server.end()

    def run(
        self,
        function: Callable[..., ResultT],
        *args: object,
        token: CancellationToken | None = None,
        limits: ProcessLimits | None = None,
    ) -> ResultT:
        """Call a function in a process and return its result.

        Args:
            function: A function of an importable module.
            *args: Arguments that can be pickled; bytes in a `pickle.PickleBuffer` arrive as a read-only
                memoryview of shared memory, or as bytes if they are few.
            token: Whether the result is still wanted; the call ends once it is not.
            limits: What this call may take, instead of the pool's.

        Raises:
            ChladniError: The result is not wanted any more.
            ProcessTimeoutError: The call took too long.
            ProcessEndedError: The process crashed.
            MemoryError: The call needed too much memory.
            Exception: What the function raises.
        """
        token = token or CancellationToken()
        while not self._free.acquire(timeout=_POLL_MS / 1000):
            token.check("before a process was free")
        self._busy_count += 1
        try:
            process = self._take()
            try:
                outcome = process.call(function, args, limits or self.limits, token, self._result_types)
            except BaseException:
                process.end()
                self.replaced_count += 1
                raise
            self._give_back(process)
        finally:
            self._busy_count -= 1
            self._free.release()
        if outcome.error is not None:
            raise outcome.error
        result: ResultT = outcome.result  # type: ignore[assignment]
        return result

    def _take(self) -> _Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.end()
            return self._fork()

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            if not self._is_closed and process.task_count < _MAX_TASKS:
                self._idle.append(process)
                return
        process.end()

    def _fork(self) -> _Process:
        if self._is_closed:
            raise ProcessEndedError("the pool is closed")
        for is_last_try in (False, True):
            if self._server is None:
                self._server = _Server(self._preparation)
            try:
                return self._server.fork()
            except (EOFError, OSError):
                self._server.end()
                self._server = None
                if is_last_try:
                    raise
        raise AssertionError("one of two tries returns or raises")


class _Server:
    """The fork server."""

    def __init__(self, preparation: Preparation) -> None:
        self._control, other = socket.socketpair()
        with other:
            self._program = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-P", "-c", _SERVER_PROGRAM, str(other.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(other.fileno(),),
                env=os.environ | _SINGLE_THREAD,
            )
        self._control.settimeout(_START_SECONDS)
        try:
            send_object(self._control, preparation)
            _receive_plain(self._control)
        except (EOFError, OSError):
            self.end()
            raise

    def fork(self) -> _Process:
        channel, other = socket.socketpair()
        try:
            with other:
                descriptors = array.array("i", [other.fileno()])
                self._control.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
            channel.settimeout(_START_SECONDS)
            return _Process(channel, _receive_plain(channel))
        except BaseException:
            channel.close()
            raise

    def end(self) -> None:
        self._control.close()
        self._program.kill()
        self._program.wait()


class _Process:
    """One process of the pool."""

    def __init__(self, channel: socket.socket, process_id: int) -> None:
        self._channel = channel
        self._process_id = process_id
        # It waits for its first call, so the number is still its own.
        self._handle = os.pidfd_open(process_id)
        self.task_count = 0

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not _is_readable(self._handle, 0)

    def call(
        self,
        function: Callable[..., object],
        args: tuple[object, ...],
        limits: ProcessLimits,
        token: CancellationToken,
        result_types: tuple[Any, ...],
    ) -> Outcome:
        self.task_count += 1
        started_at = time.monotonic()
        self._channel.settimeout(limits.wall_seconds)
        cpu_seconds_before = self._cpu_seconds()
        try:
            send_object(
                self._channel, Task(function, args, round(limits.cpu_seconds) + 1, limits.memory_bytes)
            )
            while not _is_readable(self._channel.fileno(), _POLL_MS):
                if token.should_stop:
                    token.check("during a computation")
                if time.monotonic() - started_at > limits.wall_seconds:
                    raise ProcessTimeoutError(limits.wall_seconds, "time")
                if self._cpu_seconds() - cpu_seconds_before > limits.cpu_seconds:
                    raise ProcessTimeoutError(limits.cpu_seconds, "processor time")
            outcome = receive_object(
                self._channel,
                lambda data, buffers: ResultUnpickler(data, buffers, types=result_types).load(),
                maps_memory=False,
            )
        except TimeoutError:
            raise ProcessTimeoutError(limits.wall_seconds, "time") from None
        except (EOFError, ConnectionError, pickle.UnpicklingError) as error:
            raise ProcessEndedError(str(error)) from None
        if not isinstance(outcome, Outcome):
            raise ProcessEndedError("the process answered with something else")
        return outcome

    def end(self) -> None:
        """End it, whatever it does, and wait until its memory is free."""
        self._channel.close()
        try:
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            _is_readable(self._handle, 1000)
        except ProcessLookupError:
            pass
        finally:
            os.close(self._handle)

    def _cpu_seconds(self) -> float:
        try:
            status = Path(f"/proc/{self._process_id}/stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0.0
        user_ticks, system_ticks = status.rpartition(")")[2].split()[11:13]
        return (int(user_ticks) + int(system_ticks)) / _TICKS_PER_SECOND


def _is_readable(descriptor: int, timeout_ms: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(timeout_ms))


def _receive_plain(channel: socket.socket) -> int:
    """Return the number of a process that has just started."""
    number = receive_object(
        channel, lambda data, buffers: ResultUnpickler(data, buffers, types=()).load(), maps_memory=False
    )
    return int(number)

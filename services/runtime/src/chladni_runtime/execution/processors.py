"""The processors that this process may use, and which of its threads go first."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path
from typing import Final

_CGROUP_ROOT: Final = Path("/sys/fs/cgroup")
_ADDED_NICENESS: Final = 5


def available_processor_count(cgroup_root: Path = _CGROUP_ROOT) -> int:
    """Return how many threads should compute at a time, at least 1.

    That is the number of processors that the process may run on, or less if its container has a CPU limit:
    more threads than that would be throttled in the middle of their work.

    Args:
        cgroup_root: Directory where the control group of the process is mounted (version 2).
    """
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, math.ceil(_cgroup_limit(cgroup_root / "cpu.max"))))


def yield_to_event_loop() -> None:
    """Lower the priority of this thread, and of those that it will start, below that of the event loop.

    A model may use every processor; otherwise a new call would wait for a time slice before the event loop
    reads it. Made to be the `initializer` of a pool; does nothing if threads have no priority of their own.
    """
    if hasattr(os, "setpriority"):
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _ADDED_NICENESS)


def _cgroup_limit(path: Path) -> float:
    """Return the limit in processors; a number beyond any if there is no limit or no control group."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number: no limit
        return 2.0**31

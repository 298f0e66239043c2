"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

_CGROUP_ROOT: Final = Path("/sys/fs/cgroup")


def available_processor_count(cgroup_root: Path = _CGROUP_ROOT) -> int:
    """Returns how many threads of computing make sense: at least 1.

    That is the number of processors that the process may run on, or less where its container has a CPU
    limit: more threads than that would be throttled, each in the middle of its work.

    Args:
        cgroup_root: Where the control group of the process is mounted (version 2).
    """
    allowed = len(os.sched_getaffinity(0))
    return max(1, min(allowed, math.ceil(_cgroup_limit(cgroup_root / "cpu.max"))))


def _cgroup_limit(path: Path) -> float:
    """Returns the limit in processors, infinite where there is none or no control group."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max" is no number: no limit
        return 2.0**31

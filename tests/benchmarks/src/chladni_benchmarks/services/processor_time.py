"""How much processor time a process has used."""

from __future__ import annotations

import os
from pathlib import Path


def processor_seconds(pid: int) -> float:
    """Returns the user and system time of a process, all its threads together, ended ones included.

    Linux counts it exactly and tells it in ticks, usually of 10 ms.
    """
    # The name, in parentheses, may hold spaces; the fields are numbered from it. See proc(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user_ticks, system_ticks = int(fields[11]), int(fields[12])
    return (user_ticks + system_ticks) / os.sysconf("SC_CLK_TCK")

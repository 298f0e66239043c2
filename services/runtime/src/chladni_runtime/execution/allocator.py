"""What the process does with memory that arrays no longer need.

glibc hands large blocks back to the kernel as soon as they are freed, above thresholds that begin at
128 KB. NumPy's intermediate arrays are larger than that: each analysis would get its memory as fresh pages,
and having the kernel clear thousands of them took a quarter to a half of the time of an analysis.
"""

from __future__ import annotations

import ctypes
from typing import Final

# Parameters of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3

_LARGEST_KEPT_BYTES: Final = 32 * 1024 * 1024  # as much as glibc allows for one block
_KEPT_BYTES: Final = 64 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Lets the process keep up to 64 MB of freed memory for each of its threads.

    Returns:
        Whether the C library could be told so; other libraries than glibc have ways of their own.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(
        mallopt(parameter, value)
        for parameter, value in ((_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES))
    )

"""How the process reuses the memory of arrays that are no longer needed.

glibc returns blocks above a threshold, 128 KB at first, to the kernel as soon as they are freed. NumPy's
intermediate arrays are larger than that: each analysis would get its memory as fresh pages, and clearing
thousands of them took the kernel a quarter to a half of the time of an analysis.
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
    """Keep up to 64 MB of freed memory for each thread of the process.

    Returns:
        Whether that is set: only glibc has these parameters.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(
        mallopt(parameter, value)
        for parameter, value in ((_MMAP_THRESHOLD, _LARGEST_KEPT_BYTES), (_TRIM_THRESHOLD, _KEPT_BYTES))
    )

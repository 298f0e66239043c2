"""How a process treats its memory: what the allocator keeps, and what the garbage collector looks at.

glibc returns blocks above a threshold, 128 KB at first, to the kernel as soon as they are freed. NumPy's
intermediate arrays are larger than that: each analysis would get its memory as fresh pages, and clearing
thousands of them took the kernel a quarter to a half of the time of an analysis.

Python's collector looks at every object that lives, again and again while their number grows. Modules and
models are some hundred thousand to some million objects, and hardly any of them ever becomes garbage.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def uncollected_imports() -> Iterator[None]:
    """Import libraries without garbage collection, and exempt what they consist of from it for good.

    torch and diffusers take a quarter less time so. Load models outside: a cycle may hold weights of GBs.
    """
    was_enabled, module_count = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > module_count:
            gc.freeze()
        if was_enabled:
            gc.enable()


def exempt_from_collection() -> None:
    """Exempt everything that lives from garbage collection, as it stays to the end of the process anyway.

    In a service, looking at it repeatedly took a tenth of the event loop's time under load, and at times
    0.2 s at once, in which no call made progress. And the pages that forked processes share stay shared, as
    the collector does not write to them.
    """
    gc.collect()
    gc.freeze()

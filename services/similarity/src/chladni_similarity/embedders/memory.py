"""One exception for every way in which torch runs out of memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""Begins the only sign by which torch's RuntimeError for want of main memory can be told from others."""


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raises MemoryError for want of memory on any device.

    Raises:
        MemoryError: The work inside had too little memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from None
    except RuntimeError as error:
        if _CPU_ALLOCATOR in str(error):
            raise MemoryError(str(error)) from None
        raise

"""Errors of torch that mean too little memory, told from all its others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""The only sign by which a RuntimeError for want of main memory can be told from others."""


@contextmanager
def memory_shortage_told() -> Iterator[None]:
    """Raises `MemoryError` in place of the RuntimeError of torch's allocator of main memory.

    For want of a GPU's memory torch raises an error of its own, `torch.OutOfMemoryError`, which passes.
    """
    try:
        yield
    except RuntimeError as error:
        if _CPU_ALLOCATOR not in str(error):
            raise
        raise MemoryError("too little main memory for tensors") from error

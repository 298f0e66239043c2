"""Freed memory stays with the process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROBE = """
import resource
import numpy as np
from chladni_runtime.execution.allocator import keep_freed_memory

def faults_of_reuse():
    np.ones(2**20)  # 8 MB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.ones(2**20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

assert keep_freed_memory()
print(faults_of_reuse())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="needs glibc")
def test_memory_is_used_again_without_the_kernel():
    # In a process of its own: the setting cannot be taken back.
    probe = subprocess.run([sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True)
    assert int(probe.stdout) < 100  # 8 MB are 2048 pages

"""Freed memory stays with the process, and the garbage collector leaves alone what lives for ever."""

from __future__ import annotations

import ctypes
import gc
import importlib
import subprocess
import sys

import pytest

from chladni_runtime.execution.memory import exempt_from_collection, uncollected_imports

_PROBE = """
import resource
import numpy as np
from chladni_runtime.execution.memory import keep_freed_memory

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


def test_the_collector_rests_and_goes_on():
    assert gc.isenabled()
    with uncollected_imports():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_goes_on_after_an_error():
    with pytest.raises(ZeroDivisionError), uncollected_imports():
        _ = 1 / 0
    assert gc.isenabled()


def test_a_collector_that_rests_already_goes_on_resting():
    with uncollected_imports():
        with uncollected_imports():
            pass
        assert not gc.isenabled()


def test_what_lives_is_exempt_and_what_comes_later_is_not():
    old = []
    exempt_from_collection()
    new = []
    looked_at = {id(item) for item in gc.get_objects()}
    assert id(old) not in looked_at
    assert id(new) in looked_at


def test_what_imports_leave_is_exempt(monkeypatch, tmp_path):
    (tmp_path / "a_module_of_this_test.py").write_text("held = []")
    monkeypatch.syspath_prepend(tmp_path)
    with uncollected_imports():
        module = importlib.import_module("a_module_of_this_test")
    assert id(module.held) not in {id(item) for item in gc.get_objects()}
    monkeypatch.delitem(sys.modules, "a_module_of_this_test")


def test_without_an_import_nothing_is_exempt():
    held = []
    with uncollected_imports():
        pass
    assert id(held) in {id(item) for item in gc.get_objects()}

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry

from chladni_runtime.telemetry.process_metrics import (
    GpuCollector,
    MemoryCollector,
    ReplacedProcessCollector,
    note_build,
)


@pytest.fixture
def registry():
    return CollectorRegistry()


class Gpus:
    def __init__(self, count, *, knows_use=True):
        self.count = count
        self.knows_use = knows_use

    def is_available(self):
        return self.count > 0

    def device_count(self):
        return self.count

    def mem_get_info(self, device):
        return 60, 100 + device

    def memory_allocated(self, _):
        return 10

    def memory_reserved(self, _):
        return 20

    def utilization(self, _):
        if not self.knows_use:
            raise ModuleNotFoundError("pynvml")
        return 25


def test_memory_of_a_container_is_its_working_set(registry, tmp_path):
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 150\n")
    registry.register(MemoryCollector(tmp_path))

    assert registry.get_sample_value("chladni_memory_used_bytes") == 550
    assert registry.get_sample_value("chladni_memory_limit_bytes") == 1000


@pytest.mark.parametrize("limit", ["max\n", None])
def test_without_a_limit_it_is_that_of_the_process(registry, tmp_path, limit):
    if limit:
        (tmp_path / "memory.max").write_text(limit)
    registry.register(MemoryCollector(tmp_path))

    assert registry.get_sample_value("chladni_memory_used_bytes") > 1e6
    assert registry.get_sample_value("chladni_memory_limit_bytes") is None


def test_each_gpu_has_its_memory_and_its_use(registry):
    registry.register(GpuCollector(Gpus(2)))

    def memory(device, kind):
        return registry.get_sample_value("chladni_gpu_memory_bytes", {"device": device, "kind": kind})

    assert [memory("1", kind) for kind in ("total", "used", "reserved", "allocated")] == [101, 41, 20, 10]
    assert registry.get_sample_value("chladni_gpu_utilization_ratio", {"device": "0"}) == 0.25


def test_without_the_management_library_the_use_is_absent(registry):
    registry.register(GpuCollector(Gpus(1, knows_use=False)))

    assert registry.get_sample_value("chladni_gpu_utilization_ratio", {"device": "0"}) is None
    assert registry.get_sample_value("chladni_gpu_memory_bytes", {"device": "0", "kind": "total"}) == 100


def test_a_gpu_that_has_failed_is_absent_and_others_are_not(registry):
    class OneFailed(Gpus):
        def mem_get_info(self, device):
            if device == 0:
                raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
            return super().mem_get_info(device)

    registry.register(GpuCollector(OneFailed(2)))

    assert registry.get_sample_value("chladni_gpu_memory_bytes", {"device": "0", "kind": "total"}) is None
    assert registry.get_sample_value("chladni_gpu_memory_bytes", {"device": "1", "kind": "total"}) == 101


def test_without_a_gpu_there_is_nothing(registry):
    registry.register(GpuCollector(Gpus(0)))

    assert [sample for family in registry.collect() for sample in family.samples] == []


def test_replaced_processes_are_counted(registry):
    registry.register(ReplacedProcessCollector(lambda: 3))

    assert registry.get_sample_value("chladni_decoding_processes_replaced_total") == 3


def test_the_build_is_named(registry):
    note_build(registry, version="0.1.0", revision="abc")

    (sample,) = [sample for family in registry.collect() for sample in family.samples]
    assert sample.name == "chladni_build_info"
    assert sample.labels.items() >= {"version": "0.1.0", "revision": "abc"}.items()

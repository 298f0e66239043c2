"""How networks run: traced, and short of memory."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import nn

from chladni_similarity.embedders.inference import memory_errors, traced


class Network(nn.Module):
    """Branches, so that a trace holds only for some inputs."""

    def __init__(self, branch_size=None):
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.branch_size = branch_size

    def forward(self, pixels):
        features = self.linear(pixels.float().flatten(1))
        return -features if len(pixels) == self.branch_size else features


def pixels(count):
    return torch.randint(
        0, 256, (count, 3, 1, 2), dtype=torch.uint8, generator=torch.Generator().manual_seed(count)
    )


def test_a_traced_network_computes_the_same_bits_for_batches_of_any_size():
    network = Network().eval()
    trace = traced(network, (3, 1, 2))
    assert isinstance(trace, torch.jit.ScriptModule)
    with torch.inference_mode():
        for count in (1, 2, 3, 4, 16, 33):
            assert torch.equal(trace(pixels(count)), network(pixels(count)))


def test_a_network_whose_trace_is_wrong_runs_untraced(caplog):
    network = Network(branch_size=3).eval()
    with caplog.at_level(logging.WARNING):
        assert traced(network, (3, 1, 2)) is network
    assert "untraced" in caplog.text


def test_want_of_main_memory_is_a_memory_error():
    with pytest.raises(MemoryError), memory_errors():
        torch.empty(2**60)


def test_want_of_a_devices_memory_is_a_memory_error():
    with pytest.raises(MemoryError), memory_errors():
        raise torch.OutOfMemoryError("the device has none left")


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shape") as caught, memory_errors():
        raise RuntimeError("wrong shape")
    assert not isinstance(caught.value, MemoryError)

"""Devices that settings name, on machines with and without GPUs."""

from __future__ import annotations

import re

import pytest

from chladni_runtime.models.devices import DEVICE_PATTERN, choose_device
from chladni_runtime.settings import ConfigurationError

VARIABLE = "CHLADNI_EXAMPLE_DEVICE"


@pytest.mark.parametrize(
    ("device", "gpu_count", "chosen"),
    [
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda"),
        ("cpu", 2, "cpu"),
        ("cuda", 1, "cuda"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_that_exists_is_chosen(device, gpu_count, chosen):
    assert re.fullmatch(DEVICE_PATTERN, device)
    assert choose_device(device, variable=VARIABLE, gpu_count=gpu_count) == chosen


@pytest.mark.parametrize(
    ("device", "gpu_count", "advice"),
    [
        ("cuda", 0, "Set it to cpu or auto"),
        ("cuda:1", 0, "finds no GPU here"),
        ("cuda:2", 2, "of which the last is cuda:1"),
    ],
)
def test_one_that_does_not_is_refused_with_advice(device, gpu_count, advice):
    with pytest.raises(ConfigurationError) as caught:
        choose_device(device, variable=VARIABLE, gpu_count=gpu_count)
    assert str(caught.value).startswith(f"{VARIABLE}={device!r} cannot be used: ")
    assert advice in str(caught.value)

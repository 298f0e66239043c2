"""The draws of faults: all kinds come, the seed decides, and failpoints are as settings want them."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import pytest

from chladni_robustness.faults import Target, draw_faults
from chladni_robustness.process_faults import draw_failpoints
from chladni_runtime.failpoints import parse_failpoints


class Cluster:
    """Addresses of services that do not run."""

    def target(self, name):
        return f"{name}:1"

    def address(self, name, purpose):
        return f"{name}:{purpose}"


def names(seed, count, *, older=None):
    target = Target(Cluster(), client=None, older=older)
    return [fault.name for fault in islice(draw_faults(random.Random(seed), target), count)]


def test_each_kind_comes_once_before_any_comes_again():
    kinds = [" ".join(name.split()[:3]) for name in names(1, 15, older=Path("older"))]
    assert len(set(kinds)) == 15
    assert any("earlier commit" in name for name in names(1, 15, older=Path("older")))
    assert not any("earlier commit" in name for name in names(1, 28))


def test_the_seed_decides():
    assert names(1, 40) == names(1, 40)
    assert names(1, 40) != names(2, 40)


@pytest.mark.parametrize("service", ["audio-features", "image-generation", "gateway"])
def test_drawn_failpoints_are_those_that_a_service_takes(service):
    drawn = random.Random(5)
    for _ in range(200):
        assert len(parse_failpoints(draw_failpoints(drawn, service)).names) == 1

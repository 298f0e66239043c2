"""The reference of the metrics names what running services expose, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[2] / "deploy/monitoring/METRICS.md"
OPTIONAL = re.compile(r"chladni_(gpu|collection)")
"""Metrics of a GPU and of collections, where a service has them."""


def described_metrics():
    """The names of METRICS.md by the title of their section."""
    sections = re.split(r"^## ", REFERENCE.read_text(), flags=re.MULTILINE)[1:]
    return {text.partition("\n")[0]: set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) for text in sections}


@pytest.mark.parametrize("service", ["audio-features", "image-generation", "similarity", "gateway"])
async def test_every_metric_of_a_service_is_described_and_every_described_one_is_there(cluster, service):
    described = described_metrics()
    expected = described["Every service"] | described[service.capitalize()]
    exposed = await cluster.metric_names(service)
    assert exposed - expected == set()
    assert {name for name in expected - exposed if not OPTIONAL.match(name)} == set()

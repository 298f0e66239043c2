"""The four services as `make up` starts them, on free ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chladni_local.cluster import LocalCluster
from chladni_local.services import SERVICES

SAMPLES = Path(__file__).parent / "fixtures" / "samples"


class ObservedCluster:
    """A running cluster, with its metrics and the means to end its services."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.http_url = cluster.page_url
        self.target = cluster.target
        self.restart = cluster.start_service
        self._ending = set()

    async def metric(self, service, name, **labels):
        """Return the sum of a metric's samples, 0 if there are none."""
        async with httpx.AsyncClient(verify=False) as client:
            response = await client.get(f"http://{self._cluster.address(service, 'metrics')}/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    async def metric_names(self, service):
        """Return the names of a service's own metrics."""
        async with httpx.AsyncClient(verify=False) as client:
            response = await client.get(f"http://{self._cluster.address(service, 'metrics')}/metrics")
        return {
            f"{family.name}_total" if family.type == "counter" else family.name
            for family in text_string_to_metric_families(response.text)
            if family.name.startswith("chladni_") and not family.name.endswith("_created")
        }

    def kill(self, service):
        """End a service at once, as a crash would."""
        self._cluster.process(service).kill()

    def signal(self, service, number):
        """Send a signal that ends a service, sooner or later."""
        self._ending.add(service)
        os.kill(self._cluster.process(service).pid, number)

    def is_running(self, service):
        """Return whether a service's process has not ended."""
        return self._cluster.process(service).is_running

    def restore(self):
        """Start the services that have ended or are about to."""
        for service in SERVICES:
            if service.name in self._ending or not self.is_running(service.name):
                self.kill(service.name)  # frees what is left of it
                self.restart(service.name)
        self._ending.clear()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests; a drain is long enough to be observed, and ends well on a busy machine."""
    environ = os.environ | {
        "CHLADNI_IMAGE_GENERATION_DRAIN_DELAY_SECONDS": "1",
        "CHLADNI_IMAGE_GENERATION_DRAIN_TIMEOUT_SECONDS": "60",
    }
    folder = tmp_path_factory.mktemp("cluster")
    # The services may share the processor with much else; what never starts still ends here.
    with LocalCluster(folder=folder, ports="free", environ=environ, start_timeout_seconds=600) as cluster:
        yield ObservedCluster(cluster)


@pytest.fixture
def mortal_cluster(cluster):
    """The cluster, for tests that end its services; they run again afterwards, whatever the test did."""
    yield cluster
    cluster.restore()


@pytest.fixture(scope="session")
def samples():
    """The bundled sample sounds."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in {".wav", ".flac", ".ogg", ".mp3"})


@pytest.fixture
def buf():
    """Return a function that runs buf."""
    program = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    assert program, "buf is part of the development environment: make setup"

    def run(*arguments):
        return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)

    return run

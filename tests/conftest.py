"""The four services as `make up` starts them, on free ports."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from chladni_local.cluster import LocalCluster

SAMPLES = Path(__file__).parent / "fixtures" / "samples"


class ObservedCluster:
    """A running cluster, with what tests ask of it."""

    def __init__(self, cluster):
        self._cluster = cluster
        self.http_url = cluster.page_url
        self.target = cluster.target
        self.restart = cluster.start_service

    async def metric(self, service, name, **labels):
        """Returns the sum of a metric's samples, 0 where there are none."""
        async with httpx.AsyncClient() as client:
            response = await client.get(f"http://{self._cluster.address(service, 'metrics')}/metrics")
        return sum(
            sample.value
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def kill(self, service):
        """Ends a service at once, as a crash would."""
        self._cluster.process(service).kill()

    def signal(self, service, number):
        """Sends a signal to a service."""
        os.kill(self._cluster.process(service).pid, number)

    def is_running(self, service):
        """Returns whether a service's process has not ended."""
        return self._cluster.process(service).is_running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """One cluster for all tests that leave it as they found it."""
    with LocalCluster(folder=tmp_path_factory.mktemp("cluster"), ports="free") as cluster:
        yield ObservedCluster(cluster)


@pytest.fixture
def own_cluster(tmp_path):
    """A cluster for one test, which may end its services; a drain leaves time to look at it."""
    environ = os.environ | {"CHLADNI_IMAGE_GENERATION_DRAIN_DELAY_SECONDS": "1"}
    with LocalCluster(folder=tmp_path / "cluster", ports="free", environ=environ) as cluster:
        yield ObservedCluster(cluster)


@pytest.fixture(scope="session")
def samples():
    """The bundled sample sounds."""
    return sorted(path for path in SAMPLES.iterdir() if path.suffix in {".wav", ".flac", ".ogg", ".mp3"})


@pytest.fixture
def buf():
    """Returns a function that runs buf."""
    program = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    assert program, "buf is part of the development environment: make setup"

    def run(*arguments):
        return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)

    return run

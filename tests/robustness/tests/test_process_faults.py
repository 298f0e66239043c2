"""Faults of processes that happen in the moment in which a service is started."""

from __future__ import annotations

import asyncio

import pytest

from chladni_local.errors import ServiceEndedError
from chladni_robustness import process_faults


class Process:
    """A process that ended, and that no signal reaches."""

    pid = 0
    is_running = True

    def __init__(self, how_it_ended=""):
        self.how_it_ended = how_it_ended

    def wait(self, _seconds):
        self.is_running = False


class Cluster:
    """Services of which some end as soon as they are started."""

    def __init__(self, *ends):
        self.ends = [*ends]
        self.starts = []
        self._process = Process()

    def process(self, _name):
        return self._process

    def start_service(self, _name, environ=None):
        self.starts.append(environ)
        self._process = Process(self.ends.pop(0) if self.ends else "")
        if self._process.how_it_ended:
            self._process.is_running = False
            raise ServiceEndedError("it ended")


@pytest.fixture(autouse=True)
def _no_signals(monkeypatch):
    monkeypatch.setattr(process_faults.os, "kill", lambda *_: None)
    monkeypatch.setattr(process_faults, "_POLL_SECONDS", 0.001)


def test_a_failpoint_may_kill_a_service_before_it_is_seen_to_serve():
    cluster = Cluster("by SIGKILL", "by SIGKILL")
    asyncio.run(process_faults.arm(cluster, "gateway", "step.before=exit", 0.1))
    assert [bool(environ) for environ in cluster.starts] == [True, True, True, False]


def test_a_service_that_cannot_start_is_reported(tmp_path):
    with pytest.raises(ServiceEndedError):
        asyncio.run(process_faults.run_older(Cluster("with status 1"), "gateway", tmp_path, 0.1))

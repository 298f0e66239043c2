"""Start, failure and end of services, with stand-ins for the real ones."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from chladni_local.cluster import LocalCluster
from chladni_local.errors import (
    InvalidPortError,
    PortTakenError,
    ServiceEndedError,
    StartTimeoutError,
)
from chladni_local.ports import configured_ports, free_ports
from chladni_local.services import SERVICES, environment_of


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def children():
    """Return the processes that this one has started and not yet seen end."""
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


def wait_until_gone(pids, seconds=20):
    deadline = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


def wait_until_ended(process, seconds=20):
    deadline = time.monotonic() + seconds
    while process.is_running and time.monotonic() < deadline:
        time.sleep(0.05)


def is_serving(target):
    with grpc.insecure_channel(target) as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    return response.status == health_pb2.HealthCheckResponse.SERVING


def test_services_run_while_the_context_lasts_and_stop_callers_first(tmp_path, stand_ins, stops):
    ready = []
    cluster = LocalCluster(
        folder=tmp_path / "logs",
        ports="free",
        services=stand_ins,
        on_ready=lambda name, seconds: ready.append((name, seconds > 0)),
    )
    with cluster:
        assert sorted(ready) == [("back", True), ("front", True)]
        assert is_serving(cluster.target("back"))
        assert is_serving(cluster.target("front"))
        cluster.raise_if_ended()
        pids = [cluster.process(name).pid for name in ("back", "front")]
        back = cluster.target("back")
        log = (tmp_path / "logs" / "front.log").read_text()
        assert log == f"FRONT starts as {pids[1]} with no fault\n"
    assert stops() == [f"front {back}", "back None"]
    assert not any(map(is_alive, pids))


def test_one_service_stops_and_comes_back_on_its_port(tmp_path, stand_ins):
    with LocalCluster(folder=tmp_path, ports="free", services=stand_ins) as cluster:
        target, pid = cluster.target("back"), cluster.process("back").pid
        cluster.stop_service("back")
        assert not is_alive(pid)
        assert is_serving(cluster.target("front"))
        cluster.start_service("back")
        with pytest.raises(ValueError, match="still runs"):
            cluster.start_service("back")
        assert cluster.target("back") == target
        assert is_serving(target)


def test_a_service_that_dies_at_its_start_shows_its_last_words(tmp_path, stand_ins):
    before = children()  # Other tests of this process may keep some, such as a browser.
    environ = os.environ | {"STAND_IN_FRONT": "crash"}
    cluster = LocalCluster(folder=tmp_path, ports="free", services=stand_ins, environ=environ)
    with pytest.raises(ServiceEndedError) as caught:
        cluster.start()
    lines = str(caught.value).splitlines()
    assert lines[0] == f"front ended with status 1. The end of its log, {tmp_path}/front.log:"
    assert lines[-1] == "  the weights are missing"
    assert children() <= before


def test_a_service_that_dies_later_is_noticed(tmp_path, stand_ins):
    with LocalCluster(folder=tmp_path, ports="free", services=stand_ins) as cluster:
        cluster.raise_if_ended()
        os.kill(cluster.process("back").pid, signal.SIGUSR1)
        wait_until_ended(cluster.process("back"))
        with pytest.raises(ServiceEndedError, match="the disk is full"):
            cluster.raise_if_ended()


def test_a_service_that_is_killed_is_noticed(tmp_path, stand_ins):
    with LocalCluster(folder=tmp_path, ports="free", services=stand_ins) as cluster:
        os.kill(cluster.process("back").pid, signal.SIGKILL)
        wait_until_ended(cluster.process("back"))
        with pytest.raises(ServiceEndedError, match="back ended by SIGKILL"):
            cluster.raise_if_ended()


def test_a_service_that_is_never_ready_is_given_up(tmp_path, stand_ins):
    before = children()  # Other tests of this process may keep some, such as a browser.
    environ = os.environ | {"STAND_IN_BACK": "slow"}
    cluster = LocalCluster(
        folder=tmp_path, ports="free", services=stand_ins, environ=environ, start_timeout_seconds=6.0
    )
    with pytest.raises(StartTimeoutError, match=r"back was not ready after 6 s\. The end of its log"):
        cluster.start()
    assert children() <= before


def test_a_service_that_ignores_sigterm_is_killed(tmp_path, stand_ins, monkeypatch):
    monkeypatch.setattr("chladni_local.cluster._STOP_SECONDS", 0.3)
    environ = os.environ | {"STAND_IN_BACK": "stubborn"}
    with LocalCluster(folder=tmp_path, ports="free", services=stand_ins, environ=environ) as cluster:
        pid = cluster.process("back").pid
    assert not is_alive(pid)


def test_an_interrupted_stop_leaves_nothing_behind(tmp_path, stand_ins, monkeypatch):
    environ = os.environ | {"STAND_IN_FRONT": "stubborn", "STAND_IN_BACK": "stubborn"}
    cluster = LocalCluster(folder=tmp_path, ports="free", services=stand_ins, environ=environ)
    cluster.start()
    pids = [cluster.process(name).pid for name in ("back", "front")]
    wait = subprocess.Popen.wait

    def interrupted(self, timeout=None):
        if timeout is not None:
            raise KeyboardInterrupt
        return wait(self)

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cluster.stop()
    assert not any(map(is_alive, pids))


def test_taken_ports_are_reported_before_anything_starts(tmp_path, stand_ins):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        environ = os.environ | {"CHLADNI_FRONT_GRPC_PORT": str(port), "CHLADNI_BACK_GRPC_PORT": "0"}
        cluster = LocalCluster(folder=tmp_path / "logs", services=stand_ins, environ=environ)
        with pytest.raises(
            PortTakenError, match=rf"port {port} of front \(change it with CHLADNI_FRONT_GRPC_PORT\)"
        ):
            cluster.start()
    assert not (tmp_path / "logs").exists()


@pytest.mark.parametrize("text", ["", "http", "-1", "65536", "80.0", " 80", "٣"])
def test_what_is_no_port_is_reported(tmp_path, text):
    with pytest.raises(InvalidPortError, match="CHLADNI_GATEWAY_HTTP_PORT is"):
        LocalCluster(folder=tmp_path, environ={"CHLADNI_GATEWAY_HTTP_PORT": text})


def test_ports_come_from_the_environment_where_it_names_them():
    ports = configured_ports(SERVICES, {"CHLADNI_GATEWAY_HTTP_PORT": "8080"})
    assert ports["gateway"] == {"grpc": 50050, "http": 8080, "metrics": 9100}
    assert ports["audio-features"] == {"grpc": 50051, "metrics": 9101}


def test_free_ports_all_differ():
    ports = [port for of_service in free_ports(SERVICES).values() for port in of_service.values()]
    assert len(set(ports)) == len(ports) == 9


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_the_environment_joins_the_services(environ):
    ports = free_ports(SERVICES)
    gateway = environment_of(SERVICES[3], ports, environ | {"CHLADNI_GATEWAY_SIMILARITY_TARGET": "elsewhere"})
    for name in ("audio-features", "image-generation", "similarity"):
        variable = f"CHLADNI_GATEWAY_{name.upper().replace('-', '_')}_TARGET"
        assert gateway[variable] == f"127.0.0.1:{ports[name]['grpc']}"
    assert gateway["CHLADNI_GATEWAY_HTTP_PORT"] == str(ports["gateway"]["http"])
    assert environ.items() <= gateway.items()


def test_what_the_environment_says_goes_before_the_launchers_own_choices():
    found = environment_of(SERVICES[0], free_ports(SERVICES), {"OMP_WAIT_POLICY": "ACTIVE"})
    assert found["OMP_WAIT_POLICY"] == "ACTIVE"


LAUNCHER = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from chladni_local.cluster import LocalCluster
    from chladni_local.services import Service

    services = (
        Service("back", "stand_in_back", {"grpc": 1}),
        Service("front", "stand_in_front", {"grpc": 2}, backends=("back",)),
    )
    with LocalCluster(folder=Path(sys.argv[1]), ports="free", services=services) as cluster:
        print(*(cluster.process(name).pid for name in ("back", "front")), flush=True)
        time.sleep(60)
""")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_service_outlives_its_launcher(tmp_path, stand_ins, stops, scripts, number):
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, tmp_path],
        env=os.environ | {"PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{scripts}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    pids = [int(text) for text in launcher.stdout.readline().split()]
    assert len(pids) == 2
    assert all(map(is_alive, pids))
    launcher.send_signal(number)
    launcher.communicate(timeout=30)
    assert wait_until_gone(pids)
    assert len(stops()) == 2

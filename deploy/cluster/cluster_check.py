"""Run replicas of services behind real name resolution, and see what clients feel when they come and go.

    python deploy/cluster/cluster_check.py [--older COMMIT] [--skip-versions]

`make cluster-check` calls it. The services are processes on loopback addresses of their own; their names are
answered by a name server as a cluster's answers for headless Services: with the addresses of the replicas
that are ready. Under steady load through the gateway's REST API it requires that calls spread over two
replicas of audio-features; that a third one is called within a minute of being ready; that one that is
drained loses no request; and that one that is killed costs at most the requests that it was working on. Then
an image is made by the gateway of an older commit with these services, and by this gateway with older ones.

What it does not show: Kubernetes itself (scheduling, probes, network policies, autoscalers), networks that
lose packets, and GPUs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final, Self

import httpx
from name_server import NameServer
from prometheus_client.parser import text_string_to_metric_families

from chladni_local.ports import free_ports
from chladni_local.services import SERVICES, Service

_REPOSITORY: Final = Path(__file__).parents[2]
_OUTPUT: Final = _REPOSITORY / "build/cluster-check"
_CLIP: Final = _REPOSITORY / "tests/fixtures/samples/speech_english.wav"
_SOURCES: Final = (
    "protos/gen/python", "protos/contract/src", "services/runtime/src", "services/training/src",
    "services/audio_features/src", "services/image_generation/src", "services/similarity/src",
    "services/gateway/src",
)  # fmt: skip
_BY_NAME: Final = {service.name: service for service in SERVICES}
_CALLERS: Final = 4
_PHASE_REQUESTS: Final = 40
_PHASE_SECONDS: Final = 180.0
_START_SECONDS: Final = 600.0
_NEW_REPLICA_SECONDS: Final = 60.0
_DRAIN_DELAY_SECONDS: Final = 2
_OLDER: Final = "HEAD~20"


class CheckError(Exception):
    """Clients felt what they should not."""


class Replica:
    """A process of a service on an address of its own, until it is stopped.

    Args:
        service: The service.
        address: Address of loopback.
        ports: Its ports by purpose.
        environ: Its settings.
        sources: Root of the repository whose code it runs.
    """

    def __init__(
        self,
        service: Service,
        address: str,
        ports: Mapping[str, int],
        environ: Mapping[str, str],
        sources: Path = _REPOSITORY,
    ) -> None:
        self.address = address
        self.ports = ports
        own = {service.port_variable(purpose): str(port) for purpose, port in ports.items()} | {
            service.variable("host"): address,
            service.variable("drain_delay_seconds"): str(_DRAIN_DELAY_SECONDS),
            "PYTHONPATH": os.pathsep.join(str(sources / path) for path in _SOURCES),
            "GRPC_VERBOSITY": "NONE",
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        self._log = (_OUTPUT / f"{service.name}-{address}.log").open("w")
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-m", service.module],
            env=os.environ | own | dict(environ),
            stderr=self._log,
            cwd=_OUTPUT,
        )

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples; 0 if it does not answer."""
        try:
            url = f"http://{self.address}:{self.ports['metrics']}/metrics"
            text = httpx.get(url, timeout=5, trust_env=False).text
        except httpx.HTTPError:
            return 0.0
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    @property
    def calls(self) -> float:
        """Calls that it has answered, probes not among them."""
        return self.metric("chladni_requests_total", code="OK") - sum(
            self.metric("chladni_requests_total", method=method)
            for method in ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch")
        )

    def wait_until_ready(self) -> None:
        """Wait until it is ready.

        Raises:
            CheckError: It ended, or takes too long.
        """

        def is_ready() -> bool:
            if self._process.poll() is not None:
                raise CheckError(f"it ended instead of starting; see {self._log.name}")
            return self.metric("chladni_ready") == 1

        within(_START_SECONDS, f"{self._log.name} says ready", is_ready)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait(60)

    def stop(self) -> None:
        """End it, however it is."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()


class Load:
    """Callers that ask a gateway for spectrograms, one after the other, while the context lasts."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._content = _CLIP.read_bytes()
        self._stopping = Event()
        self._threads = [Thread(target=self._call, daemon=True) for _ in range(_CALLERS)]
        self.outcomes: Counter[str] = Counter()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def during(self, action: Callable[[], None]) -> Counter[str]:
        """Return the outcomes of the requests that ended during an action and a while after it."""
        before = self.outcomes.copy()
        action()
        reached = self.outcomes.total() + _PHASE_REQUESTS
        within(_PHASE_SECONDS, "requests end", lambda: self.outcomes.total() >= reached)
        return self.outcomes - before

    def _call(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while not self._stopping.is_set():
                try:
                    answer = client.post("/api/v1/spectrogram", files={"file": ("a.wav", self._content)})
                    self.outcomes[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    self.outcomes[type(error).__name__] += 1


def within(seconds: float, what: str, probe: Callable[[], bool]) -> float:
    """Wait until a probe succeeds; return the seconds that it took.

    Raises:
        CheckError: It does not in time.
    """
    started_at = time.monotonic()
    while not probe():
        if time.monotonic() - started_at > seconds:
            raise CheckError(f"not within {seconds:g} s: {what}")
        time.sleep(0.2)
    return time.monotonic() - started_at


def require(condition: bool, what: str, *, found: object = "") -> None:
    """Print that something holds.

    Raises:
        CheckError: It does not.
    """
    if not condition:
        raise CheckError(f"{what}: {found}")
    print(f"  ok: {what} {found}".rstrip(), flush=True)


def gateway_environ(targets: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the settings of a gateway that calls services at these targets."""
    variables = {
        f"CHLADNI_GATEWAY_{name.replace('-', '_').upper()}_TARGET": target for name, target in targets.items()
    }
    limits = {"RATE_LIMIT_PER_MINUTE": "0", "ALLOWED_HOSTS": "127.0.0.0/8", "CREATION_TIMEOUT_SECONDS": "300"}
    return (
        variables
        | {f"CHLADNI_GATEWAY_{name}": value for name, value in limits.items()}
        | {"CHLADNI_GATEWAY_IMAGE_FOLDER": str(folder)}
    )


def check_replicas(stack: ExitStack) -> None:
    """Let replicas of audio-features come and go under load.

    Raises:
        CheckError: Clients felt it.
    """
    names = stack.enter_context(NameServer())
    ports = free_ports(SERVICES)
    service = _BY_NAME["audio-features"]
    name = "audio-features.chladni.test"
    own = {service.variable("trusted_peers"): "127.0.0.0/8"}

    def start(number: int) -> Replica:
        replica = Replica(service, f"127.0.1.{number}", ports["audio-features"], own)
        stack.callback(replica.stop)
        return replica

    first, second = replicas = [start(1), start(2)]
    for replica in replicas:
        replica.wait_until_ready()
    names.publish(name, [replica.address for replica in replicas])
    targets = {"audio-features": names.target(name, ports["audio-features"]["grpc"])} | {
        other: f"127.0.0.1:{ports[other]['grpc']}" for other in ("image-generation", "similarity")
    }
    gateway = Replica(
        _BY_NAME["gateway"], "127.0.0.1", ports["gateway"], gateway_environ(targets, _OUTPUT / "images")
    )
    stack.callback(gateway.stop)
    gateway.wait_until_ready()
    load = stack.enter_context(Load(f"http://127.0.0.1:{ports['gateway']['http']}"))

    outcomes = load.during(lambda: None)
    shares = [replica.calls for replica in replicas]
    require(outcomes.keys() == {"200"}, "two replicas answer all requests", found=dict(outcomes))
    require(min(shares) >= 0.35 * sum(shares), "calls spread over both", found=shares)

    third = start(3)
    third.wait_until_ready()
    names.publish(name, [replica.address for replica in (*replicas, third)])
    seconds = within(_NEW_REPLICA_SECONDS, "a third replica is called", lambda: third.calls > 0)
    require(condition=True, what="a third replica takes load", found=f"{seconds:.1f} s after it was ready")
    before = [replica.calls for replica in (*replicas, third)]
    outcomes = load.during(lambda: None)
    shares = [replica.calls - calls for replica, calls in zip((*replicas, third), before, strict=True)]
    require(min(shares) >= 0.2 * sum(shares), "calls spread over all three", found=shares)

    def drain() -> None:
        names.publish(name, [second.address, third.address])
        first.signal(signal.SIGTERM)
        require(first.wait() == 0, "a replica that gets SIGTERM ends by itself")

    outcomes = load.during(drain)
    require(outcomes.keys() == {"200"}, "a drained replica loses no request", found=dict(outcomes))

    outcomes = load.during(lambda: second.signal(signal.SIGKILL))
    failed = outcomes.total() - outcomes["200"]
    require(failed <= _CALLERS, "a killed replica costs its own requests alone", found=dict(outcomes))
    outcomes = load.during(lambda: None)
    require(outcomes.keys() == {"200"}, "afterwards all are answered", found=dict(outcomes))


@contextmanager
def older_sources(commit: str) -> Iterator[Path]:
    """Check an older commit out while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="chladni-older-"))
    git = shutil.which("git") or "git"

    def worktree(*arguments: str) -> None:
        command = [git, "-C", str(_REPOSITORY), "worktree", *arguments]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - found on the path

    worktree("add", "--detach", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        worktree("remove", "--force", str(folder))


def check_versions(*, gateway: Path, services: Path, what: str) -> None:
    """Make an image with a gateway and services of different commits.

    Raises:
        CheckError: No image comes.
    """
    ports = free_ports(SERVICES)
    with ExitStack() as stack:
        replicas = []
        for name in ("audio-features", "image-generation"):
            trusted = {_BY_NAME[name].variable("trusted_peers"): "127.0.0.0/8"}
            replicas.append(Replica(_BY_NAME[name], "127.0.0.1", ports[name], trusted, services))
            stack.callback(replicas[-1].stop)
        targets = {name: f"127.0.0.1:{ports[name]['grpc']}" for name in ports if name != "gateway"}
        environ = gateway_environ(targets, _OUTPUT / f"images-of-{gateway.name}")
        replicas.append(Replica(_BY_NAME["gateway"], "127.0.0.1", ports["gateway"], environ, gateway))
        stack.callback(replicas[-1].stop)
        for replica in replicas:
            replica.wait_until_ready()
        answer = httpx.post(
            f"http://127.0.0.1:{ports['gateway']['http']}/api/v1/generate",
            files={"file": (_CLIP.name, _CLIP.read_bytes())},
            timeout=300,
            trust_env=False,
        )
        require(answer.status_code == 200, f"{what} makes an image", found=answer.status_code)


def main() -> None:
    """Run the check.

    Raises:
        CheckError: Something is not as it should be.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--older", default=_OLDER, metavar="COMMIT", help=f"commit of the older services ({_OLDER})"
    )
    parser.add_argument(
        "--skip-versions", action="store_true", help="leave out the services of the older commit"
    )
    arguments = parser.parse_args()
    shutil.rmtree(_OUTPUT, ignore_errors=True)
    _OUTPUT.mkdir(parents=True)
    with ExitStack() as stack:
        check_replicas(stack)
    if arguments.skip_versions:
        return
    with older_sources(arguments.older) as older:
        check_versions(gateway=older, services=_REPOSITORY, what="an older gateway with these services")
        check_versions(gateway=_REPOSITORY, services=older, what="this gateway with older services")


if __name__ == "__main__":
    try:
        main()
    except CheckError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        raise SystemExit(1) from None

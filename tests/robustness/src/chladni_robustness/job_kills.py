"""Kills gateways, image generation and Redis at random while jobs run, and checks what became of each job.

Two gateways, as processes, share a real Redis and a real object store. Clients ask for images, each request
with a name of its own, and ask again whichever gateway lives until a job is accepted. In the end every
accepted job must have ended once, with an image, and all images of one seed must have the same bytes.

    python -m chladni_robustness.job_kills --kills 200 --seed 1
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from chladni_fakes import scripted_backends
from chladni_fakes.loopback import free_port
from chladni_fakes.servers import ScriptedBackends, ScriptedService
from chladni_fixtures.state_servers import (
    ACCESS_KEY_ID,
    SECRET_ACCESS_KEY,
    RedisServer,
    object_store,
    redis_server,
)
from chladni_gateway.rest.middleware.sessions import COOKIE_NAME
from chladni_gateway.sessions import SessionTokens

_CLIENTS: Final = 8
_SEEDS: Final = 6
_STEPS: Final = 8
_STEP_SECONDS: Final = 0.05
_KEY: Final = "a key that both gateways share, of the tests"
_WAV: Final = b"RIFF\x24\x00\x00\x00WAVEfmt "
_ENDS: Final = frozenset({"created", "failed", "cancelled"})
_LONGEST_SECONDS: Final = 240.0
_MAX_SHOWN: Final = 10
_SHARE_DOUBLE: Final = 0.2
_WEIGHTS: Final = {"gateway-a": 2, "gateway-b": 2}


@dataclass
class Report:
    """What happened.

    Attributes:
        kills: What was killed how often.
        accepted_count: Jobs that were accepted.
        lost: Accepted jobs that did not end with an image, and why.
        ended_twice: Jobs that ended more than once.
        digests: Digests of the images by their seed.
        resumed_count: Jobs whose events were read from another gateway than the one that accepted them.
    """

    kills: Counter[str] = field(default_factory=Counter)
    accepted_count: int = 0
    lost: list[str] = field(default_factory=list)
    ended_twice: list[str] = field(default_factory=list)
    digests: dict[int, set[str]] = field(default_factory=dict)
    resumed_count: int = 0

    @property
    def unequal_seeds(self) -> list[int]:
        """Seeds whose images differ."""
        return [seed for seed, found in self.digests.items() if len(found) > 1]

    @property
    def is_good(self) -> bool:
        """Whether every rule held."""
        return self.accepted_count > 0 and not (self.lost or self.ended_twice or self.unequal_seeds)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({kills}); {self.accepted_count} jobs accepted, "
            f"{len(self.lost)} lost, {len(self.ended_twice)} ended twice, {len(self.unequal_seeds)} of "
            f"{len(self.digests)} seeds with unequal bytes; events of {self.resumed_count} jobs were read "
            "from the other gateway"
        )


@dataclass
class GatewayProcess:
    """A gateway, as a process that can be killed and started again on the same ports."""

    name: str
    environ: dict[str, str]
    log: Path
    http_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of its REST API."""
        return f"http://127.0.0.1:{self.http_port}"

    def start(self) -> None:
        """Start it, without waiting until it serves."""
        environ = self.environ | {
            "CHLADNI_GATEWAY_HTTP_PORT": str(self.http_port),
            "CHLADNI_GATEWAY_GRPC_PORT": "0",
            "CHLADNI_GATEWAY_METRICS_PORT": "0",
        }
        self.kill()  # None is left behind that nobody could kill.
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chladni_gateway"], env=environ, stdout=file, stderr=file
            )

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


async def run(*, kills: int, seed: int, folder: Path, pause_seconds: float = 4.0) -> Report:
    """Kill so often; return what happened.

    Args:
        kills: How often.
        seed: Seed of what is killed when.
        folder: Empty folder for all files.
        pause_seconds: Mean time between two kills.
    """
    drawn, report = random.Random(seed), Report()
    async with AsyncExitStack() as stack:
        for name in ("redis", "objects"):
            (folder / name).mkdir()
        redis = stack.enter_context(redis_server(folder / "redis"))
        endpoint = stack.enter_context(object_store(folder / "objects"))
        backends = await stack.enter_async_context(scripted_backends())
        backends.image_generation.step_seconds = _STEP_SECONDS
        gateways = [
            GatewayProcess(name, _environment(backends, redis, endpoint), folder / f"{name}.log")
            for name in ("gateway-a", "gateway-b")
        ]
        for gateway in gateways:
            stack.callback(gateway.kill)
            gateway.start()
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=10.0))
        await asyncio.gather(*(_serving(http, gateway) for gateway in gateways))
        is_over = asyncio.Event()
        clients = [
            asyncio.create_task(_ask(http, gateways, random.Random(drawn.random()), report, is_over))
            for _ in range(_CLIENTS)
        ]
        victims: list[GatewayProcess | ScriptedService | RedisServer] = [
            *gateways, backends.servers["image-generation"], redis,
        ]  # fmt: skip
        names = [*(gateway.name for gateway in gateways), "image-generation", "redis"]
        for _ in range(kills):
            await asyncio.sleep(drawn.uniform(0.2, 2 * pause_seconds - 0.2))
            await _any_serving(http, gateways)
            chosen = draw_victims(drawn, [_WEIGHTS.get(name, 1) for name in names])
            for index in chosen:
                report.kills[names[index]] += 1
                await _done(victims[index].kill())
            await asyncio.sleep(drawn.uniform(0.0, 0.5))
            for index in chosen:
                await _done(
                    await asyncio.to_thread(victims[index].start)
                    if index == len(victims) - 1
                    else victims[index].start()
                )
        is_over.set()
        await asyncio.gather(*clients)
    return report


def draw_victims(drawn: random.Random, weights: Sequence[int]) -> list[int]:
    """Return which die together: one, or at times two, which are different."""
    [first] = drawn.choices(range(len(weights)), weights)
    if drawn.random() >= _SHARE_DOUBLE:
        return [first]
    others = [index for index in range(len(weights)) if index != first]
    return [first, *drawn.choices(others, [weights[index] for index in others])]


async def _done(result: Any) -> None:
    if asyncio.iscoroutine(result):
        await result


def _environment(backends: ScriptedBackends, redis: RedisServer, endpoint: str) -> dict[str, str]:
    servers = backends.servers
    settings = {
        "REDIS_URL": redis.url,
        "SESSION_KEY": _KEY,
        "IMAGE_BUCKET": "images",
        "IMAGE_BUCKET_ENDPOINT": endpoint,
        "IMAGE_BUCKET_REGION": "us-east-1",
        "IMAGE_BUCKET_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "IMAGE_BUCKET_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "JOB_LEASE_SECONDS": "2",
        "RATE_LIMIT_PER_MINUTE": "0",
        "MODEL_LISTING_SECONDS": "0",
        "MAX_IMAGES": "100000",
        "MAX_IMAGES_PER_SESSION": "100000",
        "MAX_REMEMBERED_JOBS": "100000",
        "AUDIO_FEATURES_TARGET": servers["audio-features"].target,
        "IMAGE_GENERATION_TARGET": servers["image-generation"].target,
        "SIMILARITY_TARGET": servers["similarity"].target,
    }
    return dict(os.environ) | {f"CHLADNI_GATEWAY_{name}": value for name, value in settings.items()}


async def _serving(http: httpx.AsyncClient, gateway: GatewayProcess) -> None:
    ends_at = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < ends_at:
        with suppress(httpx.HTTPError):
            if (await http.get(f"{gateway.url}/api/v1/health")).status_code == httpx.codes.OK:
                return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{gateway.name} does not serve:\n{gateway.log.read_text()[-3000:]}")


async def _any_serving(http: httpx.AsyncClient, gateways: Sequence[GatewayProcess]) -> None:
    """Wait until a gateway answers: on a slow machine one may take longer to start than two kills are apart.

    Without that no gateway may live for minutes, and what is measured is the machine.
    """
    ends_at = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < ends_at:
        for gateway in gateways:
            with suppress(httpx.HTTPError):
                await http.get(f"{gateway.url}/api/v1/health")
                return
        await asyncio.sleep(0.1)
    raise RuntimeError("no gateway serves:\n" + "\n".join(one.log.read_text()[-2000:] for one in gateways))


async def _ask(
    http: httpx.AsyncClient,
    gateways: list[GatewayProcess],
    drawn: random.Random,
    report: Report,
    is_over: asyncio.Event,
) -> None:
    """Start one job after the other, and follow each to its end."""
    cookies = {"Cookie": f"{COOKIE_NAME}={SessionTokens(_KEY).draw()}"}
    while not is_over.is_set():
        seed = drawn.randrange(_SEEDS)
        fields = {
            "seed": str(seed),
            "steps": str(_STEPS),
            "request_id": str(uuid.UUID(int=drawn.getrandbits(128))),
        }
        job_id = ""
        while not job_id:
            accepting = drawn.choice(gateways)
            with suppress(httpx.HTTPError):
                response = await http.post(
                    f"{accepting.url}/api/v1/jobs",
                    files={"file": ("a.wav", _WAV)},
                    data=fields,
                    headers=cookies,
                )
                if response.status_code == httpx.codes.ACCEPTED:
                    job_id = response.json()["job_id"]
                    break
            await asyncio.sleep(0.1)
        report.accepted_count += 1
        other = next(gateway for gateway in gateways if gateway is not accepting)
        await _follow(http, [other, accepting], job_id, cookies, report, seed)


async def _follow(
    http: httpx.AsyncClient,
    gateways: list[GatewayProcess],
    job_id: str,
    cookies: dict[str, str],
    report: Report,
    seed: int,
) -> None:
    """Read the events of a job from whichever gateway lives, each once, and then its image."""
    ends_at = time.monotonic() + _LONGEST_SECONDS
    names: list[str] = []
    numbers: list[int] = []
    data: dict[str, Any] = {}
    turn = 0
    is_resumed = False
    while time.monotonic() < ends_at and not _ENDS.intersection(names):
        gateway = gateways[turn % 2]
        with suppress(httpx.HTTPError):
            url = f"{gateway.url}/api/v1/jobs/{job_id}/events?last_event_id={numbers[-1] if numbers else 0}"
            async with http.stream("GET", url, headers=cookies) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    report.lost.append(f"{job_id} is unknown to {gateway.name}")
                    return
                lines: dict[str, str] = {}
                async for line in response.aiter_lines():
                    if line and not line.startswith(":"):
                        name, _, value = line.partition(": ")
                        lines[name] = value
                    elif "event" in lines and "id" in lines:
                        is_resumed = is_resumed or gateway is gateways[0]
                        names.append(lines["event"])
                        numbers.append(int(lines["id"]))
                        data = json.loads(lines["data"])
                        lines = {}
        turn += 1
        await asyncio.sleep(0.1)
    report.resumed_count += is_resumed
    if numbers != sorted(set(numbers)):
        report.ended_twice.append(f"{job_id}: numbers {numbers}")
    if not names or names[-1] != "created":
        report.lost.append(f"{job_id}: {names[-3:]} {data.get('error', '')}")
        return
    if await _end_count(http, gateways, job_id, cookies) != 1:
        report.ended_twice.append(job_id)
    report.digests.setdefault(seed, set()).add(await _digest_of(http, gateways, data["image_id"]))


async def _end_count(
    http: httpx.AsyncClient, gateways: list[GatewayProcess], job_id: str, cookies: dict[str, str]
) -> int:
    """Return how many last events a job has, in all that is kept of it."""
    text = (await _get(http, gateways, f"/api/v1/jobs/{job_id}/events", cookies)).text
    return sum(
        line.removeprefix("event: ") in _ENDS for line in text.splitlines() if line.startswith("event: ")
    )


async def _digest_of(http: httpx.AsyncClient, gateways: list[GatewayProcess], image_id: str) -> str:
    return hashlib.sha256((await _get(http, gateways, f"/api/v1/images/{image_id}", {})).content).hexdigest()


async def _get(
    http: httpx.AsyncClient, gateways: list[GatewayProcess], path: str, cookies: dict[str, str]
) -> httpx.Response:
    """Return a successful answer of whichever gateway lives."""
    ends_at = time.monotonic() + _LONGEST_SECONDS
    while time.monotonic() < ends_at:
        for gateway in gateways:
            with suppress(httpx.HTTPError):
                response = await http.get(gateway.url + path, headers=cookies)
                if response.status_code == httpx.codes.OK:
                    return response
        await asyncio.sleep(0.1)
    raise RuntimeError(f"no gateway answers {path}")


def main() -> int:
    """Run the program; return its exit status: 1 if a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=200, help="how often to kill (default: 200)")
    parser.add_argument("--seed", type=int, default=1, help="seed of what is killed when (default: 1)")
    parser.add_argument(
        "--pause",
        type=float,
        default=4.0,
        help="mean seconds between two kills; a gateway starts in 2 (default: 4)",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chladni-job-kills-") as folder:
        report = asyncio.run(
            run(
                kills=arguments.kills,
                seed=arguments.seed,
                folder=Path(folder),
                pause_seconds=arguments.pause,
            )
        )
    print(report)
    for fault in (*report.lost, *report.ended_twice)[:_MAX_SHOWN]:
        print(f"BROKEN  {fault}")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())

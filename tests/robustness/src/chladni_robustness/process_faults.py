"""Faults of a service's process: its death, its disk, its memory, its failpoints, its version.

None needs root. A disk is full for a process that may not make files larger, and memory is short for one
whose address space may not grow, so that nothing else on the machine suffers.
"""

from __future__ import annotations

import asyncio
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chladni_local.errors import ServiceEndedError

if TYPE_CHECKING:
    from chladni_local.cluster import LocalCluster

_END_SECONDS: Final = 60.0
_SPARE_BYTES: Final = 32 * 1024 * 1024
_POLL_SECONDS: Final = 0.2
_REPOSITORY: Final = Path(__file__).parents[4]
_SOURCES: Final = (
    "protos/gen/python",
    "protos/contract/src",
    "services/runtime/src",
    "services/gateway/src",
)
_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "audio-features": ("admission",),
    "image-generation": ("admission", "step", "finish"),
    "gateway": ("admission", "event", "store", "finish"),
}
_ACTIONS: Final = ("sleep(0.2)", "error", "exit")


async def kill(cluster: LocalCluster, service: str) -> None:
    """Kill a service, and start it again."""
    await _end(cluster, service, signal.SIGKILL)
    await asyncio.to_thread(cluster.start_service, service)


async def terminate(cluster: LocalCluster, service: str) -> None:
    """Let a service end, and start it again."""
    await _end(cluster, service, signal.SIGTERM)
    await asyncio.to_thread(cluster.start_service, service)


async def pause(cluster: LocalCluster, service: str, seconds: float) -> None:
    """Stop a service for a while, as a machine does that swaps or a hypervisor that moves it."""
    process_id = cluster.process(service).pid
    os.kill(process_id, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(process_id, signal.SIGCONT)


async def fill_disk(cluster: LocalCluster, service: str, seconds: float) -> None:
    """Let no file of a service grow for a while: writing fails as on a full disk."""
    await _limit(cluster, service, resource.RLIMIT_FSIZE, 0, seconds)


async def take_memory(cluster: LocalCluster, service: str, seconds: float) -> None:
    """Let a service have little more memory than it has, for a while; start it again if it died of that."""
    await _limit(cluster, service, resource.RLIMIT_AS, _address_space(cluster.process(service).pid), seconds)
    await _start_if_ended(cluster, service)


async def arm(cluster: LocalCluster, service: str, failpoints: str, seconds: float) -> None:
    """Run a service with failpoints for a while, as often as it dies, and then without them."""
    prefix = f"CHLADNI_{service.replace('-', '_').upper()}_"
    environ = {f"{prefix}FAILPOINTS": failpoints, f"{prefix}ALLOW_FAILPOINTS": "true"}
    await _run_otherwise(cluster, service, environ, seconds)


async def run_older(cluster: LocalCluster, service: str, sources: Path, seconds: float) -> None:
    """Run a service from the sources of an earlier commit for a while."""
    environ = {"PYTHONPATH": os.pathsep.join(str(sources / path) for path in _SOURCES)}
    await _run_otherwise(cluster, service, environ, seconds)


@contextmanager
def older_sources(commit: str) -> Iterator[Path | None]:
    """Check an earlier commit out while the context lasts; yield `None`, and say so, if that fails."""
    git = shutil.which("git")
    folder = Path(tempfile.mkdtemp(prefix="chladni-older-"))

    def worktree(*arguments: str) -> bool:
        command = [git or "git", "-C", str(_REPOSITORY), "worktree", *arguments]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - found on the path
        return done.returncode == 0

    if git is None or not worktree("add", "--detach", "--force", str(folder), commit):
        print(f"NOT TESTED: mixed versions, as {commit} cannot be checked out", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        yield None
        return
    try:
        yield folder
    finally:
        worktree("remove", "--force", str(folder))


def draw_failpoints(drawn: random.Random, service: str) -> str:
    """Return what happens at which failpoint of a service, as its setting wants it."""
    place = f"{drawn.choice(_PLACES[service])}.{drawn.choice(('before', 'after'))}"
    actions = (*_ACTIONS, "memory") if place.startswith("step.") else _ACTIONS
    return f"{place}={drawn.choice((5, 20, 50))}%{drawn.choice(actions)};seed={drawn.randrange(1000)}"


async def _run_otherwise(
    cluster: LocalCluster, service: str, environ: Mapping[str, str], seconds: float
) -> None:
    """Run a service in another environment for a while; start it again when it ends by itself."""
    await _end(cluster, service, signal.SIGTERM)
    loop = asyncio.get_running_loop()
    await _start_unless_killed(cluster, service, environ)
    ends_at = loop.time() + seconds
    while loop.time() < ends_at:
        await asyncio.sleep(_POLL_SECONDS)
        if not cluster.process(service).is_running:
            await _start_unless_killed(cluster, service, environ)
    if cluster.process(service).is_running:
        await _end(cluster, service, signal.SIGTERM)
    await asyncio.to_thread(cluster.start_service, service)


async def _start_unless_killed(cluster: LocalCluster, service: str, environ: Mapping[str, str]) -> None:
    """Start a service, whose failpoints may kill it before anybody sees that it serves."""
    try:
        await asyncio.to_thread(cluster.start_service, service, environ)
    except ServiceEndedError:
        if cluster.process(service).how_it_ended != "by SIGKILL":
            raise


async def _limit(cluster: LocalCluster, service: str, what: int, soft_limit: int, seconds: float) -> None:
    """Set a limit of the system's for a running service, and take it back."""
    process_id = cluster.process(service).pid
    before = resource.prlimit(process_id, what)
    resource.prlimit(process_id, what, (soft_limit, before[1]))
    try:
        await asyncio.sleep(seconds)
    finally:
        if cluster.process(service).is_running:
            resource.prlimit(process_id, what, before)


async def _start_if_ended(cluster: LocalCluster, service: str) -> None:
    """Start a service again if it ends before it answers: dying may take it a while."""
    process = cluster.process(service)
    await asyncio.sleep(_POLL_SECONDS)
    ends_at = time.monotonic() + _END_SECONDS
    while process.is_running and not await asyncio.to_thread(process.is_ready):
        if time.monotonic() > ends_at:
            await _end(cluster, service, signal.SIGKILL)
        await asyncio.sleep(_POLL_SECONDS)
    if not process.is_running:
        await asyncio.to_thread(cluster.start_service, service)


async def _end(cluster: LocalCluster, service: str, number: signal.Signals) -> None:
    process = cluster.process(service)
    os.kill(process.pid, number)
    await asyncio.to_thread(process.wait, _END_SECONDS)


def _address_space(process_id: int) -> int:
    """Return the bytes of a process's address space, and a little more."""
    pages = int(Path(f"/proc/{process_id}/statm").read_text().split()[0])
    return pages * resource.getpagesize() + _SPARE_BYTES

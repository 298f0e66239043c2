"""Runs Chladni, does it harm, and checks what its clients saw. See `make robustness`."""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import grpc

from chladni_fixtures.audio import encoded, melody
from chladni_local.cluster import LocalCluster
from chladni_robustness.clients import TIMEOUT_SECONDS, Client, draw_content
from chladni_robustness.faults import Target, draw_faults
from chladni_robustness.history import End, History
from chladni_robustness.process_faults import older_sources
from chladni_robustness.validator import faults_of
from chladni_robustness.watcher import Watcher

_HONEST_CLIENTS: Final = 3
_SHARE_CANCELLED: Final = 0.2
_SETTLE_SECONDS: Final = 10.0
_START_SECONDS: Final = 600.0
_LAST_SECONDS: Final = 60.0
_MAX_SHOWN: Final = 20
_CHANNEL_OPTIONS: Final = (
    # A gateway that was down is found again at once.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.max_receive_message_length", -1),
)


def main() -> int:
    """Run the program; return its exit status: 1 if a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to do harm (default: 600)")
    parser.add_argument("--seed", type=int, default=None, help="seed of what happens (default: a new one)")
    parser.add_argument(
        "--older", default="HEAD~1", metavar="COMMIT", help="commit of the older gateway (default: HEAD~1)"
    )
    parser.add_argument("--only", default="", help="only faults whose names have this text")
    parser.add_argument(
        "--patience",
        type=float,
        default=1.0,
        help="factor of all limits of time, for slow machines (default: 1)",
    )
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    again = (
        f"SECONDS={arguments.seconds:g} SEED={seed} OLDER={arguments.older} PATIENCE={arguments.patience:g}"
    )
    print(f"seed {seed}; repeat with: make robustness {again}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="chladni-robustness-") as folder,
        older_sources(arguments.older) as older,
        LocalCluster(folder=Path(folder), ports="free", start_timeout_seconds=_START_SECONDS) as cluster,
    ):
        faults = asyncio.run(_run(cluster, random.Random(seed), older, arguments))
    for fault in faults[:_MAX_SHOWN]:
        print(f"BROKEN  {fault}")
    print(f"{len(faults)} rules broken" if faults else "every rule held")
    return 1 if faults else 0


async def _run(
    cluster: LocalCluster, drawn: random.Random, older: Path | None, arguments: argparse.Namespace
) -> list[str]:
    """Do harm for some time; return what was broken."""
    patience = arguments.patience
    watcher = Watcher(cluster, patience=patience)
    async with grpc.aio.insecure_channel(cluster.target("gateway"), options=_CHANNEL_OPTIONS) as channel:
        client = Client(channel, encoded(melody()))
        await client.ask("first", "4/0")
        ends_at = time.monotonic() + arguments.seconds
        watching = asyncio.create_task(watcher.watch())
        honest = [
            asyncio.create_task(_ask_on(client, random.Random(drawn.random()), ends_at, f"client {number}"))
            for number in range(_HONEST_CLIENTS)
        ]
        for fault in draw_faults(drawn, Target(cluster, client, older)):
            if time.monotonic() >= ends_at:
                break
            if arguments.only not in fault.name:
                continue
            print(f"  {fault.name}", flush=True)
            started_count = len(client.histories)
            await fault.run()
            if not fault.ends_calls:
                _note_failures(client.histories[started_count:], fault.name)
        await asyncio.gather(*honest)
        last = await _ask_until_made(client, patience)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    print(_summary(client.histories), flush=True)
    print(f"{watcher.look_count} looks at health, queues, memory and descriptors", flush=True)
    faults = faults_of(client.histories, patience=patience)
    if last.end is not End.CREATED:
        faults.append(f"at the end, with every service up, requests failed: {last.code} {last.detail}")
    return faults + watcher.faults + await _lasting_growth(watcher, patience * _SETTLE_SECONDS)


async def _ask_on(client: Client, drawn: random.Random, ends_at: float, name: str) -> None:
    """Ask for one image after the other; now and then change one's mind."""
    count = 0
    while time.monotonic() < ends_at:
        count += 1
        cancel_after = drawn.uniform(0.0, 1.0) if drawn.random() < _SHARE_CANCELLED else None
        history = await client.ask(f"{name}, request {count}", draw_content(drawn), cancel_after=cancel_after)
        if history.end is End.REFUSED:
            await asyncio.sleep(0.2)


async def _ask_until_made(client: Client, patience: float) -> History:
    """Ask for an image until it is made; a breaker of the gateway's may be open for a moment."""
    ends_at = time.monotonic() + patience * _LAST_SECONDS
    while True:
        history = await client.ask("last", "4/0", timeout_seconds=patience * TIMEOUT_SECONDS)
        if history.end is End.CREATED or time.monotonic() > ends_at:
            return history
        await asyncio.sleep(0.5)


async def _lasting_growth(watcher: Watcher, seconds: float) -> list[str]:
    """Return what has grown too much and does not shrink again within a time."""
    ends_at = time.monotonic() + seconds
    while True:
        grown = watcher.growth()
        if not grown or time.monotonic() > ends_at:
            return grown
        await asyncio.sleep(0.5)


def _note_failures(histories: list[History], fault: str) -> None:
    """Note requests that failed under a fault that no honest client may feel."""
    for history in histories:
        if history.end is End.REFUSED and history.code != "RESOURCE_EXHAUSTED":
            print(f"    {history.client} failed during {fault}: {history.code} {history.detail}", flush=True)


def _summary(histories: list[History]) -> str:
    ends = Counter(history.code if history.end is End.REFUSED else str(history.end) for history in histories)
    return f"{len(histories)} requests: " + ", ".join(f"{count} {end}" for end, count in ends.most_common())


if __name__ == "__main__":
    sys.exit(main())

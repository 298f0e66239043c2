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
from pathlib import Path
from typing import Final

import grpc

from chladni_fixtures.audio import encoded, melody
from chladni_local.cluster import LocalCluster
from chladni_robustness.clients import create, draw_content
from chladni_robustness.faults import draw_fault
from chladni_robustness.history import End, History
from chladni_robustness.processes import growth_of, usage_of
from chladni_robustness.validator import faults_of

_HONEST_CLIENTS: Final = 3
_SHARE_CANCELLED: Final = 0.2
_SETTLE_SECONDS: Final = 3.0
_START_SECONDS: Final = 600.0
_MAX_SHOWN: Final = 20


def main() -> int:
    """Run the program; return its exit status: 1 if a rule was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to do harm (default: 600)")
    parser.add_argument("--seed", type=int, default=None, help="seed of what happens (default: a new one)")
    arguments = parser.parse_args()
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}; repeat with: make robustness SECONDS={arguments.seconds:g} SEED={seed}", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="chladni-robustness-") as folder,
        LocalCluster(folder=Path(folder), ports="free", start_timeout_seconds=_START_SECONDS) as cluster,
    ):
        faults = asyncio.run(_run(cluster, random.Random(seed), arguments.seconds))
    for fault in faults[:_MAX_SHOWN]:
        print(f"BROKEN  {fault}")
    print(f"{len(faults)} rules broken" if faults else "every rule held")
    return 1 if faults else 0


async def _run(cluster: LocalCluster, drawn: random.Random, seconds: float) -> list[str]:
    """Do harm for some time; return what was broken."""
    audio = encoded(melody())
    histories: list[History] = []
    ends_at = time.monotonic() + seconds
    async with grpc.aio.insecure_channel(cluster.target("gateway")) as channel:
        first = History("first", "4/0")
        await create(channel, audio, first)
        histories.append(first)
        before = usage_of(cluster)
        honest = [
            asyncio.create_task(_ask(channel, audio, histories, random.Random(drawn.random()), ends_at, name))
            for name in (f"client {number}" for number in range(_HONEST_CLIENTS))
        ]
        while time.monotonic() < ends_at:
            fault = draw_fault(drawn, cluster)
            print(f"  {fault.name}", flush=True)
            started_count = len(histories)
            await fault.run()
            if not fault.ends_calls:
                _require_success(histories[started_count:], fault.name)
        await asyncio.gather(*honest)
        await asyncio.sleep(_SETTLE_SECONDS)
        last = History("last", "4/0")
        await create(channel, audio, last)
        histories.append(last)
    print(_summary(histories), flush=True)
    faults = faults_of(histories)
    if last.end is not End.CREATED:
        faults.append(f"at the end, with every service up, a request failed: {last.code} {last.detail}")
    return faults + growth_of(before, usage_of(cluster))


async def _ask(
    channel: grpc.aio.Channel,
    audio: bytes,
    histories: list[History],
    drawn: random.Random,
    ends_at: float,
    name: str,
) -> None:
    """Ask for one image after the other; now and then change one's mind."""
    count = 0
    while time.monotonic() < ends_at:
        count += 1
        history = History(f"{name}, request {count}", draw_content(drawn))
        histories.append(history)
        cancel_after = drawn.uniform(0.0, 1.0) if drawn.random() < _SHARE_CANCELLED else None
        await create(channel, audio, history, cancel_after=cancel_after)
        if history.end is End.REFUSED:
            await asyncio.sleep(0.2)


def _require_success(histories: list[History], fault: str) -> None:
    """Note requests that failed under a fault that no honest client may feel."""
    for history in histories:
        if history.end is End.REFUSED and history.code != "RESOURCE_EXHAUSTED":
            print(f"    {history.client} failed during {fault}: {history.code} {history.detail}", flush=True)


def _summary(histories: list[History]) -> str:
    ends = Counter(history.code if history.end is End.REFUSED else str(history.end) for history in histories)
    return f"{len(histories)} requests: " + ", ".join(f"{count} {end}" for end, count in ends.most_common())


if __name__ == "__main__":
    sys.exit(main())

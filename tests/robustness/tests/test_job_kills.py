"""A few kills; `make job-kills` does many."""

from __future__ import annotations

import random
from types import SimpleNamespace

import httpx
import pytest

from chladni_fixtures.state_servers import program
from chladni_robustness.job_kills import _any_serving, draw_victims, run


def test_nobody_dies_twice_at_once():
    drawn = random.Random(1)
    chosen = [draw_victims(drawn, [2, 2, 1, 1]) for _ in range(300)]
    assert all(len(set(together)) == len(together) for together in chosen)
    assert {len(together) for together in chosen} == {1, 2}
    assert {index for together in chosen for index in together} == {0, 1, 2, 3}


async def test_the_next_kill_waits_until_a_gateway_serves():
    asked = []

    def answer(request):
        asked.append(request.url.host)
        if len(asked) < 4:
            raise httpx.ConnectError("It starts.", request=request)
        return httpx.Response(503)

    gateways = [SimpleNamespace(url=f"http://{name}") for name in ("a", "b")]
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await _any_serving(http, gateways)
    assert asked == ["a", "b", "a", "b"]


async def test_jobs_outlive_kills_of_gateways_image_generation_and_redis(tmp_path):
    for name in ("redis-server", "weed"):
        if program(name) is None:
            pytest.skip(f"NOT TESTED: no {name}")
    report = await run(kills=3, seed=3, folder=tmp_path, pause_seconds=0.6)
    assert report.is_good, f"{report}\n{report.lost}\n{report.ended_twice}"
    assert report.kills.total() >= 3
    assert report.resumed_count

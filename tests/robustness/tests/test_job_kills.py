"""A few kills; `make job-kills` does many."""

from __future__ import annotations

import pytest

from chladni_fixtures.state_servers import program
from chladni_robustness.job_kills import run


async def test_jobs_outlive_kills_of_gateways_image_generation_and_redis(tmp_path):
    for name in ("redis-server", "weed"):
        if program(name) is None:
            pytest.skip(f"NOT TESTED: no {name}")
    report = await run(kills=3, seed=3, folder=tmp_path, pause_seconds=0.6)
    assert report.is_good, f"{report}\n{report.lost}\n{report.ended_twice}"
    assert report.kills.total() >= 3
    assert report.resumed_count

"""Whose jobs there are, how many, and how long they are remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from chladni_contract.errors import ChladniError, QueueFullError, Reason
from chladni_gateway.creation.job_runner import UnknownJobError


async def test_jobs_of_others_do_not_exist(job_runner_over, new_script, request_of):
    job_runner = job_runner_over(new_script())
    job = await job_runner.start(request_of("ann"))
    for stranger in ("bob", ""):
        with pytest.raises(UnknownJobError):
            await job_runner.find(job.job_id, owner=stranger)
        with pytest.raises(UnknownJobError):
            await job_runner.cancel(job.job_id, owner=stranger)
        assert await job_runner.list_owned(stranger) == ()
    assert not job.is_over
    await job_runner.close()


async def test_nobody_has_no_jobs(job_runner_over, new_script, request_of):
    job_runner = job_runner_over(new_script())
    job = await job_runner.start(request_of(""))
    assert await job_runner.list_owned("") == ()
    with pytest.raises(UnknownJobError):
        await job_runner.find(job.job_id, owner="")
    await job_runner.close()


async def test_unfinished_jobs_are_limited_for_each_and_for_all(new_script, job_runner_over, request_of):
    script = new_script()
    job_runner = job_runner_over(script, max_unfinished=3, max_unfinished_per_owner=2)
    jobs = [await job_runner.start(request_of(owner)) for owner in ("ann", "ann", "bob")]
    with pytest.raises(QueueFullError, match="You have 2 unfinished jobs"):
        await job_runner.start(request_of("ann"))
    with pytest.raises(QueueFullError, match="The server works on 3 jobs"):
        await job_runner.start(request_of("eve"))
    await job_runner.cancel(jobs[0].job_id, owner="ann")
    await job_runner.start(request_of("ann"))
    await job_runner.close()
    assert (job_runner.unfinished_count, script.running) == (0, 0)


async def test_a_caller_of_many_names_does_not_take_all_jobs(job_runner_over, new_script, request_of):
    job_runner = job_runner_over(new_script(), max_unfinished_per_caller=2)
    for owner in ("ann", "bob"):
        await job_runner.start(replace(request_of(owner), caller="192.0.2.1"))
    with pytest.raises(QueueFullError, match="Your host has 2 unfinished jobs"):
        await job_runner.start(replace(request_of("eve"), caller="192.0.2.1"))
    await job_runner.start(replace(request_of("eve"), caller="192.0.2.2"))
    await job_runner.close()


async def test_a_wrong_request_starts_nothing(new_script, job_runner_over, request_of):
    script = new_script()
    script.refusal = ChladniError(Reason.UNKNOWN_RECIPE, "No such recipe.")
    job_runner = job_runner_over(script)
    with pytest.raises(ChladniError, match="No such recipe"):
        await job_runner.start(request_of("ann"))
    assert await job_runner.list_owned("ann") == ()


async def test_finished_jobs_are_forgotten_in_time_and_in_number(
    job_runner_over, new_script, new_clock, collect, request_of
):
    script, clock = new_script(), new_clock()
    script.may_go_on.set()
    job_runner = job_runner_over(script, clock)
    jobs = []
    for number in range(5):
        jobs.append(await job_runner.start(request_of("ann", name=f"{number}.wav")))
        await collect(jobs[-1])
        clock.time += timedelta(minutes=10)
    assert await job_runner.list_owned("ann") == (jobs[4], jobs[3], jobs[2])
    clock.time += timedelta(minutes=30)
    assert await job_runner.list_owned("ann") == (jobs[4], jobs[3])
    clock.time += timedelta(hours=1)
    assert await job_runner.list_owned("ann") == ()

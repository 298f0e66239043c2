"""Failpoints: what their setting may say, what happens at them, and that only tests have them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time

import grpc
import pytest

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni_contract.errors import Reason, UnavailableError
from chladni_fakes.generation_on_command import SERVICE_NAME, ScriptedServicer, compose_around
from chladni_fakes.loopback import LoopbackSettings, loopback_service
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoint, parse_failpoints
from chladni_runtime.settings import SettingsError, load_settings

ALLOWED = {"CHLADNI_LOOPBACK_ALLOW_FAILPOINTS": "true"}


def outcomes(failpoints, name, count):
    """Return which of so many passes failed."""
    failed = []
    for number in range(count):
        try:
            failpoints.reach_blocking(name)
        except UnavailableError:
            failed.append(number)
    return failed


def test_nothing_happens_where_nothing_is_armed():
    for name in Failpoint:
        NO_FAILPOINTS.reach_blocking(name)
    assert NO_FAILPOINTS.names == ()
    assert parse_failpoints("").names == ()
    armed = parse_failpoints("step.before=error")
    armed.reach_blocking(Failpoint.STEP_AFTER)
    assert armed.names == ("step.before",)


async def test_an_error_says_which_failpoint_it_is_and_when_to_try_again():
    with pytest.raises(UnavailableError, match=r"store\.after") as caught:
        await parse_failpoints("store.after=error").reach(Failpoint.STORE_AFTER)
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE
    assert caught.value.retry_after_seconds == 0.1
    with pytest.raises(MemoryError):
        parse_failpoints("step.after=memory").reach_blocking(Failpoint.STEP_AFTER)


def test_an_action_happens_as_often_as_it_may():
    failpoints = parse_failpoints(" step.before=2*error ; ")
    assert outcomes(failpoints, Failpoint.STEP_BEFORE, 5) == [0, 1]


def test_draws_follow_the_seed_and_the_probability():
    failed = [
        outcomes(parse_failpoints(f"step.before=20%error;seed={seed}"), Failpoint.STEP_BEFORE, 1000)
        for seed in (1, 1, 2)
    ]
    assert failed[0] == failed[1] != failed[2]
    assert 150 < len(failed[0]) < 250
    assert outcomes(parse_failpoints("step.before=0%error"), Failpoint.STEP_BEFORE, 100) == []


async def test_a_task_that_sleeps_leaves_the_event_loop_to_others():
    failpoints = parse_failpoints("event.before=sleep(0.05)")
    started_at = time.monotonic()
    sleeping = [asyncio.create_task(failpoints.reach(Failpoint.EVENT_BEFORE)) for _ in range(20)]
    await asyncio.gather(*sleeping)
    assert 0.05 <= time.monotonic() - started_at < 0.9


def test_the_process_ends_as_by_kill_9():
    program = (
        "from chladni_runtime.failpoints import Failpoint, parse_failpoints;"
        "parse_failpoints('event.after=exit').reach_blocking(Failpoint.EVENT_AFTER)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("step.befor=exit", "known are admission.before"),
        ("step.before=explode", "name="),
        ("step.before", "name="),
        ("step.before=sleep(soon)", "name="),
        ("step.before=1%2*error", "name="),
        ("admission.after=memory", "where models compute"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(text, complaint):
    with pytest.raises(ValueError, match=r"failpoint|memory is for") as caught:
        parse_failpoints(text)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({}, "in a test, set CHLADNI_LOOPBACK_ALLOW_FAILPOINTS"),
        (ALLOWED | {"CHLADNI_LOOPBACK_HOST": "0.0.0.0"}, "listens on 0.0.0.0"),
    ],
)
def test_a_service_that_is_no_test_refuses_them(environ, complaint):
    with pytest.raises(SettingsError, match="CHLADNI_LOOPBACK_FAILPOINTS") as caught:
        load_settings(LoopbackSettings, {"CHLADNI_LOOPBACK_FAILPOINTS": "step.before=exit"} | environ)
    assert complaint in str(caught.value)


@pytest.mark.parametrize("place", ["admission.before", "admission.after"])
async def test_every_service_passes_its_admission(place):
    settings = load_settings(LoopbackSettings, ALLOWED | {"CHLADNI_LOOPBACK_FAILPOINTS": f"{place}=1*error"})
    servicer = ScriptedServicer()
    servicer.release.set()
    async with loopback_service(
        compose_around(servicer), service_names=[SERVICE_NAME], settings=settings
    ) as (running, channel):
        stub = image_grpc.ImageGenerationServiceStub(channel)
        request = image_pb2.GenerateImageRequest()
        with pytest.raises(grpc.aio.AioRpcError, match=place) as caught:
            await anext(aiter(stub.GenerateImage(request)))
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert len([message async for message in stub.GenerateImage(request)]) == 2
        assert await running.gate.wait_until_idle(5)

"""Jobs, and a runner of them over a creator in memory that goes on as it is told."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from datetime import timedelta

import pytest
import pytest_asyncio

from chladni_fakes.image_records import SteppedClock, record_at
from chladni_gateway.creation.job_runner import JobRunner
from chladni_gateway.creation.job_worker import JobLimits
from chladni_gateway.creation.operations import Operation
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.events import Analyzed, Created, Progressed, Started
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.storage.job_sqlite import SqliteJobStore
from chladni_runtime.failpoints import NO_FAILPOINTS

RECORD = record_at(SteppedClock().time)


class Clock(SteppedClock):
    """Also tells seconds, as stores of jobs count them."""

    def seconds(self):
        return self.time.timestamp()


class Script:
    """A creator that goes on step by step as it is told, and counts what it was made to stop."""

    def __init__(self):
        self.may_go_on = asyncio.Event()
        self.error = None
        self.refusal = None
        self.running = 0
        self.is_waiting = False
        self.steps = 0
        self.operations = []

    def check(self, request):
        if self.refusal:
            raise self.refusal

    def accept(self, request):
        return Operation(uuid.uuid4(), 7)

    async def create(self, request, deadline, *, operation):
        self.running += 1
        self.operations.append(operation)
        try:
            yield Analyzed(RECORD.audio, ())
            yield Started(7, 9, "m", 2.0)
            for step in range(1, self.steps + 1):
                yield Progressed(step, 9, None, 0.1 * step, None)
            self.is_waiting = True
            await self.may_go_on.wait()
            if self.error is not None:
                raise self.error
            yield Created(Image(b"png"), RECORD)
        finally:
            self.running -= 1
            self.is_waiting = False


@pytest.fixture(scope="session")
def record():
    """The record of the image that creators make."""
    return RECORD


@pytest.fixture(scope="session")
def new_clock():
    return Clock


@pytest.fixture(scope="session")
def new_script():
    """Return a creator that goes on step by step as it is told."""
    return Script


def request_of(owner, name="a.wav"):
    return CreationRequest(AudioClip(b"sound", name), owner=owner)


@pytest.fixture(scope="session", name="request_of")
def _request_of():
    """Return a function that makes a request of an owner."""
    return request_of


@pytest_asyncio.fixture
async def job_runner_over():
    """Return a function that makes a runner over a creator; runners are closed after the test."""
    runners = []

    def make(script, clock=None, store=None, failpoints=NO_FAILPOINTS, **limits):
        defaults = {
            "max_unfinished": 8,
            "max_unfinished_per_owner": 4,
            "max_unfinished_per_caller": 6,
            "max_remembered": 3,
            "retention": timedelta(hours=1),
            "timeout_seconds": 60.0,
        }
        runner = JobRunner(
            creator=script,
            store=store or SqliteJobStore(None),
            limits=JobLimits(**(defaults | limits)),
            now=clock or Clock(),
            failpoints=failpoints,
        )
        runners.append(runner)
        return runner

    yield make
    while runners:
        await runners.pop().close()


async def collect(job, after=0):
    async with aclosing(job.follow(after=after)) as events:
        return [numbered async for numbered in events]


@pytest.fixture(scope="session", name="collect")
def _collect():
    return collect


async def settle_until(condition):
    """Waits until a condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(scope="session", name="settle_until")
def _settle_until():
    return settle_until


async def running(script):
    """Waits until a creation is at work, and has said so."""
    await settle_until(lambda: script.is_waiting)


@pytest.fixture(scope="session", name="running")
def _running():
    return running

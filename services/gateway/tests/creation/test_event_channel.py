"""Events on their way from a recipe to its reader: back-pressure, cancellation and errors."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from chladni_contract.errors import ChladniError, FaultError, Reason
from chladni_contract.provenance import Provenance
from chladni_fakes import families
from chladni_gateway.backends.messages import to_model_summaries
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.event_channel import CAPACITY, EventChannel, running
from chladni_gateway.creation.operations import OperationLog
from chladni_gateway.domain.audio import AudioClip, AudioFeatures, AudioProperties, Embedding, InitialLatents
from chladni_gateway.domain.events import (
    Accepted,
    Analyzed,
    Completed,
    Created,
    FellBack,
    Progressed,
    Queued,
    Started,
)
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import PART_KEY, STAGE_KEY
from chladni_gateway.metrics import CreationMetrics
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_gateway.offered_recipes import RECIPES
from chladni_gateway.recipes.base import RecipeDependencies, RecipeRegistry
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Deadline

NO_LIMIT = Deadline()
NAMES = tuple(recipe.name for recipe in RECIPES)
EVERY_RECIPE = pytest.mark.parametrize("name", NAMES)


class Services:
    """All services in memory. They count their calls, and can stand still or fail at a step.

    Attributes:
        steps: Denoising steps of an image.
        hold_at: Call that stands still: ``analyze``, ``render``, or the number of an image's step.
        error_at: Step of an image that fails; `None` for none.
        missing: Models that fail in the analysis.
        calls: Calls by name.
        running: Calls in progress.
        steps_done: Denoising steps done in all.
    """

    name = "services"
    retention = timedelta(hours=1)

    def __init__(self, *, steps=3, hold_at=None, error_at=None, missing=()):
        self.steps = steps
        self.hold_at = hold_at
        self.error_at = error_at
        self.missing = missing
        self.calls = Counter()
        self.running = 0
        self.steps_done = 0
        self.stored = []
        self.infos = [
            families.descriptors(), families.clap(), families.clap_to_clip(),
            families.embedded(), families.audioldm(), families.stable_diffusion(),
            families.stable_diffusion_xl(), families.ldm(), families.unclip(),
        ]  # fmt: skip

    async def models(self, _deadline):
        return to_model_summaries(SimpleNamespace(models=self.infos, default_model=""))

    async def _work(self, call):
        self.calls[call] += 1
        self.running += 1
        try:
            await asyncio.sleep(0)
            if self.hold_at == call:
                await asyncio.Event().wait()
        finally:
            self.running -= 1

    async def analyze(self, clip, _deadline, *, selection=None):
        await self._work("analyze")
        wanted = selection.further_embedding_models if selection else ()
        if set(wanted) & set(self.missing):
            raise ChladniError(Reason.MODEL_UNAVAILABLE, "It cannot be used.")
        return AudioFeatures(
            AudioProperties("wav", 8000, 1, 1.0, clip.content.hex()),
            (),
            Embedding(families.SPACE, (0,), b""),
            tuple(Embedding(name, (0,), b"") for name in wanted),
            InitialLatents((4, 32, 32), b"") if selection and selection.initial_latents else None,
        )

    async def render(self, _clip, _size, _deadline):
        await self._work("render")
        return Image(b"spectrogram")

    async def generate(self, _generation, _deadline):
        self.calls["generate"] += 1
        self.running += 1
        try:
            yield Queued(0)
            yield Started(1, self.steps, "model", 1.0)
            for step in range(self.steps):
                await asyncio.sleep(0)
                if step == self.hold_at:
                    await asyncio.Event().wait()
                if step == self.error_at:
                    raise FaultError(Reason.INTERNAL, "It broke.")
                self.steps_done += 1
                yield Progressed(step + 1, self.steps, None, 0.0, None)
            yield Completed(Image(b"png"), Provenance(seed=1))
        finally:
            try:
                await asyncio.sleep(0)  # Ending a call takes time, too, and may be cancelled.
            finally:
                self.running -= 1

    async def put(self, _content, record):
        self.stored.append(record)
        return record


@pytest.fixture
def outcomes():
    """Counts of creations, by outcome."""
    return CollectorRegistry()


@pytest.fixture
def create(outcomes):
    """Starts the creation of an image by a recipe; returns its events."""
    metrics = CreationMetrics(outcomes)

    def creating(services, name):
        listing = ModelListing(services, lifetime_seconds=60, clock=time.monotonic)
        catalog = ModelCatalog(audio=listing, image=[listing])
        dependencies = RecipeDependencies(
            catalog=catalog,
            analyzer=services,
            renderer=services,
            generator=services,
            describer=services,
            prompts=services,
        )
        creator = ImageCreator(
            recipes=RecipeRegistry([make(dependencies) for make in RECIPES], catalog=catalog, default=name),
            store=services,
            operations=OperationLog(draw_seed=lambda: 1, clock=time.monotonic),
            admission=Admission(4, clock=time.monotonic),
            max_audio_bytes=1000,
            metrics=metrics,
            clock=time.monotonic,
            now=lambda: datetime.now(UTC),
        )
        options = RecipeOptions(prompt="a reef" if name == "music-prompts" else "")
        return creator.create(CreationRequest(AudioClip(b"sound"), recipe=name, options=options), NO_LIMIT)

    return creating


@pytest.fixture(autouse=True)
async def no_task_is_left_behind():
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() - {asyncio.current_task()} <= before


async def collect(events, seen):
    async with aclosing(events):
        async for event in events:
            seen.append(event)


async def let_all_run():
    for _ in range(50):
        await asyncio.sleep(0)


def count_of(outcomes, name, outcome):
    labels = {"recipe": name, "outcome": outcome}
    return outcomes.get_sample_value("chladni_creations_total", labels) or 0


@EVERY_RECIPE
async def test_a_slow_reader_slows_the_recipe_down(create, name):
    services = Services(steps=1000)
    async with aclosing(create(services, name)) as events:
        read = 0
        async for event in events:
            read += isinstance(event, Progressed)
            if read % 20 == 1:
                await let_all_run()
                # Those that wait, and the one for which there is no room.
                assert services.steps_done <= read + CAPACITY + 1
            if read == 200:
                break
    assert services.running == 0


@EVERY_RECIPE
async def test_closing_after_any_event_stops_all_work(create, outcomes, name):
    async with aclosing(create(Services(), name)) as events:
        count = len([event async for event in events])
    assert count_of(outcomes, name, "CREATED") == 1
    for position in range(1, count):
        services = Services()
        events = create(services, name)
        for _ in range(position):
            await anext(events)
        await events.aclose()
        assert services.running == 0
        assert services.stored == []
        done = services.steps_done
        await let_all_run()
        assert services.steps_done == done
        assert count_of(outcomes, name, "CANCELLED") == position


@EVERY_RECIPE
@pytest.mark.parametrize("hold_at", ["analyze", "render", 0, 2])
@pytest.mark.parametrize("cancellations", [1, 3])
async def test_cancelling_who_waits_for_the_next_event_stops_all_work(
    create, outcomes, name, hold_at, cancellations
):
    services = Services(hold_at=hold_at)
    seen = []

    follower = asyncio.create_task(collect(create(services, name), seen))
    await let_all_run()
    if hold_at == "render" and name != "spectrogram":
        assert isinstance(seen[-1], Created), "it draws no spectrogram"
        await follower
        return
    assert services.running == 1
    for _ in range(cancellations):
        follower.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await follower
    assert services.running == 0
    assert count_of(outcomes, name, "CANCELLED") == 1
    assert not any(isinstance(event, Created) for event in seen)


@EVERY_RECIPE
async def test_an_error_comes_after_the_events_before_it(create, outcomes, name):
    services = Services(steps=8, error_at=6)
    seen = []
    with pytest.raises(FaultError) as caught:
        await collect(create(services, name), seen)
    assert [type(event) for event in seen[:2]] == [Accepted, Analyzed]
    assert [event.step for event in seen if isinstance(event, Progressed)] == [1, 2, 3, 4, 5, 6]
    assert caught.value.message == "It broke."
    assert caught.value.metadata[STAGE_KEY] == "image_generation"
    part = "audioldm_mel" if name == "audioldm" else None
    assert caught.value.metadata.get(PART_KEY) == part
    assert services.running == 0
    assert count_of(outcomes, name, "INTERNAL") == 1


async def test_an_error_waits_for_a_reader_that_is_slow(create):
    services = Services(error_at=1)
    events = create(services, "embedded")
    seen = [await anext(events)]
    await let_all_run()
    with pytest.raises(FaultError):
        await collect(events, seen)
    assert [type(event) for event in seen] == [Accepted, Analyzed, Queued, Started, Progressed]


@EVERY_RECIPE
async def test_one_visit_to_the_analysis_is_enough(create, name):
    services = Services()
    async with aclosing(create(services, name)) as events:
        assert isinstance([event async for event in events][-1], Created)
    expected = {"analyze": 1, "generate": 2 if name == "audioldm" else 1}
    if name == "spectrogram":
        expected["render"] = 1
    assert services.calls == expected


async def test_a_failed_embedding_costs_audioldm_a_second_visit_and_not_the_descriptors(create):
    services = Services(missing=["scripted-clap"])
    async with aclosing(create(services, "audioldm")) as events:
        seen = [event async for event in events]
    assert [type(event) for event in seen[:3]] == [Accepted, Analyzed, FellBack]
    assert isinstance(seen[-1], Created)
    assert services.calls == {"analyze": 2, "render": 1, "generate": 1}


async def test_a_full_channel_ends_nevertheless():
    channel = EventChannel(2)

    async def work():
        await channel.send(1)
        await channel.send(2)
        return "done"

    async with running(work(), channel) as task:
        await let_all_run()
        assert task.done()
        assert [event async for event in channel] == [1, 2]
        assert await task == "done"


async def test_what_fails_while_it_is_stopped_is_not_the_readers_concern(caplog):
    channel = EventChannel()

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("too late")

    async with running(work(), channel):
        await asyncio.sleep(0)
    assert caplog.text == ""

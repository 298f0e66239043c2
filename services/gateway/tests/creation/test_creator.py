"""The order of stages, over collaborators in memory."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from chladni_contract.errors import ChladniError, NotFoundError, Reason
from chladni_contract.provenance import Provenance
from chladni_gateway.creation.creator import ImageCreator
from chladni_gateway.creation.operations import OperationLog
from chladni_gateway.domain.audio import AudioClip, AudioFeatures, AudioProperties, Embedding
from chladni_gateway.domain.events import Completed, Created, Progressed, Queued, Started
from chladni_gateway.domain.generation import GenerationSettings
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.domain.request import CreationRequest
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.domain.storage.image_store import StoredImage
from chladni_gateway.metrics import CreationMetrics
from chladni_gateway.models.catalog import ModelCatalog, ModelListing
from chladni_gateway.recipes.base import RecipeDependencies, RecipeRegistry
from chladni_gateway.recipes.embedded import EmbeddedRecipe
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.failpoints import parse_failpoints

NO_LIMIT = Deadline()


class Diary:
    """Plays all collaborators, writes down what they are asked, and fails where it is told to."""

    name = "diary"
    retention = timedelta(hours=1)

    def __init__(self, failing=None, steps=2, failure=None):
        self.entries = []
        self.stored = {}
        self._records = {}
        self._failing = failing
        self._failure = failure or RuntimeError("nobody foresaw this")
        self._steps = steps

    def _write(self, stage):
        self.entries.append(f"{stage} begins")
        if self._failing is stage:
            raise self._failure

    async def analyze(self, clip, _deadline, *, selection):
        assert selection.embedding_model == "ear"
        self._write(Stage.AUDIO_FEATURES)
        await asyncio.sleep(0)
        self.entries.append("audio_features ends")
        audio = AudioProperties("wav", 8000, 1, 1.0, clip.content.hex())
        return AudioFeatures(audio, (), Embedding("space", (0,), b""))

    async def generate(self, generation, _deadline):
        assert generation.model == "hand"
        self._write(Stage.IMAGE_GENERATION)
        yield Queued(0)
        yield Started(1, self._steps, "model", 1.0)
        for step in range(self._steps):
            await asyncio.sleep(0)
            yield Progressed(step + 1, self._steps, None, 0.0, None)
        self.entries.append("image_generation ends")
        if self._steps:
            yield Completed(Image(b"png " + generation.origin.audio_sha256.encode()), Provenance())

    async def put(self, content, record):
        self._write(Stage.STORAGE)
        self.stored[record.image_id] = content
        self._records[record.image_id] = record
        self.entries.append("storage ends")
        return record

    async def get(self, image_id):
        if image_id not in self.stored:
            raise NotFoundError(Reason.UNKNOWN_IMAGE, "It is not there.")
        return StoredImage(self._records[image_id], self.stored[image_id])

    async def models(self, _deadline):
        ear = ModelSummary(name="ear", output_space="space")
        hand = ModelSummary(
            name="hand", family="chladni-embedded", inputs=("audio_embedding",), input_spaces=("space",)
        )
        return ear, hand


def recipe_over(diary):
    listing = ModelListing(diary, lifetime_seconds=60, clock=time.monotonic)
    catalog = ModelCatalog(audio=listing, image=[listing])
    recipe = EmbeddedRecipe(
        RecipeDependencies(
            catalog=catalog, analyzer=diary, renderer=diary, generator=diary, describer=diary, prompts=diary
        )
    )
    return recipe, catalog


def creator_over(diary, **options):
    recipe, catalog = recipe_over(diary)
    return ImageCreator(
        recipes=RecipeRegistry([recipe], catalog=catalog, default="embedded"),
        store=diary,
        operations=OperationLog(draw_seed=lambda: 1, clock=time.monotonic),
        admission=Admission(4, clock=time.monotonic),
        max_audio_bytes=1000,
        metrics=CreationMetrics(CollectorRegistry()),
        clock=time.monotonic,
        now=lambda: datetime.now(UTC),
        **options,
    )


async def create(diary, content=b"sound", **options):
    request = CreationRequest(AudioClip(content), settings=GenerationSettings(**options))
    return await events_of(creator_over(diary), request)


async def events_of(creator, request):
    async with aclosing(creator.create(request, NO_LIMIT)) as events:
        return [event async for event in events]


@settings(max_examples=100, deadline=None)
@given(content=st.binary(min_size=1, max_size=1000), steps=st.integers(1, 20))
async def test_each_stage_ends_before_the_next_begins(content, steps):
    """Feature: voice-to-image-system, Property 11: Pipeline Execution Order."""
    diary = Diary(steps=steps)
    events = await create(diary, content)
    assert diary.entries == [
        "audio_features begins", "audio_features ends",
        "image_generation begins", "image_generation ends",
        "storage begins", "storage ends",
    ]  # fmt: skip
    assert isinstance(events[-1], Created)
    assert diary.stored == {events[-1].record.image_id: b"png " + content.hex().encode()}
    stages = [event.stage for event in events]
    assert stages == sorted(stages, key=list(Stage).index)


@settings(max_examples=100, deadline=None)
@given(
    failing=st.sampled_from([Stage.AUDIO_FEATURES, Stage.IMAGE_GENERATION, Stage.STORAGE]),
    failure_class=st.sampled_from([RuntimeError, ValueError, KeyError, OSError, MemoryError]),
    text=st.text(max_size=40),
    content=st.binary(min_size=1, max_size=200),
    steps=st.integers(1, 5),
)
async def test_whatever_fails_is_told_with_its_stage_and_no_later_stage_begins(
    failing, failure_class, text, content, steps
):
    """Feature: voice-to-image-system, Property 12: Pipeline Error Reporting.

    For any failure of any stage, the error names the stage, and says nothing of what went wrong inside.
    """
    diary = Diary(failing=failing, steps=steps, failure=failure_class(f"nobody foresaw {text}"))
    with pytest.raises(ChladniError) as caught:
        await create(diary, content)
    assert caught.value.reason is Reason.INTERNAL
    assert caught.value.metadata[STAGE_KEY] == failing.value
    assert "foresaw" not in caught.value.message
    assert isinstance(caught.value.__cause__, failure_class)
    assert diary.entries[-1] == f"{failing} begins"
    assert diary.stored == {}


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(-(2**40), 2**40), steps=st.integers(-10, 300), guidance=st.floats(allow_nan=True))
async def test_settings_pass_exactly_within_their_limits(seed, steps, guidance):
    is_valid = 0 <= seed < 2**32 and 1 <= steps <= 150 and 1 <= guidance <= 30
    diary = Diary()
    if is_valid:
        await create(diary, seed=seed, steps=steps, guidance_scale=guidance)
        return
    with pytest.raises(ChladniError) as caught:
        await create(diary, seed=seed, steps=steps, guidance_scale=guidance)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.metadata[STAGE_KEY] == "validation"
    assert diary.entries == [], "a wrong request reaches no service"


@settings(max_examples=100, deadline=None)
@given(width=st.integers(-10, 5000), height=st.integers(-10, 5000), name_length=st.integers(0, 130))
async def test_sizes_and_names_pass_exactly_within_their_limits(width, height, name_length):
    diary = Diary()
    is_valid = 16 <= width <= 4096 and 16 <= height <= 4096 and name_length <= 64
    options = {"width_pixels": width, "height_pixels": height, "scheduler": "s" * name_length}
    if is_valid:
        await create(diary, **options)
        return
    with pytest.raises(ChladniError) as caught:
        await create(diary, **options)
    assert caught.value.reason is Reason.INVALID_FIELD
    wrong = {violation.field for violation in caught.value.violations}
    assert wrong == {
        *(["width_pixels"] if not 16 <= width <= 4096 else []),
        *(["height_pixels"] if not 16 <= height <= 4096 else []),
        *(["scheduler"] if name_length > 64 else []),
    }
    assert diary.entries == [], "a wrong request reaches no service"


async def test_every_image_has_an_identifier_of_its_own():
    diary = Diary()
    for _ in range(200):
        await create(diary)
    assert len(diary.stored) == 200
    assert {image_id.version for image_id in diary.stored} == {4}


@settings(max_examples=100, deadline=None)
@given(contents=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=12))
async def test_any_images_have_identifiers_of_their_own(contents):
    """Feature: voice-to-image-system, Property 15: Unique Image Identifiers."""
    diary = Diary()
    created = [(await create(diary, content))[-1].record.image_id for content in contents]
    assert len(set(created)) == len(diary.stored) == len(contents)
    assert {image_id.version for image_id in created} == {4}


@settings(max_examples=100, deadline=None)
@given(contents=st.lists(st.binary(min_size=1, max_size=50), min_size=2, max_size=4), steps=st.integers(1, 5))
async def test_requests_at_once_get_the_images_of_their_own_sounds(contents, steps):
    """Feature: voice-to-image-system, Property 14: Concurrent Request Safety."""
    diary = Diary(steps=steps)
    creator = creator_over(diary)

    async def creation(content):
        request = CreationRequest(AudioClip(content))
        async with aclosing(creator.create(request, NO_LIMIT)) as events:
            return [event async for event in events][-1]

    created = await asyncio.gather(*map(creation, contents))
    for content, event in zip(contents, created, strict=True):
        assert event.image.content == diary.stored[event.record.image_id] == b"png " + content.hex().encode()


async def test_a_generation_without_an_image_is_a_fault_of_its_stage():
    with pytest.raises(ChladniError) as caught:
        await create(Diary(steps=0))
    assert caught.value.metadata[STAGE_KEY] == "image_generation"


async def test_an_error_keeps_the_first_stage_that_it_was_given():
    with pytest.raises(ChladniError) as caught, at_stage(Stage.VALIDATION), at_stage(Stage.STORAGE):
        raise ChladniError(Reason.STORAGE_UNAVAILABLE, "No.")
    assert caught.value.metadata[STAGE_KEY] == "storage"


def test_two_recipes_of_one_name_are_a_mistake():
    recipe, catalog = recipe_over(Diary())
    with pytest.raises(ValueError, match="same name"):
        RecipeRegistry([recipe, recipe], catalog=catalog, default="embedded")


@pytest.mark.parametrize(
    ("place", "is_stored"),
    [("event.before", False), ("event.after", False), ("store.before", False), ("store.after", True),
     ("finish.before", True)],
)  # fmt: skip
async def test_a_creation_that_fails_between_two_states_can_be_tried_again(place, is_stored):
    diary = Diary()
    creator = creator_over(diary, failpoints=parse_failpoints(f"{place}=1*error"))
    request = CreationRequest(AudioClip(b"sound"), request_id=uuid.uuid4())
    with pytest.raises(ChladniError, match=place) as caught:
        await events_of(creator, request)
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE
    assert bool(diary.stored) is is_stored
    assert isinstance((await events_of(creator, request))[-1], Created)
    assert len(diary.stored) == 1

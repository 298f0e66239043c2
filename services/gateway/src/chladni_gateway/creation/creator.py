"""The creation of an image: check, let the recipe work, store, and report on the way."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Final
from uuid import uuid4

from chladni_contract.errors import FaultError, Reason
from chladni_gateway.domain.events import Analyzed, Completed, Created, CreationEvent, FellBack
from chladni_gateway.domain.image_store import ImageRecord, ImageStore
from chladni_gateway.domain.recipe_options import check_taken
from chladni_gateway.domain.request import CreationRequest, check_request
from chladni_gateway.domain.stages import STAGE_KEY, Stage, at_stage
from chladni_gateway.metrics import CreationMetrics
from chladni_gateway.recipes.base import Recipe, RecipeRegistry
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Clock, Deadline
from chladni_runtime.server.validation import RequestValidator

_MAX_RECIPE_NAME_LENGTH: Final = 64


class ImageCreator:
    """Creates images. One for all transports.

    Args:
        recipes: The ways from sound to image.
        store: Keeps the images.
        admission: Bounds the creations in progress.
        max_audio_bytes: Largest recording, in bytes.
        metrics: Counts and times creations.
        clock: Monotonic clock in seconds.
        now: Clock for dates.
    """

    def __init__(
        self,
        *,
        recipes: RecipeRegistry,
        store: ImageStore,
        admission: Admission,
        max_audio_bytes: int,
        metrics: CreationMetrics,
        clock: Clock,
        now: Callable[[], datetime],
    ) -> None:
        self._recipes = recipes
        self._store = store
        self._admission = admission
        self._max_audio_bytes = max_audio_bytes
        self._metrics = metrics
        self._clock = clock
        self._now = now

    def check(self, request: CreationRequest) -> None:
        """Demands that a request keeps its limits, as `create` does before anything else.

        Raises:
            ChladniError: It does not, or no recipe has the name that it gives, or the recipe does not take an
                option that it gives.
        """
        with at_stage(Stage.VALIDATION):
            self._check(request, self._recipe_of(request))

    async def create(
        self, request: CreationRequest, deadline: Deadline
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yields what happens on the way to the image, `Created` last.

        Closing the generator, or cancelling the task that waits for its next event, stops the work in every
        service.

        Raises:
            ChladniError: Some stage failed; the metadata names it under `STAGE_KEY`.
        """
        with self._metrics.count_creation() as counted:
            with at_stage(Stage.VALIDATION):
                recipe = self._recipe_of(request)
                counted.recipe = recipe.name
                self._check(request, recipe)
            with at_stage(Stage.VALIDATION), self._admission.admit():
                async with aclosing(self._work(recipe, request, deadline)) as events:
                    async for event in events:
                        counted.is_created = isinstance(event, Created)
                        yield event

    async def _work(
        self, recipe: Recipe, request: CreationRequest, deadline: Deadline
    ) -> AsyncGenerator[CreationEvent, None]:
        started_at = self._clock()
        timer = self._metrics.stage_timer(self._clock)
        analyzed: Analyzed | None = None
        completed: Completed | None = None
        async with aclosing(recipe.create(request, deadline)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    completed = event
                    continue
                if isinstance(event, FellBack):
                    self._metrics.count_fallback(recipe.name, event.way)
                if isinstance(event, Analyzed):
                    analyzed = event
                    timer.lap(Stage.AUDIO_FEATURES)
                yield event
        if analyzed is None or completed is None:
            raise _no_image()
        timer.lap(Stage.IMAGE_GENERATION)
        with at_stage(Stage.STORAGE):
            deadline.check("before the image was stored")
            record = self._describe(request, recipe, analyzed, completed, self._clock() - started_at)
            await self._store.put(completed.image.content, record)
        timer.lap(Stage.STORAGE)
        yield Created(completed.image, record, recipe_stage=completed.recipe_stage)

    def _recipe_of(self, request: CreationRequest) -> Recipe:
        validator = RequestValidator()
        length = len(request.recipe)
        validator.check(
            "recipe",
            valid=length <= _MAX_RECIPE_NAME_LENGTH,
            description=f"has {length} characters, at most {_MAX_RECIPE_NAME_LENGTH} are allowed.",
        )
        validator.raise_if_invalid()
        return self._recipes.find(request.recipe)

    def _check(self, request: CreationRequest, recipe: Recipe) -> None:
        check_request(request, max_audio_bytes=self._max_audio_bytes)
        check_taken(
            request.options.given,
            recipe=recipe.name,
            options=recipe.options,
            required_options=recipe.required_options,
        )

    def _describe(
        self,
        request: CreationRequest,
        recipe: Recipe,
        analyzed: Analyzed,
        completed: Completed,
        processing_seconds: float,
    ) -> ImageRecord:
        created_at = self._now()
        return ImageRecord(
            image_id=uuid4(),
            created_at=created_at,
            expires_at=created_at + self._store.retention,
            sha256=hashlib.sha256(completed.image.content).hexdigest(),
            width_pixels=completed.image.width_pixels,
            height_pixels=completed.image.height_pixels,
            source_name=request.clip.name,
            recipe=recipe.name,
            processing_seconds=processing_seconds,
            audio=analyzed.audio,
            descriptors=analyzed.descriptors,
            provenance=completed.provenance,
            is_reused=completed.is_reused,
            owner=request.owner,
            audio_embedding=analyzed.embedding,
        )


def _no_image() -> FaultError:
    return FaultError(
        Reason.INTERNAL,
        "The image generation ended without an image.",
        metadata={STAGE_KEY: Stage.IMAGE_GENERATION.value},
    )

"""The creation of an image: check, let the recipe work, store, and report on the way."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from chladni_contract.errors import FaultError, NotFoundError, Reason
from chladni_gateway.creation.event_channel import EventChannel, running
from chladni_gateway.creation.operations import Operation, OperationLog
from chladni_gateway.domain.events import (
    Accepted,
    Analyzed,
    Completed,
    Created,
    CreationEvent,
    FellBack,
    RecipeEvent,
)
from chladni_gateway.domain.images import format_of
from chladni_gateway.domain.recipe_options import check_taken
from chladni_gateway.domain.request import CreationRequest, check_request
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.image_store import ImageRecord, ImageStore
from chladni_gateway.metrics import CreationMetrics, StageTimer
from chladni_gateway.recipes.base import Recipe, RecipeRegistry
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.deadlines import Clock, Deadline
from chladni_runtime.failpoints import NO_FAILPOINTS, Failpoint, Failpoints
from chladni_runtime.server.validation import RequestValidator

_MAX_RECIPE_NAME_LENGTH: Final = 64


class ImageCreator:
    """Creates images. One for all transports.

    Args:
        recipes: The ways from sound to image.
        store: Keeps the images.
        operations: Accepts the requests.
        admission: Bounds the creations in progress.
        max_audio_bytes: Largest recording, in bytes.
        metrics: Counts and times creations.
        clock: Monotonic clock in seconds.
        now: Clock for dates.
        failpoints: For tests of robustness.
    """

    def __init__(
        self,
        *,
        recipes: RecipeRegistry,
        store: ImageStore,
        operations: OperationLog,
        admission: Admission,
        max_audio_bytes: int,
        metrics: CreationMetrics,
        clock: Clock,
        now: Callable[[], datetime],
        failpoints: Failpoints = NO_FAILPOINTS,
    ) -> None:
        self._recipes = recipes
        self._store = store
        self._operations = operations
        self._admission = admission
        self._max_audio_bytes = max_audio_bytes
        self._metrics = metrics
        self._clock = clock
        self._now = now
        self._failpoints = failpoints

    def check(self, request: CreationRequest) -> None:
        """Require that a request keeps its limits, as `create` does before anything else.

        Raises:
            ChladniError: It does not, or no recipe has the name that it gives, or the recipe does not take an
                option that it gives.
        """
        with at_stage(Stage.VALIDATION):
            self._check(request, self._recipe_of(request))

    def accept(self, request: CreationRequest) -> Operation:
        """Return the operation of a request; see `OperationLog`.

        Raises:
            ChladniError: Another request has the same name.
        """
        with at_stage(Stage.VALIDATION):
            return self._operations.accept(request)

    async def create(
        self, request: CreationRequest, deadline: Deadline, *, operation: Operation | None = None
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yield what happens on the way to the image, `Accepted` first and `Created` last.

        If the image of a retry is already made, nothing else happens. Closing the generator, or cancelling
        the task that waits for its next event, stops the work in every service before it returns.

        Args:
            request: What to create.
            deadline: When it must be done.
            operation: The operation of the request; `None` if it is to be accepted now.

        Raises:
            ChladniError: Some stage failed; the metadata names it under `STAGE_KEY`.
        """
        with self._metrics.count_creation() as counted:
            with at_stage(Stage.VALIDATION):
                recipe = self._recipe_of(request)
                counted.recipe = recipe.name
                self._check(request, recipe)
            with at_stage(Stage.VALIDATION), self._admission.admit():
                started_at = self._clock()
                operation = operation or self.accept(request)
                yield Accepted(operation.operation_id, operation.seed)
                if (operation.is_retry or operation.is_rerun) and (made := await self._find(operation)):
                    counted.is_created = True
                    yield made
                    return
                request = replace(request, settings=replace(request.settings, seed=operation.seed))
                timer = StageTimer(self._clock)
                analyzed: Analyzed | None = None
                channel: EventChannel[RecipeEvent] = EventChannel()
                async with running(recipe.create(request, deadline, channel.send), channel) as work:
                    async for event in channel:
                        if isinstance(event, FellBack):
                            self._metrics.count_fallback(recipe.name, event.fallback)
                        if isinstance(event, Analyzed):
                            analyzed = event
                            timer.lap(Stage.AUDIO_FEATURES)
                        await self._failpoints.reach(Failpoint.EVENT_BEFORE)
                        yield event
                        await self._failpoints.reach(Failpoint.EVENT_AFTER)
                    completed = await work
                if analyzed is None and request.has_audio:
                    raise FaultError(Reason.INTERNAL, f"The recipe {recipe.name} did not analyse the sound.")
                timer.lap(Stage.IMAGE_GENERATION)
                with at_stage(Stage.STORAGE):
                    deadline.check("before the image was stored")
                    seconds = self._clock() - started_at
                    record = self._make_record(request, recipe, operation, analyzed, completed, seconds)
                    await self._failpoints.reach(Failpoint.STORE_BEFORE)
                    record = await self._store.put(completed.image.content, record)
                    await self._failpoints.reach(Failpoint.STORE_AFTER)
                timer.lap(Stage.STORAGE)
                await self._failpoints.reach(Failpoint.FINISH_BEFORE)
                counted.is_created = True
                yield Created(completed.image, record, part=completed.part)

    async def _find(self, operation: Operation) -> Created | None:
        """Return the end of an operation whose image is already made; `None` if it is not."""
        with at_stage(Stage.STORAGE):
            try:
                stored = await self._store.get(operation.operation_id)
            except NotFoundError:
                return None
        record = replace(stored.record, is_reused=True) if operation.is_retry else stored.record
        return Created(stored.image, record)

    def _recipe_of(self, request: CreationRequest) -> Recipe:
        validator = RequestValidator()
        validator.check_length("recipe", request.recipe, maximum=_MAX_RECIPE_NAME_LENGTH)
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

    def _make_record(
        self,
        request: CreationRequest,
        recipe: Recipe,
        operation: Operation,
        analyzed: Analyzed | None,
        completed: Completed,
        processing_seconds: float,
    ) -> ImageRecord:
        created_at = self._now()
        return ImageRecord(
            image_id=operation.operation_id,
            created_at=created_at,
            expires_at=created_at + self._store.retention,
            sha256=hashlib.sha256(completed.image.content).hexdigest(),
            format=format_of(completed.image),
            size_bytes=len(completed.image.content),
            width_pixels=completed.image.width_pixels,
            height_pixels=completed.image.height_pixels,
            source_name=request.clip.name,
            recipe=recipe.name,
            processing_seconds=processing_seconds,
            audio=analyzed.audio if analyzed else None,
            descriptors=analyzed.descriptors if analyzed else (),
            provenance=completed.provenance,
            is_reused=completed.is_reused,
            owner=request.owner,
            audio_embedding=analyzed.embedding if analyzed else None,
            warnings=(*(analyzed.warnings if analyzed else ()), *completed.warnings),
        )

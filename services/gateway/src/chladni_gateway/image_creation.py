"""The creation of a picture: check, let the recipe work, store, and report on the way."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

from chladni_gateway.collaborators import GenerationSettings
from chladni_gateway.events import Analyzed, Completed, Created, CreationEvent
from chladni_gateway.image_store import ImageRecord, ImageStore
from chladni_gateway.metrics import CreationMetrics
from chladni_gateway.recipes import Recipe, RecipeBook
from chladni_gateway.recordings import Recording
from chladni_gateway.stages import STAGE_KEY, Stage, at_stage
from chladni_runtime.admission import Admission
from chladni_runtime.deadlines import Clock, Deadline
from chladni_runtime.errors import FaultError, InvalidInputError, Reason
from chladni_runtime.validation import RequestValidator

AUDIO_FIELD: Final = "audio.content"
MAX_SEED: Final = 2**32 - 1
MAX_STEPS: Final = 150
MAX_GUIDANCE_SCALE: Final = 30.0
MAX_NAME_LENGTH: Final = 255
_MAX_RECIPE_NAME_LENGTH: Final = 64
_MIN_PREVIEW_PIXELS: Final = 16
_MAX_PREVIEW_PIXELS: Final = 512


@dataclass(frozen=True, slots=True)
class CreationRequest:
    """What a caller asks for.

    Attributes:
        recording: The sound.
        recipe: Name of the recipe; empty for the default one.
        settings: How to generate.
    """

    recording: Recording
    recipe: str = ""
    settings: GenerationSettings = field(default_factory=GenerationSettings)


class ImageCreator:
    """Creates pictures. One for all transports.

    Args:
        recipes: The ways from sound to picture.
        store: Keeps the pictures.
        admission: Bounds the creations in progress.
        max_audio_bytes: Largest recording, in bytes.
        metrics: Counts and times creations.
        clock: Monotonic clock in seconds.
        now: Clock for dates.
    """

    def __init__(
        self,
        *,
        recipes: RecipeBook,
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

    async def create(
        self, request: CreationRequest, deadline: Deadline
    ) -> AsyncGenerator[CreationEvent, None]:
        """Yields what happens on the way to the picture, `Created` last.

        Closing the generator, or cancelling the task that waits for its next event, stops the work in every
        service.

        Raises:
            ChladniError: Some stage failed; the metadata names it under `STAGE_KEY`.
        """
        with self._metrics.counted() as tally:
            with at_stage(Stage.VALIDATION):
                recipe = self._recipe_of(request)
                tally.recipe = recipe.name
                self._check(request)
            with at_stage(Stage.VALIDATION), self._admission.admit():
                async with aclosing(self._work(recipe, request, deadline)) as events:
                    async for event in events:
                        tally.is_created = isinstance(event, Created)
                        yield event

    async def _work(
        self, recipe: Recipe, request: CreationRequest, deadline: Deadline
    ) -> AsyncGenerator[CreationEvent, None]:
        started_at = self._clock()
        timer = self._metrics.stage_timer(self._clock)
        analyzed: Analyzed | None = None
        completed: Completed | None = None
        async with aclosing(recipe.create(request.recording, request.settings, deadline)) as events:
            async for event in events:
                if isinstance(event, Completed):
                    completed = event
                    continue
                if isinstance(event, Analyzed):
                    analyzed = event
                    timer.lap(Stage.AUDIO_FEATURES)
                yield event
        if analyzed is None or completed is None:
            raise _no_picture()
        timer.lap(Stage.IMAGE_GENERATION)
        with at_stage(Stage.STORAGE):
            deadline.check("before the picture was stored")
            record = self._describe(request, recipe, analyzed, completed, self._clock() - started_at)
            await self._store.put(completed.picture.content, record)
        timer.lap(Stage.STORAGE)
        yield Created(completed.picture, record)

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

    def _check(self, request: CreationRequest) -> None:
        recording, settings = request.recording, request.settings
        validator = RequestValidator()
        validator.check(
            "audio.display_name",
            valid=len(recording.name) <= MAX_NAME_LENGTH,
            description=f"has {len(recording.name)} characters, at most {MAX_NAME_LENGTH} are allowed.",
        )
        if settings.seed is not None:
            validator.check_range("seed", settings.seed, minimum=0, maximum=MAX_SEED)
        if settings.steps is not None:
            validator.check_range("steps", settings.steps, minimum=1, maximum=MAX_STEPS)
        if settings.guidance_scale is not None:
            validator.check_range(
                "guidance_scale", settings.guidance_scale, minimum=1, maximum=MAX_GUIDANCE_SCALE
            )
        if previews := settings.previews:
            validator.check_range(
                "previews.interval_steps", previews.interval_steps, minimum=0, maximum=MAX_STEPS
            )
            if previews.size_pixels is not None:
                validator.check_range(
                    "previews.size_pixels",
                    previews.size_pixels,
                    minimum=_MIN_PREVIEW_PIXELS,
                    maximum=_MAX_PREVIEW_PIXELS,
                    unit="pixels",
                )
        validator.raise_if_invalid()
        check_recording(recording, max_audio_bytes=self._max_audio_bytes)

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
            sha256=hashlib.sha256(completed.picture.content).hexdigest(),
            width_pixels=completed.picture.width_pixels,
            height_pixels=completed.picture.height_pixels,
            source_name=request.recording.name,
            recipe=recipe.name,
            processing_seconds=processing_seconds,
            audio=analyzed.audio,
            descriptors=analyzed.descriptors,
            provenance=completed.provenance,
        )


def check_recording(recording: Recording, *, max_audio_bytes: int) -> None:
    """Demands that a recording has bytes, and not too many.

    Raises:
        InvalidInputError: It has none, or more than `max_audio_bytes`.
    """
    if not recording.content:
        raise InvalidInputError(
            Reason.EMPTY_AUDIO,
            f"{AUDIO_FIELD} is empty; send the bytes of a WAV, MP3, FLAC or OGG file.",
            field=AUDIO_FIELD,
        )
    if len(recording.content) > max_audio_bytes:
        raise recording_too_large(max_audio_bytes)


def recording_too_large(max_audio_bytes: int) -> InvalidInputError:
    """Returns the error for a recording of too many bytes."""
    return InvalidInputError(
        Reason.FILE_TOO_LARGE,
        f"{AUDIO_FIELD} is larger than {max_audio_bytes / 2**20:g} MiB, the limit; "
        "shorten the recording or compress it, for example as OGG.",
        field=AUDIO_FIELD,
    )


def _no_picture() -> FaultError:
    return FaultError(
        Reason.INTERNAL,
        "The image generation ended without a picture.",
        metadata={STAGE_KEY: Stage.IMAGE_GENERATION.value},
    )

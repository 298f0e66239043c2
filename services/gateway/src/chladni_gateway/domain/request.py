"""What a caller asks for, and whether it keeps the limits: images, and pages of lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.generation import GenerationSettings, PreviewRequest
from chladni_gateway.domain.images import ImageEncoding, parse_uuid
from chladni_gateway.domain.recipe_options import NoiseMode, RecipeOptions
from chladni_runtime.server.validation import RequestValidator

T = TypeVar("T")

AUDIO_FIELD: Final = "audio.content"
QUALITY_FIELD: Final = "encoding.quality"
MAX_SEED: Final = 2**32 - 1
MAX_STEPS: Final = 150
MAX_GUIDANCE_SCALE: Final = 30.0
MIN_SIDE_PIXELS: Final = 16
MAX_SIDE_PIXELS: Final = 4096
MAX_SCHEDULER_NAME_LENGTH: Final = 64
MAX_PROMPT_LENGTH: Final = 2000
MAX_MODEL_NAME_LENGTH: Final = 256
UPSCALES: Final = (1, 2)
MAX_LATENT_VALUES: Final = 2**18
DEFAULT_PAGE_SIZE: Final = 100
MAX_QUALITY: Final = 100
MAX_PAGE_SIZE: Final = 200
_MAX_FILE_NAME_LENGTH: Final = 255
_MIN_PREVIEW_PIXELS: Final = 16
_MAX_PART_SECONDS: Final = 24 * 3600.0
_MAX_PREVIEW_PIXELS: Final = 512


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where the end of a job is reported to.

    Attributes:
        url: Address.
        secret: What the reports are signed with; empty for the server's own secret.
    """

    url: str
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CreationRequest:
    """What a caller asks for.

    Attributes:
        recording: The sound.
        recipe: Name of the recipe; empty for the default one.
        settings: How to generate.
        options: What the recipe is to do otherwise than by itself.
        caller: Who asks: callers share image generation fairly. Empty if that is not known.
        owner: Whose image it becomes; empty for nobody's.
        request_id: Identifier that the caller chose, by which a retry is the same request; `None` for none.
        webhook: Where the end of the job is reported to; `None` for nowhere.
    """

    clip: AudioClip
    recipe: str = ""
    settings: GenerationSettings = field(default_factory=GenerationSettings)
    options: RecipeOptions = field(default_factory=RecipeOptions)
    caller: str = ""
    owner: str = ""
    request_id: UUID | None = None
    webhook: Webhook | None = None

    @property
    def has_samples(self) -> bool:
        """Whether it holds a file or samples."""
        return bool(self.clip.content or self.clip.pcm)

    @property
    def has_audio(self) -> bool:
        """Whether it has a recording, without which it must have initial latents."""
        return bool(self.clip.content or self.clip.name or self.clip.pcm)


def check_request(request: CreationRequest, *, max_audio_bytes: int) -> None:
    """Require that a request keeps the limits that no model decides.

    Which schedulers and sizes a model takes, image generation knows.

    Raises:
        InvalidInputError: Fields are wrong, and all of them are named; or the recording has no bytes, or
            more than `max_audio_bytes`.
    """
    validator = RequestValidator()
    validator.check_length("audio.display_name", request.clip.name, maximum=_MAX_FILE_NAME_LENGTH)
    _check_settings(validator, request.settings)
    _check_initial_latents(validator, request.options)
    _check_options(validator, request.options)
    if request.settings.previews:
        _check_previews(validator, request.settings.previews)
    validator.raise_if_invalid()
    if request.has_audio or request.options.initial_latents is None:
        check_clip(request.clip, max_audio_bytes=max_audio_bytes)


def parse_request_id(text: str) -> UUID | None:
    """Return the identifier that a caller chose for its request; `None` if it chose none.

    Raises:
        InvalidInputError: It is not a UUID.
    """
    if not text:
        return None
    return parse_uuid(text, field="request_id", hint="draw a UUID for each new request")


def page_size_of(size: int) -> int:
    """Return the size of a page that a request asks for.

    Raises:
        InvalidFieldsError: It is outside 0 to 200.
    """
    validator = RequestValidator()
    validator.check_range("page_size", size, minimum=0, maximum=MAX_PAGE_SIZE)
    validator.raise_if_invalid()
    return size or DEFAULT_PAGE_SIZE


def last_seen_of(token: str) -> UUID | None:
    """Return the identifier after which a page begins; `None` for the first page.

    Raises:
        InvalidInputError: The server did not give this token.
    """
    if not token:
        return None
    try:
        return UUID(hex=token)
    except ValueError:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            "page_token is not one that this server gave; send the next_page_token of the previous answer.",
            field="page_token",
        ) from None


def cut_page(items: Sequence[T], *, size: int, identify: Callable[[T], UUID]) -> tuple[Sequence[T], str]:
    """Return a page and the token of the next one, which `last_seen_of` reads; empty if there is none.

    Args:
        items: What begins with the page: more than `size` items if a page follows.
        size: Items of a page at most.
        identify: Returns the identifier of an item.
    """
    page = items[:size]
    return page, identify(page[-1]).hex if len(items) > size else ""


def check_upload(request: CreationRequest) -> None:
    """Require that a request whose recording comes in pieces chooses a part of it, and holds nothing of it.

    Raises:
        InvalidInputError: It does not.
    """
    if request.has_samples:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"{AUDIO_FIELD} is set, but the recording comes in pieces; leave it out.",
            field=AUDIO_FIELD,
        )
    if not request.clip.is_part:
        raise InvalidInputError(
            Reason.MISSING_FIELD,
            "audio.end is missing; choose a part of the recording by audio.start and audio.end.",
            field="audio.end",
        )


def clip_too_large(max_audio_bytes: int, size_bytes: int | None = None) -> InvalidInputError:
    """Return the error for a recording of too many bytes; its size is `None` if it is unknown."""
    return InvalidInputError(
        Reason.FILE_TOO_LARGE,
        f"{AUDIO_FIELD} is larger than {max_audio_bytes / 2**20:g} MiB, the limit; "
        "shorten the recording, compress it, for example as OGG, or choose a part of it.",
        field=AUDIO_FIELD,
        metadata={"max_bytes": max_audio_bytes}
        if size_bytes is None
        else {"size_bytes": size_bytes, "max_bytes": max_audio_bytes},
    )


def _check_settings(validator: RequestValidator, settings: GenerationSettings) -> None:
    if settings.seed is not None:
        validator.check_range("seed", settings.seed, minimum=0, maximum=MAX_SEED)
    if settings.steps is not None:
        validator.check_range("steps", settings.steps, minimum=1, maximum=MAX_STEPS)
    if settings.guidance_scale is not None:
        validator.check_range(
            "guidance_scale", settings.guidance_scale, minimum=1, maximum=MAX_GUIDANCE_SCALE
        )
    check_encoding(validator, settings.encoding)
    validator.check_length("scheduler", settings.scheduler, maximum=MAX_SCHEDULER_NAME_LENGTH)
    for name, side in (("width_pixels", settings.width_pixels), ("height_pixels", settings.height_pixels)):
        if side is not None:
            validator.check_range(name, side, minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS, unit="pixels")


def check_encoding(validator: RequestValidator, encoding: ImageEncoding) -> None:
    """Check how an image is to be encoded."""
    quality = encoding.quality
    if quality is None:
        return
    if not encoding.format.has_quality:
        validator.check(
            QUALITY_FIELD,
            valid=False,
            description=f"does not go with {encoding.format.upper()}, which loses nothing; leave it out.",
            metadata={"value": quality},
        )
    else:
        validator.check_range(QUALITY_FIELD, quality, minimum=1, maximum=MAX_QUALITY)


def _check_options(validator: RequestValidator, options: RecipeOptions) -> None:
    """Check the values that are given; which of them a recipe takes, the recipe knows."""
    validator.check_length("prompt", options.prompt, maximum=MAX_PROMPT_LENGTH)
    validator.check_length("negative_prompt", options.negative_prompt, maximum=MAX_PROMPT_LENGTH)
    validator.check_length("model", options.model, maximum=MAX_MODEL_NAME_LENGTH)
    validator.check_length("look", options.look, maximum=MAX_MODEL_NAME_LENGTH)
    validator.check_length("calibration", options.calibration, maximum=MAX_MODEL_NAME_LENGTH)
    for name, part in (("strength", options.strength), ("refiner_start", options.refiner_start)):
        validator.check(
            name,
            valid=part is None or 0 < part <= 1,
            description=f"is {part}, must be above 0 and at most 1.",
            metadata={"value": part or 0, "minimum": 0, "maximum": 1},
        )
    if options.noise_weight is not None:
        validator.check_range("noise_weight", options.noise_weight, minimum=0, maximum=1)
    validator.check(
        "upscale",
        valid=options.upscale is None or options.upscale in UPSCALES,
        description=f"is {options.upscale}, must be {' or '.join(map(str, UPSCALES))}.",
        metadata={"value": options.upscale or 0, "allowed": ", ".join(map(str, UPSCALES))},
    )


def _check_initial_latents(validator: RequestValidator, options: RecipeOptions) -> None:
    latents = options.initial_latents
    if latents is None:
        return
    count = math.prod(latents.shape)
    validator.check(
        "initial_latents",
        valid=0 < count <= MAX_LATENT_VALUES,
        description=f"holds {count} values, must hold 1 to {MAX_LATENT_VALUES}.",
        metadata={"value": count, "minimum": 1, "maximum": MAX_LATENT_VALUES},
    )
    validator.check(
        "calibration",
        valid=not options.calibration,
        description="does not go with initial_latents, which are z-scored already; leave it out.",
        metadata={"value": options.calibration},
    )
    validator.check(
        "noise_mode",
        valid=options.noise_mode is not NoiseMode.DCT,
        description="is dct, which does not go with initial_latents; send mel, blend, or none.",
        metadata={"value": NoiseMode.DCT.value, "allowed": f"{NoiseMode.MEL}, {NoiseMode.BLEND}"},
    )


def _check_previews(validator: RequestValidator, previews: PreviewRequest) -> None:
    validator.check_range("previews.interval_steps", previews.interval_steps, minimum=0, maximum=MAX_STEPS)
    if previews.size_pixels is not None:
        validator.check_range(
            "previews.size_pixels",
            previews.size_pixels,
            minimum=_MIN_PREVIEW_PIXELS,
            maximum=_MAX_PREVIEW_PIXELS,
            unit="pixels",
        )


def check_clip(clip: AudioClip, *, max_audio_bytes: int) -> None:
    """Require that a recording has bytes, and at most `max_audio_bytes`.

    Raises:
        InvalidInputError: It does not.
    """
    if not clip.content:
        raise InvalidInputError(
            Reason.EMPTY_AUDIO,
            f"{AUDIO_FIELD} is empty; send the bytes of an audio file.",
            field=AUDIO_FIELD,
        )
    if clip.source is None and len(clip.content) > max_audio_bytes:
        raise clip_too_large(max_audio_bytes, len(clip.content))
    _check_part(clip)


def _check_part(clip: AudioClip) -> None:
    """Check that a part is one; how long it may be, and where the audio ends, audio-features knows."""
    start, end = clip.start_seconds or 0.0, clip.end_seconds
    validator = RequestValidator()
    validator.check_range("audio.start", start, minimum=0, maximum=_MAX_PART_SECONDS, unit="seconds")
    if end is not None:
        validator.check(
            "audio.end",
            valid=start < end <= _MAX_PART_SECONDS,
            description=f"is {end:g} s, must be after the beginning of the part at {start:g} s.",
            metadata={"value": end, "minimum": start, "maximum": _MAX_PART_SECONDS},
        )
    validator.raise_if_invalid()

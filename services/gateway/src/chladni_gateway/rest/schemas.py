"""Bodies of the REST API."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chladni_contract.errors import NotOfferedError
from chladni_contract.provenance import Provenance
from chladni_contract.warnings import ServiceWarning
from chladni_gateway.creation.job import JobState
from chladni_gateway.domain.audio import AudioProperties, Descriptor
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.rest.openapi import API, IMAGE_ID, OTHER_IMAGE_ID
from chladni_gateway.similarity.levels import Level, level_of, percent_of
from chladni_gateway.similarity.matrix import MAX_MATRIX_IMAGES, MIN_MATRIX_IMAGES
from chladni_gateway.similarity.search import MAX_MATCHES
from chladni_runtime.client.health import HealthState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chladni_gateway.domain.storage.image_store import ImageRecord
    from chladni_gateway.recipes.base import RecipeDescription
    from chladni_gateway.similarity.search import Match


class CreatedImage(BaseModel):
    """An image that was made and stored."""

    image_id: UUID = Field(examples=[IMAGE_ID])
    image_url: str = Field(
        description="Where to get the image, relative to this host.",
        examples=[f"{API}/images/{IMAGE_ID}"],
    )
    processing_time: float = Field(description="Seconds that it took.", examples=[1.84])
    seed: int = Field(description="Seed of the noise: send it again for the same image.", examples=[7])
    recipe: str = Field(examples=["embedded"])
    reused: bool = Field(
        description="Whether an identical request, answered before or in progress at the same time, gave it.",
        examples=[False],
    )
    display_name: str = Field(
        description="Name of the recording; empty if it had none.", examples=["voice.wav"]
    )
    create_time: datetime = Field(description="When it was made.")
    expire_time: datetime = Field(description="When the image will be removed, unless it is pinned.")
    pinned: bool = Field(description="Whether neither limits nor time remove it.", examples=[False])
    format: ImageFormat = Field(description="Format of its file.")
    size_bytes: int = Field(description="Length of its file.", examples=[421733])
    sha256: str = Field(description="SHA-256 of its file, in hexadecimal digits.")
    width_pixels: int = Field(examples=[512])
    height_pixels: int = Field(examples=[512])
    provenance: Provenance = Field(description="How the image was made.")
    audio: AudioProperties | None = Field(
        description="What was found in the recording; null if the image was made from initial latents alone."
    )
    descriptors: list[Descriptor] = Field(description="The qualities of the sound that shaped the image.")
    warnings: list[ServiceWarning] = Field(
        description="What its owner should know about the image and its sound; usually empty."
    )


NextPageToken = Annotated[
    str, Field(description="The `page_token` of the next page; empty if this is the last one.", examples=[""])
]


class ImageList(BaseModel):
    """Images, the newest first."""

    images: list[CreatedImage]
    next_page_token: NextPageToken


ImageId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
"""Identifier of an image. Routes check its form, so that errors name the field."""


class CompareRequest(BaseModel):
    """Two images to compare."""

    model_config = ConfigDict(extra="forbid")

    image_id_1: ImageId = Field(description="Identifier of the first image.", examples=[IMAGE_ID])
    image_id_2: ImageId = Field(description="Identifier of the second image.", examples=[OTHER_IMAGE_ID])


class Comparison(BaseModel):
    """Similarity of two images."""

    score: float = Field(ge=0, le=1, description="0: nothing in common; 1: equal.", examples=[0.87])
    percentage: str = Field(description="The score as text, in whole percent.", examples=["87%"])
    level: Level = Field(
        description="The percentage in a word: low below 30%, medium from 30% to 70%, high above 70%."
    )
    cosine: float = Field(description="Cosine of the two embeddings, -1 to 1.", examples=[0.81])
    model: str = Field(description="Model that was used.", examples=["efficientnet-lite0"])


class FirstComparison(BaseModel):
    """Similarity of two images, as it was promised before the API had versions."""

    similarity_score: float
    percentage: str


class AlignmentBody(BaseModel):
    """How well an image fits a sound."""

    image_id: UUID = Field(description="The image.")
    audio_of: UUID = Field(description="The image whose sound it is; the same one for its own sound.")
    score: float = Field(
        ge=0,
        le=1,
        description="At 0.5 the sound is as likely to belong to another image as to this one.",
        examples=[0.93],
    )
    percentage: str = Field(description="The score as text, in whole percent.", examples=["93%"])
    level: Level = Field(description="The percentage in a word, as in a comparison.")
    cosine: float = Field(description="Cosine of the two embeddings, -1 to 1.", examples=[0.41])
    model: str = Field(description="Model that was used.", examples=["chladni-alignment"])


class MatrixRequest(BaseModel):
    """Several images to compare with each other."""

    model_config = ConfigDict(extra="forbid")

    image_ids: list[ImageId] = Field(
        description="Identifiers of different images.",
        min_length=MIN_MATRIX_IMAGES,
        max_length=MAX_MATRIX_IMAGES,
        examples=[[IMAGE_ID, OTHER_IMAGE_ID]],
        json_schema_extra={"uniqueItems": True},
    )


class Matrix(BaseModel):
    """Similarity of each image to each other."""

    image_ids: list[UUID] = Field(description="The images, in the order of the request.")
    scores: list[list[float]] = Field(
        description="Row i, column j: how similar images i and j are, 0 to 1. Symmetric; 1 on the diagonal."
    )
    percentages: list[list[str]] = Field(description="The scores for people, in whole percent.")
    model: str = Field(description="Model that was used.")


def _number(value: object) -> object:
    """Refuse what is not a number in JSON, even if it looks like one."""
    if isinstance(value, str | bool):
        raise ValueError("must be a number")  # noqa: TRY004 - pydantic turns no other into its own
    return value


class SearchRequest(BaseModel):
    """An image to search for."""

    model_config = ConfigDict(extra="forbid")

    image_id: ImageId = Field(description="Find images similar to this one.", examples=[IMAGE_ID])
    max_results: Annotated[int, BeforeValidator(_number)] = Field(
        10, ge=1, le=MAX_MATCHES, description="Images at most."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_audio(cls, value: Any) -> Any:
        if isinstance(value, dict) and "sound" in value:
            raise NotOfferedError(
                "This server cannot search by sound. Create an image of the sound and search by its image_id."
            )
        return value


class MatchBody(BaseModel):
    """An image that was found."""

    image: CreatedImage
    score: float = Field(ge=0, le=1, description="How similar it is, 0 to 1.")
    percentage: str = Field(description="The score as text, in whole percent.")
    level: Level = Field(description="The percentage in a word, as in a comparison.")


class MatchList(BaseModel):
    """Images that were found, best first."""

    matches: list[MatchBody]


class ServiceState(StrEnum):
    """Health of a service behind the gateway."""

    HEALTHY = "healthy"
    LOADING = "loading"
    UNAVAILABLE = "unavailable"


_SERVICE_STATES: Final = {
    HealthState.SERVING: ServiceState.HEALTHY,
    HealthState.NOT_SERVING: ServiceState.LOADING,
    HealthState.UNREACHABLE: ServiceState.UNAVAILABLE,
}


class ServiceInfo(BaseModel):
    """A service behind the gateway."""

    name: str = Field(examples=["audio-features"])
    state: ServiceState = Field(
        description="`loading` while its models load; `unavailable` if it does not answer."
    )


class Health(BaseModel):
    """Health of the gateway and the services behind it."""

    status: Literal["healthy", "degraded"]
    models_loaded: bool = Field(description="Whether the models of every service are loaded and warm.")
    services: list[ServiceInfo]


class RecipeRequirementBody(BaseModel):
    """Something that a recipe needs."""

    description: str = Field(description="What it is, in words.", examples=["a CLAP model in audio-features"])
    met: bool = Field(description="Whether it is available.")
    has_fallback: bool = Field(description="Whether the recipe has a fallback without it.")
    model: str = Field(description="Model that meets it; empty if none does, or if it is not a model.")
    remedy: str = Field(description="Why it is not available and what to do about it; empty if it is.")


class RecipeBody(BaseModel):
    """A named way from sound to image."""

    name: str = Field(examples=["embedded"])
    description: str
    available: bool = Field(description="Whether it can be used here and now.")
    unavailable_reason: str = Field(description="Why not, and what to do about it; empty if available.")
    models: list[str]
    requirements: list[RecipeRequirementBody] = Field(
        description="What it needs, in the order in which it is used."
    )
    options: list[str] = Field(
        description="Form fields that it takes beyond those that every recipe takes.", examples=[["prompt"]]
    )
    required_options: list[str] = Field(description="Those of them that it requires.")


class RecipeList(BaseModel):
    """The recipes, the default one first."""

    recipes: list[RecipeBody]
    default_recipe: str = Field(description="Name of the recipe that requests get which name none.")


class Range(BaseModel):
    """Smallest and largest allowed value."""

    min: int | float
    max: int | float


class RequestLimits(BaseModel):
    """What a request may hold."""

    max_audio_bytes: int
    max_upload_bytes: int = Field(
        description="Largest file of which a part is chosen by fields before the file."
    )
    min_audio_duration_seconds: float
    max_audio_duration_seconds: float
    max_live_duration_seconds: float = Field(description="Longest live sound.")
    max_message_bytes: int = Field(description="Largest request message over gRPC.")
    seed: Range
    steps: Range
    guidance_scale: Range
    side_pixels: Range = Field(
        description="Widths and heights of images and of spectrograms; models take some."
    )
    max_prompt_characters: int = Field(description="Longest prompt, and longest negative prompt.")
    max_unfinished_jobs: int = Field(description="Jobs of one session that have not ended.")
    max_matrix_images: int = Field(description="Images that a matrix may compare.")
    min_ping_interval_seconds: float = Field(description="Shortest interval between pings over gRPC.")
    max_images: int = Field(
        description="Images that are kept of one session. One more removes the oldest; its `warnings` say so."
    )
    image_retention_seconds: float = Field(description="Time that an image is kept.")
    default_creation_timeout_seconds: float = Field(description="Time for one image.")
    audio_formats: list[str] = Field(
        examples=[["WAV", "MP3", "FLAC", "OGG", "M4A", "WebM", "AAC", "AMR", "AIFF", "CAF"]]
    )
    live_sample_rate_hz: Range


class ServerInfo(BaseModel):
    """Versions, limits and the health of the services behind the gateway."""

    version: str = Field(description="Version of the server.", examples=["0.1.0"])
    api_packages: list[str] = Field(description="Packages of the gRPC API that it serves.")
    limits: RequestLimits
    image_count: int = Field(description="Images of this session that are kept now.")
    services: list[ServiceInfo]


class ViolationBody(BaseModel):
    """What is wrong with a field."""

    field: str = Field(description="Name of the field.", examples=["steps"])
    description: str = Field(examples=["is 500, must be from 1 to 150."])


class ErrorDetail(BaseModel):
    """What failed."""

    code: str = Field(description="Stable reason for programs.", examples=["UNSUPPORTED_AUDIO_FORMAT"])
    message: str = Field(description="What is wrong, the limit, and what to do, for people.")
    stage: str = Field(description="Stage that failed.", examples=["validation"])
    timestamp: str = Field(description="When, in UTC.", examples=["2026-01-15T10:30:00.000Z"])
    part: str | None = Field(
        None,
        description="Part of the recipe that failed; absent if the recipe has one part.",
        examples=["audioldm_mel"],
        exclude_if=lambda part: part is None,
    )
    reason: str = Field(
        description="The same as `code`, by the name that it has over gRPC.",
        examples=["UNSUPPORTED_AUDIO_FORMAT"],
    )
    metadata: dict[str, str] = Field(
        description="Facts of the message, each number among them, by the keys that the reason has."
    )
    violations: list[ViolationBody] = Field(description="Every field that is wrong; empty if none is.")


class ErrorBody(BaseModel):
    """Body of every error."""

    error: ErrorDetail


class JobBody(BaseModel):
    """A job that creates an image. What does not apply, or is not known yet, is null."""

    job_id: UUID
    state: JobState = Field(description="State; the last three are final.")
    stage: str = Field(description="Stage in progress, or the one that it ended in.")
    display_name: str = Field(description="Name of the recording; empty if it had none.")
    create_time: datetime = Field(description="When it was started.")
    end_time: datetime | None = Field(None, description="When it ended.")
    position: int | None = Field(
        None, description="Requests that the model serves first, while it is queued."
    )
    step: int | None = Field(None, description="Denoising steps done.")
    total_steps: int | None = Field(None, description="Denoising steps in all.")
    elapsed_seconds: float | None = Field(None, description="Time since denoising started.")
    remaining_seconds: float | None = Field(None, description="Time that denoising is expected to take.")
    part: str = Field(
        "",
        description="Part of the recipe in progress, or that it ended in; empty if it has one part.",
    )
    fallback_reason: str = Field("", description="Why the recipe used its fallback; empty if it did not.")
    image: CreatedImage | None = Field(None, description="The image, of a completed job.")
    error: ErrorDetail | None = Field(None, description="Why there is no image, of a failed job.")
    events_url: str = Field(description="Address of its events, relative to this host.")


class JobList(BaseModel):
    """The jobs of a session, the newest first."""

    jobs: list[JobBody]
    next_page_token: NextPageToken


def to_percentage(score: float) -> str:
    """Return a score as text."""
    return f"{percent_of(score)}%"


def to_match_body(match: Match) -> MatchBody:
    """Return the body that describes an image that was found."""
    return MatchBody(
        image=to_created_image(match.record),
        score=match.score,
        percentage=to_percentage(match.score),
        level=level_of(match.score),
    )


def to_service_infos(states: Mapping[str, HealthState]) -> list[ServiceInfo]:
    """Return the bodies that describe services, of which `states` says how they are by name."""
    return [ServiceInfo(name=name, state=_SERVICE_STATES[state]) for name, state in states.items()]


def to_created_image(record: ImageRecord, *, api: str = API) -> CreatedImage:
    """Return the body that describes an image.

    Args:
        record: What is kept with the image.
        api: Path of the API by which the image is fetched.
    """
    return CreatedImage(
        image_id=record.image_id,
        image_url=f"{api}/images/{record.image_id}",
        processing_time=round(record.processing_seconds, 3),
        seed=record.provenance.seed,
        recipe=record.recipe,
        reused=record.is_reused,
        display_name=record.source_name,
        create_time=record.created_at,
        expire_time=record.expires_at,
        pinned=record.is_pinned,
        format=record.format,
        size_bytes=record.size_bytes,
        sha256=record.sha256,
        width_pixels=record.width_pixels,
        height_pixels=record.height_pixels,
        provenance=record.provenance,
        audio=record.audio,
        descriptors=list(record.descriptors),
        warnings=list(record.warnings),
    )


def to_recipe_body(recipe: RecipeDescription) -> RecipeBody:
    """Return the body that describes a recipe."""
    return RecipeBody(
        name=recipe.name,
        description=recipe.description,
        available=not recipe.availability.unavailable_reason,
        unavailable_reason=recipe.availability.unavailable_reason,
        models=list(recipe.availability.models),
        requirements=[
            RecipeRequirementBody(
                description=requirement.description,
                met=requirement.is_met,
                has_fallback=requirement.is_optional,
                model=requirement.model,
                remedy=requirement.remedy,
            )
            for requirement in recipe.availability.requirements
        ],
        options=list(recipe.options),
        required_options=list(recipe.required_options),
    )

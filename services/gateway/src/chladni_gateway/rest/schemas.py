"""Bodies of the REST API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from chladni_contract.errors import NotOfferedError
from chladni_contract.provenance import Provenance
from chladni_gateway.creation.job import JobState
from chladni_gateway.domain.audio import AudioProperties, Descriptor
from chladni_gateway.domain.scores import Level, level_of, percent_of
from chladni_gateway.rest.openapi import IMAGE_ID, OTHER_IMAGE_ID
from chladni_gateway.similarity.matrix import MAX_MATRIX_IMAGES, MIN_MATRIX_IMAGES
from chladni_gateway.similarity.search import MAX_MATCHES
from chladni_runtime.client.health import HealthState

if TYPE_CHECKING:
    from chladni_gateway.domain.image_store import ImageRecord
    from chladni_gateway.recipes.base import RecipeDescription
    from chladni_gateway.similarity.search import Match


class CreatedImage(BaseModel):
    """An image that was made and stored."""

    image_id: UUID = Field(examples=[IMAGE_ID])
    image_url: str = Field(
        description="Where to get the image, relative to this host.",
        examples=[f"/api/images/{IMAGE_ID}"],
    )
    processing_time: float = Field(description="Seconds that it took.", examples=[1.84])
    seed: int = Field(description="Seed of the noise: send it again for the same image.", examples=[7])
    recipe: str = Field(examples=["embedded"])
    is_reused: bool = Field(
        description="Whether an identical request, answered before or in progress at the same time, gave the "
        "image.",
        examples=[False],
    )
    file_name: str = Field(description="Name of the recording; empty if it had none.", examples=["voice.wav"])
    created_at: datetime = Field(description="When it was made.")
    expires_at: datetime = Field(description="When the image will be removed.")
    provenance: Provenance = Field(description="How the image was made.")
    audio: AudioProperties = Field(description="What was found in the recording.")
    descriptors: list[Descriptor] = Field(description="The qualities of the sound that shaped the image.")


class ImageList(BaseModel):
    """Images, the newest first."""

    images: list[CreatedImage]


ImageId = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
"""Identifier of an image. Routes check its form, so that errors name the field."""


class CompareRequest(BaseModel):
    """Two images to compare."""

    model_config = ConfigDict(extra="forbid")

    image_id_1: ImageId = Field(description="Identifier of the first image.", examples=[IMAGE_ID])
    image_id_2: ImageId = Field(description="Identifier of the second image.", examples=[OTHER_IMAGE_ID])


class Comparison(BaseModel):
    """Similarity of two images."""

    similarity_score: float = Field(
        ge=0, le=1, description="0: nothing in common; 1: equal.", examples=[0.87]
    )
    percentage: str = Field(description="The score as text, in whole percent.", examples=["87%"])
    level: Level = Field(
        description="The percentage in a word: low below 30%, medium from 30% to 70%, high above 70%."
    )
    cosine: float = Field(description="Cosine of the two embeddings, -1 to 1.", examples=[0.81])
    model: str = Field(description="Model that was used.", examples=["efficientnet-lite0"])


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
    limit: Annotated[int, BeforeValidator(_number)] = Field(
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


class ServiceStatus(BaseModel):
    """Health of one service."""

    status: HealthState


class Health(BaseModel):
    """Health of the gateway and the services behind it."""

    status: Literal["healthy", "degraded"]
    models_loaded: bool = Field(description="Whether the models of every service are loaded and warm.")
    services: dict[str, ServiceStatus]


class RecipeNeedBody(BaseModel):
    """Something that a recipe needs."""

    description: str = Field(description="What it is, in words.", examples=["a CLAP model in audio-features"])
    is_met: bool = Field(description="Whether it is available.")
    is_optional: bool = Field(description="Whether the recipe has a fallback without it.")
    model: str = Field(description="Model that meets it; empty if none does, or if it is not a model.")
    remedy: str = Field(description="Why it is not available and what to do about it; empty if it is.")


class RecipeBody(BaseModel):
    """A named way from sound to image."""

    name: str = Field(examples=["embedded"])
    description: str
    is_default: bool = Field(description="Whether requests that name no recipe get this one.")
    is_available: bool = Field(description="Whether it can be used here and now.")
    unavailable_reason: str = Field(description="Why not, and what to do about it; empty if available.")
    models: list[str]
    needs: list[RecipeNeedBody] = Field(description="What it needs, in the order in which it is used.")
    options: list[str] = Field(
        description="Form fields that it takes beyond those that every recipe takes.", examples=[["prompt"]]
    )
    required_options: list[str] = Field(description="Those of them that it requires.")


class RecipeList(BaseModel):
    """The recipes, the default one first."""

    recipes: list[RecipeBody]


class Range(BaseModel):
    """Smallest and largest allowed value."""

    minimum: int | float
    maximum: int | float


class LimitsBody(BaseModel):
    """What a request may hold."""

    formats: list[str] = Field(examples=[["WAV", "MP3", "FLAC", "OGG"]])
    max_file_bytes: int
    duration_seconds: Range
    seed: Range
    steps: Range
    guidance: Range
    width_pixels: Range = Field(description="Of images and of spectrograms.")
    height_pixels: Range
    prompt_characters: int = Field(description="Longest prompt, and longest negative prompt.")
    max_unfinished_jobs: int = Field(description="Jobs of one session that have not ended.")
    matrix_images: Range = Field(description="Images that a matrix may compare.")
    live_sample_rate_hz: Range
    max_live_seconds: float = Field(description="Longest live sound.")


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


class ErrorBody(BaseModel):
    """Body of every error."""

    error: ErrorDetail


class JobBody(BaseModel):
    """A job that creates an image. What does not apply, or is not known yet, is null."""

    job_id: UUID
    state: JobState = Field(description="State; the last three are final.")
    stage: str = Field(description="Stage in progress, or the one that it ended in.")
    file_name: str = Field(description="Name of the recording; empty if it had none.")
    created_at: datetime = Field(description="When it was started.")
    finished_at: datetime | None = Field(None, description="When it ended.")
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
    fallback: str = Field("", description="Why the recipe was replaced by a fallback; empty if it was not.")
    image: CreatedImage | None = Field(None, description="The image, of a completed job.")
    error: ErrorDetail | None = Field(None, description="Why there is no image, of a failed job.")
    events_url: str = Field(description="Address of its events, relative to this host.")


class JobList(BaseModel):
    """The jobs of a session, the newest first."""

    jobs: list[JobBody]


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


def to_created_image(record: ImageRecord) -> CreatedImage:
    """Return the body that describes a new image."""
    return CreatedImage(
        image_id=record.image_id,
        image_url=f"/api/images/{record.image_id}",
        processing_time=round(record.processing_seconds, 3),
        seed=record.provenance.seed,
        recipe=record.recipe,
        is_reused=record.is_reused,
        file_name=record.source_name,
        created_at=record.created_at,
        expires_at=record.expires_at,
        provenance=record.provenance,
        audio=record.audio,
        descriptors=list(record.descriptors),
    )


def to_recipe_body(recipe: RecipeDescription) -> RecipeBody:
    """Return the body that describes a recipe."""
    return RecipeBody(
        name=recipe.name,
        description=recipe.description,
        is_default=recipe.is_default,
        is_available=not recipe.availability.unavailable_reason,
        unavailable_reason=recipe.availability.unavailable_reason,
        models=list(recipe.availability.models),
        needs=[
            RecipeNeedBody(
                description=requirement.description,
                is_met=requirement.is_met,
                is_optional=requirement.is_optional,
                model=requirement.model,
                remedy=requirement.remedy,
            )
            for requirement in recipe.availability.requirements
        ],
        options=list(recipe.options),
        required_options=list(recipe.required_options),
    )

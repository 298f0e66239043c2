"""Bodies of the REST API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from chladni_gateway.collaborators import HealthState
from chladni_gateway.pictures import Provenance
from chladni_gateway.recordings import (
    AudioProperties,
    Descriptor,
)

if TYPE_CHECKING:
    from chladni_gateway.image_store import ImageRecord
    from chladni_gateway.recipes import RecipeDescription

_EXAMPLE_ID = "5f6b8a2e-9a50-4a0e-8f5f-0f3c3a1d7e10"


class CreatedImage(BaseModel):
    """A picture that was made and stored."""

    image_id: UUID = Field(examples=[_EXAMPLE_ID])
    image_url: str = Field(
        description="Where to get the picture, relative to this host.",
        examples=[f"/api/images/{_EXAMPLE_ID}"],
    )
    processing_time: float = Field(description="Seconds that it took.", examples=[1.84])
    seed: int = Field(description="Seed of the noise: send it again for the same picture.", examples=[7])
    recipe: str = Field(examples=["embedded"])
    is_reused: bool = Field(
        description="Whether an identical request, answered before or in progress at the same time, gave the "
        "picture.",
        examples=[False],
    )
    file_name: str = Field(description="Name of the recording; empty if it had none.", examples=["voice.wav"])
    expires_at: datetime = Field(description="When the picture will be removed.")
    provenance: Provenance = Field(description="How the picture was made.")
    audio: AudioProperties = Field(description="What was found in the recording.")
    descriptors: list[Descriptor] = Field(description="The qualities of the sound that decided the picture.")


class CompareRequest(BaseModel):
    """Two pictures to compare."""

    model_config = ConfigDict(extra="forbid")

    image_id_1: str = Field(description="Identifier of the first picture.", examples=[_EXAMPLE_ID])
    image_id_2: str = Field(
        description="Identifier of the second picture.", examples=["c56a4180-65aa-42ec-a945-5fd21dec0538"]
    )


class Comparison(BaseModel):
    """How alike two pictures are."""

    similarity_score: float = Field(
        ge=0, le=1, description="0: nothing in common; 1: equal.", examples=[0.87]
    )
    percentage: str = Field(description="The score for people.", examples=["87%"])
    cosine: float = Field(description="Cosine of the two embeddings, -1 to 1.", examples=[0.81])
    model: str = Field(description="Model that was used.", examples=["efficientnet-lite0"])


class ServiceStatus(BaseModel):
    """How one service is."""

    status: HealthState


class Health(BaseModel):
    """How the gateway and the services behind it are."""

    status: Literal["healthy", "degraded"]
    models_loaded: bool = Field(description="Whether the models of every service are loaded and warm.")
    services: dict[str, ServiceStatus]


class RecipeBody(BaseModel):
    """A named way from sound to picture."""

    name: str = Field(examples=["embedded"])
    description: str
    is_default: bool = Field(description="Whether requests that name no recipe get this one.")
    is_available: bool = Field(description="Whether it can be used here and now.")
    unavailable_reason: str = Field(description="Why not, and what to do about it; empty if available.")
    models: list[str]


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


class ErrorDetail(BaseModel):
    """What failed."""

    code: str = Field(description="Stable reason for programs.", examples=["UNSUPPORTED_AUDIO_FORMAT"])
    message: str = Field(description="What is wrong, the limit, and what to do, for people.")
    stage: str = Field(description="Stage that failed.", examples=["validation"])
    timestamp: str = Field(description="When, in UTC.", examples=["2026-01-15T10:30:00.000Z"])


class ErrorBody(BaseModel):
    """Body of every error."""

    error: ErrorDetail


def to_created_image(record: ImageRecord) -> CreatedImage:
    """Returns the body that describes a new picture."""
    return CreatedImage(
        image_id=record.image_id,
        image_url=f"/api/images/{record.image_id}",
        processing_time=round(record.processing_seconds, 3),
        seed=record.provenance.seed,
        recipe=record.recipe,
        is_reused=record.is_reused,
        file_name=record.source_name,
        expires_at=record.expires_at,
        provenance=record.provenance,
        audio=record.audio,
        descriptors=list(record.descriptors),
    )


def to_recipe_body(recipe: RecipeDescription) -> RecipeBody:
    """Returns the body that describes a recipe."""
    return RecipeBody(
        name=recipe.name,
        description=recipe.description,
        is_default=recipe.is_default,
        is_available=not recipe.availability.obstacle,
        unavailable_reason=recipe.availability.obstacle,
        models=list(recipe.availability.models),
    )

"""What a server offers, and whether it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RecipeNeed:
    """Something that a recipe needs.

    Attributes:
        description: What, one phrase.
        is_met: Whether it is there.
        is_optional: Whether the recipe goes another way without it.
        model: Model that meets it; empty if none does, or if it is no model.
        remedy: What to do about it; empty if it is met.
    """

    description: str
    is_met: bool
    is_optional: bool
    model: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named way from sound to image.

    Attributes:
        name: Name to pass to `create_image`.
        description: One sentence.
        is_available: Whether the server can use it now.
        unavailable_reason: Why not, and what to do about it; empty if it is available.
        is_default: Whether requests that name no recipe get this one.
        models: Models that it uses.
        needs: What it needs, in the order in which it is used.
        options: What may be chosen for its images beyond what may be for all, such as ``prompt``: names of
            `CreationOptions`.
        required_options: Those of `options` that it cannot do without.
    """

    name: str
    description: str
    is_available: bool
    unavailable_reason: str
    is_default: bool
    models: tuple[str, ...]
    needs: tuple[RecipeNeed, ...] = ()
    options: tuple[str, ...] = ()
    required_options: tuple[str, ...] = ()


class ServiceState(StrEnum):
    """What a service says of itself."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Health of one service.

    Attributes:
        name: ``gateway`` or ``audio-features``.
        target: Where it was looked for.
        state: What it says.
    """

    name: str
    target: str
    state: ServiceState


class BackendState(StrEnum):
    """Health of a service behind the gateway, as the gateway sees it."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    LOADING = "loading"
    """Its models are still loading."""
    UNAVAILABLE = "unavailable"
    """It cannot be reached, or does not serve."""


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """A service behind the gateway.

    Attributes:
        name: Name, such as ``audio-features``.
        state: Health.
    """

    name: str
    state: BackendState


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits of requests; a range is a pair of the smallest and the largest allowed value.

    Attributes:
        max_audio_bytes: Largest audio file.
        min_audio_seconds: Shortest clip.
        max_audio_seconds: Longest clip.
        max_live_seconds: Longest live audio.
        max_message_bytes: Largest request message.
        seed: Seeds.
        steps: Denoising steps.
        guidance_scale: Guidance scales.
        side_pixels: Widths and heights of images and spectrograms; models take some of them.
        max_prompt_characters: Longest prompt.
        max_unfinished_jobs: Unfinished jobs of one session.
        max_matrix_images: Images of one matrix.
        min_ping_interval_seconds: Shortest interval between keepalive pings.
        image_retention_seconds: Time that an image is kept.
        default_creation_seconds: Time for one image if the caller gives no deadline.
    """

    max_audio_bytes: int
    min_audio_seconds: float
    max_audio_seconds: float
    max_live_seconds: float
    max_message_bytes: int
    seed: tuple[float, float]
    steps: tuple[float, float]
    guidance_scale: tuple[float, float]
    side_pixels: tuple[float, float]
    max_prompt_characters: int
    max_unfinished_jobs: int
    max_matrix_images: int
    min_ping_interval_seconds: float
    image_retention_seconds: float
    default_creation_seconds: float


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Versions and limits of a server, and the health of the services behind it.

    Attributes:
        version: Version of the server.
        api_packages: Packages of the API that it serves, such as ``chladni.gateway.v1``.
        limits: Limits of requests.
        services: The services behind the gateway.
    """

    version: str
    api_packages: tuple[str, ...]
    limits: RequestLimits = field(repr=False)
    services: tuple[BackendInfo, ...]

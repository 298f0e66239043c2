"""From messages to results: what a server offers."""

from __future__ import annotations

from typing import Final

from chladni.gateway.v1 import server_service_pb2 as server_pb2
from chladni_client.types.services import (
    BackendInfo,
    BackendState,
    Recipe,
    RecipeNeed,
    RequestLimits,
    ServerInfo,
)

_STATES: Final = {
    server_pb2.SERVICE_STATE_HEALTHY: BackendState.HEALTHY,
    server_pb2.SERVICE_STATE_LOADING: BackendState.LOADING,
    server_pb2.SERVICE_STATE_UNAVAILABLE: BackendState.UNAVAILABLE,
}


def to_recipe(message: server_pb2.Recipe, *, is_default: bool) -> Recipe:
    """Return the recipe that a message holds."""
    return Recipe(
        name=message.name,
        description=message.description,
        is_available=message.available,
        unavailable_reason=message.unavailable_reason,
        is_default=is_default,
        models=tuple(message.models),
        needs=tuple(map(_to_recipe_need, message.requirements)),
        options=tuple(message.options),
        required_options=tuple(message.required_options),
    )


def _to_recipe_need(message: server_pb2.RecipeRequirement) -> RecipeNeed:
    return RecipeNeed(
        description=message.description,
        is_met=message.met,
        is_optional=message.has_fallback,
        model=message.model,
        remedy=message.remedy,
    )


def to_server_info(message: server_pb2.GetServerInfoResponse) -> ServerInfo:
    """Return the versions, limits and health that a message holds."""
    limits = message.limits
    return ServerInfo(
        version=message.version,
        api_packages=tuple(message.api_packages),
        limits=RequestLimits(
            max_audio_bytes=limits.max_audio_bytes,
            min_audio_seconds=limits.min_audio_duration.ToNanoseconds() / 1e9,
            max_audio_seconds=limits.max_audio_duration.ToNanoseconds() / 1e9,
            max_live_seconds=limits.max_live_duration.ToNanoseconds() / 1e9,
            max_message_bytes=limits.max_message_bytes,
            seed=_range(limits.seed),
            steps=_range(limits.steps),
            guidance_scale=_range(limits.guidance_scale),
            side_pixels=_range(limits.side_pixels),
            max_prompt_characters=limits.max_prompt_characters,
            max_unfinished_jobs=limits.max_unfinished_jobs,
            max_matrix_images=limits.max_matrix_images,
            min_ping_interval_seconds=limits.min_ping_interval.ToNanoseconds() / 1e9,
            image_retention_seconds=limits.image_retention.ToNanoseconds() / 1e9,
            default_creation_seconds=limits.default_creation_timeout.ToNanoseconds() / 1e9,
        ),
        services=tuple(
            BackendInfo(service.name, _STATES.get(service.state, BackendState.UNKNOWN))
            for service in message.services
        ),
    )


def _range(message: server_pb2.NumberRange) -> tuple[float, float]:
    return message.min, message.max

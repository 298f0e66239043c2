"""`chladni.gateway.v1.ServerService`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from chladni.gateway.v1 import server_service_pb2 as service_pb2
from chladni.gateway.v1 import server_service_pb2_grpc as service_grpc
from chladni_gateway.domain.request import (
    MAX_GUIDANCE_SCALE,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
)
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.callers.sessions import session_of_call
from chladni_gateway.grpc_api.images import to_duration
from chladni_gateway.similarity.matrix import MAX_MATRIX_IMAGES
from chladni_runtime.client.health import HealthState

if TYPE_CHECKING:
    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.models.availability import Requirement
    from chladni_gateway.recipes.base import RecipeDescription

_PACKAGE: Final = service_pb2.DESCRIPTOR.package
_STATES: Final = {
    HealthState.SERVING: service_pb2.SERVICE_STATE_HEALTHY,
    HealthState.NOT_SERVING: service_pb2.SERVICE_STATE_LOADING,
    HealthState.UNREACHABLE: service_pb2.SERVICE_STATE_UNAVAILABLE,
}


class ServerServicer(service_grpc.ServerServiceServicer):
    """Describes the gateway over gRPC.

    Args:
        application: What the gateway does.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def GetServerInfo(
        self, _request: service_pb2.GetServerInfoRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetServerInfoResponse:
        """Return versions, limits and health."""
        report = await self._application.health_checker.check()
        states = report.services | report.further
        return service_pb2.GetServerInfoResponse(
            version=version("chladni-gateway"),
            api_packages=[_PACKAGE],
            limits=self._limits(),
            image_count=await self._application.store.count_owned(session_of_call(context).owner),
            services=[
                service_pb2.ServiceInfo(name=name, state=_STATES[state]) for name, state in states.items()
            ],
        )

    async def ListRecipes(
        self, _request: service_pb2.ListRecipesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ListRecipesResponse:
        """List the recipes."""
        deadline = deadline_of(context, self._application.limits.health_timeout_seconds)
        recipes = await self._application.recipes.describe(deadline)
        return service_pb2.ListRecipesResponse(
            recipes=map(_to_recipe_message, recipes),
            default_recipe=next((recipe.name for recipe in recipes if recipe.is_default), ""),
        )

    def _limits(self) -> service_pb2.RequestLimits:
        limits = self._application.limits
        return service_pb2.RequestLimits(
            max_audio_bytes=limits.max_audio_bytes,
            max_upload_bytes=limits.max_upload_bytes,
            min_audio_duration=to_duration(limits.min_audio_seconds),
            max_audio_duration=to_duration(limits.max_audio_seconds),
            max_live_duration=to_duration(limits.max_live_seconds),
            max_message_bytes=limits.max_message_bytes,
            seed=service_pb2.NumberRange(min=0, max=MAX_SEED),
            steps=service_pb2.NumberRange(min=1, max=MAX_STEPS),
            guidance_scale=service_pb2.NumberRange(min=1, max=MAX_GUIDANCE_SCALE),
            side_pixels=service_pb2.NumberRange(min=MIN_SIDE_PIXELS, max=MAX_SIDE_PIXELS),
            max_prompt_characters=MAX_PROMPT_LENGTH,
            max_unfinished_jobs=self._application.job_runner.limits.max_unfinished_per_owner,
            max_matrix_images=MAX_MATRIX_IMAGES,
            min_ping_interval=to_duration(limits.min_ping_interval_seconds),
            max_images=self._application.store.max_images_per_owner,
            image_retention=to_duration(self._application.store.retention.total_seconds()),
            default_creation_timeout=to_duration(limits.creation_timeout_seconds),
        )


def _to_recipe_message(recipe: RecipeDescription) -> service_pb2.Recipe:
    return service_pb2.Recipe(
        name=recipe.name,
        description=recipe.description,
        available=not recipe.availability.unavailable_reason,
        unavailable_reason=recipe.availability.unavailable_reason,
        models=recipe.availability.models,
        requirements=map(_to_requirement_message, recipe.availability.requirements),
        options=recipe.options,
        required_options=recipe.required_options,
    )


def _to_requirement_message(requirement: Requirement) -> service_pb2.RecipeRequirement:
    return service_pb2.RecipeRequirement(
        description=requirement.description,
        met=requirement.is_met,
        has_fallback=requirement.is_optional,
        model=requirement.model,
        remedy=requirement.remedy,
    )

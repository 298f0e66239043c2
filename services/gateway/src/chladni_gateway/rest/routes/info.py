"""Information about the gateway: versions, limits, health and recipes."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request, Response

from chladni_contract.errors import Reason
from chladni_gateway.domain.live import MAX_LIVE_SAMPLE_RATE_HZ, MIN_LIVE_SAMPLE_RATE_HZ
from chladni_gateway.domain.request import (
    MAX_GUIDANCE_SCALE,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
)
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, FIRST_API, HEALTH, RECIPES, SERVER_INFO, json_example
from chladni_gateway.rest.routes.responses import error_responses
from chladni_gateway.rest.schemas import (
    Health,
    Range,
    RecipeList,
    RequestLimits,
    ServerInfo,
    to_recipe_body,
    to_service_infos,
)
from chladni_gateway.similarity.matrix import MAX_MATRIX_IMAGES
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.application import Application


_GRPC_PACKAGE: Final = "chladni.gateway.v1"


def info_routes(application: Application) -> APIRouter:
    """Return the routes of health, recipes and limits."""
    router = APIRouter()
    limits = application.limits

    @router.get(f"{FIRST_API}/health", include_in_schema=False)
    @router.get(
        f"{API}/health",
        summary="Health",
        operation_id="checkHealth",
        responses={
            200: {"content": json_example(HEALTH)},
            **error_responses(),
            503: {"model": Health, "description": "A service is unavailable or not ready."},
        },
    )
    async def health(response: Response) -> Health:
        """Check the health of every service."""
        report = await application.health_checker.check()
        if not report.is_healthy:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Cache-Control"] = "no-store"
        return Health(
            status="healthy" if report.is_healthy else "degraded",
            models_loaded=report.is_healthy,
            services=to_service_infos(report.services | report.further),
        )

    @router.get(
        f"{API}/recipes",
        summary="List recipes",
        operation_id="listRecipes",
        responses={200: {"content": json_example(RECIPES)}, **error_responses()},
    )
    async def recipes() -> RecipeList:
        """List the recipes: what each needs and takes, and whether it is available now."""
        described = await application.recipes.describe(Deadline.after(limits.health_timeout_seconds))
        return RecipeList(
            recipes=[to_recipe_body(recipe) for recipe in described],
            default_recipe=next((recipe.name for recipe in described if recipe.is_default), ""),
        )

    @router.get(
        f"{API}/info",
        summary="Versions, limits and health",
        operation_id="getServerInfo",
        responses={
            200: {"content": json_example(SERVER_INFO)},
            **error_responses({Reason.STORAGE_UNAVAILABLE}),
        },
    )
    async def info(request: Request, response: Response) -> ServerInfo:
        """Return versions, the limits of requests, and how the services behind the gateway are."""
        response.headers["Cache-Control"] = "no-store"
        report = await application.health_checker.check()
        return ServerInfo(
            version=version("chladni-gateway"),
            api_packages=[_GRPC_PACKAGE],
            limits=request_limits(),
            image_count=await application.store.count_owned(session_of(request).owner),
            services=to_service_infos(report.services | report.further),
        )

    def request_limits() -> RequestLimits:
        return RequestLimits(
            max_audio_bytes=limits.max_audio_bytes,
            max_upload_bytes=limits.max_upload_bytes,
            min_audio_duration_seconds=limits.min_audio_seconds,
            max_audio_duration_seconds=limits.max_audio_seconds,
            max_live_duration_seconds=limits.max_live_seconds,
            max_message_bytes=limits.max_message_bytes,
            seed=Range(min=0, max=MAX_SEED),
            steps=Range(min=1, max=MAX_STEPS),
            guidance_scale=Range(min=1, max=MAX_GUIDANCE_SCALE),
            side_pixels=Range(min=MIN_SIDE_PIXELS, max=MAX_SIDE_PIXELS),
            max_prompt_characters=MAX_PROMPT_LENGTH,
            max_unfinished_jobs=application.job_runner.limits.max_unfinished_per_owner,
            max_matrix_images=MAX_MATRIX_IMAGES,
            min_ping_interval_seconds=limits.min_ping_interval_seconds,
            max_images=application.store.max_images_per_owner,
            image_retention_seconds=application.store.retention.total_seconds(),
            default_creation_timeout_seconds=limits.creation_timeout_seconds,
            audio_formats=["WAV", "MP3", "FLAC", "OGG", "M4A", "WebM", "AAC", "AMR", "AIFF", "CAF"],
            live_sample_rate_hz=Range(min=MIN_LIVE_SAMPLE_RATE_HZ, max=MAX_LIVE_SAMPLE_RATE_HZ),
        )

    return router

"""Information about the gateway: health, recipes and limits."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from chladni_gateway.domain.live import MAX_LIVE_SAMPLE_RATE_HZ, MIN_LIVE_SAMPLE_RATE_HZ
from chladni_gateway.domain.request import (
    MAX_GUIDANCE_SCALE,
    MAX_PROMPT_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
)
from chladni_gateway.rest.openapi import HEALTH, LIMITS, RECIPES, json_example
from chladni_gateway.rest.schemas import (
    Health,
    LimitsBody,
    Range,
    RecipeList,
    ServiceStatus,
    to_recipe_body,
)
from chladni_gateway.similarity.matrix import MAX_MATRIX_IMAGES, MIN_MATRIX_IMAGES
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.application import Application


def info_routes(application: Application) -> APIRouter:
    """Return the routes of health, recipes and limits."""
    router = APIRouter()
    limits = application.limits

    @router.get(
        "/api/health",
        summary="Health",
        responses={
            200: {"content": json_example(HEALTH)},
            503: {"model": Health, "description": "A service is unavailable or not ready."},
        },
    )
    async def health(response: Response) -> Health:
        """Check the health of every service."""
        report = await application.health_checker.check()
        if not report.is_healthy:
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Cache-Control"] = "no-store"
        states = report.services | report.further
        return Health(
            status="healthy" if report.is_healthy else "degraded",
            models_loaded=report.is_healthy,
            services={name: ServiceStatus(status=state) for name, state in states.items()},
        )

    @router.get("/api/recipes", summary="Recipes", responses={200: {"content": json_example(RECIPES)}})
    async def recipes() -> RecipeList:
        """List the recipes: what each needs and takes, and whether it is available now."""
        described = await application.recipes.describe(Deadline.after(limits.health_timeout_seconds))
        return RecipeList(recipes=[to_recipe_body(recipe) for recipe in described])

    @router.get("/api/limits", summary="Limits", responses={200: {"content": json_example(LIMITS)}})
    async def request_limits() -> LimitsBody:
        """Return the limits of requests, so that clients can check before they upload."""
        return LimitsBody(
            formats=["WAV", "MP3", "FLAC", "OGG"],
            max_file_bytes=limits.max_audio_bytes,
            duration_seconds=Range(minimum=limits.min_audio_seconds, maximum=limits.max_audio_seconds),
            seed=Range(minimum=0, maximum=MAX_SEED),
            steps=Range(minimum=1, maximum=MAX_STEPS),
            guidance=Range(minimum=1, maximum=MAX_GUIDANCE_SCALE),
            width_pixels=Range(minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS),
            height_pixels=Range(minimum=MIN_SIDE_PIXELS, maximum=MAX_SIDE_PIXELS),
            prompt_characters=MAX_PROMPT_LENGTH,
            max_unfinished_jobs=application.job_runner.limits.max_unfinished_per_owner,
            matrix_images=Range(minimum=MIN_MATRIX_IMAGES, maximum=MAX_MATRIX_IMAGES),
            live_sample_rate_hz=Range(minimum=MIN_LIVE_SAMPLE_RATE_HZ, maximum=MAX_LIVE_SAMPLE_RATE_HZ),
            max_live_seconds=limits.max_live_seconds,
        )

    return router

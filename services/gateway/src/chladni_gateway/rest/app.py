"""The HTTP application."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from chladni_gateway.rest.bodies import SmallBodies
from chladni_gateway.rest.comparisons import comparison_routes
from chladni_gateway.rest.creations import creation_routes
from chladni_gateway.rest.errors import install_error_handlers
from chladni_gateway.rest.facts import fact_routes
from chladni_gateway.rest.images import image_routes
from chladni_gateway.rest.observation import Observation
from chladni_gateway.rest.page import page_routes
from chladni_gateway.rest.schemas import ErrorBody
from chladni_gateway.rest.security import SecurityHeaders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chladni_gateway.collaborators import PreviewRequest
    from chladni_gateway.metrics import HttpMetrics
    from chladni_gateway.workshop import Workshop

_MAX_JSON_BYTES: Final = 64 * 1024
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": ErrorBody, "description": "The request is wrong, or too much is asked for."},
    "5XX": {"model": ErrorBody, "description": "A service failed or is not there."},
}


def create_app(
    workshop: Workshop,
    *,
    metrics: HttpMetrics,
    previews: PreviewRequest,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Returns the application.

    Args:
        workshop: What the gateway does.
        metrics: Counts and times requests.
        previews: Previews of event streams.
        cors_origins: Other origins whose pages may use the API.
    """
    app = FastAPI(
        title="Chladni",
        summary="Turns sound into pictures and measures how alike pictures are.",
        version=version("chladni-gateway"),
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from other hosts.
        redoc_url=None,
        responses=dict(_ERRORS),
    )
    install_error_handlers(app)
    app.include_router(creation_routes(workshop, previews=previews))
    app.include_router(comparison_routes(workshop))
    app.include_router(image_routes(workshop))
    app.include_router(fact_routes(workshop))
    app.include_router(page_routes())
    # The last one added is the outermost.
    app.add_middleware(SmallBodies, limit_bytes=_MAX_JSON_BYTES, exempt_paths=frozenset({"/api/generate"}))
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
        )
    app.add_middleware(SecurityHeaders, is_shared=bool(cors_origins))
    app.add_middleware(Observation, metrics=metrics)
    return app

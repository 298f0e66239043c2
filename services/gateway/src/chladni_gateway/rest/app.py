"""The HTTP application."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from chladni_gateway.rest.errors import install_error_handlers
from chladni_gateway.rest.forms.places import UploadPlaces
from chladni_gateway.rest.forms.uploads import UploadReader
from chladni_gateway.rest.middleware.access_log import AccessLogMiddleware
from chladni_gateway.rest.middleware.allow_header import AllowHeaderMiddleware
from chladni_gateway.rest.middleware.authentication import OPEN_PATHS, AuthenticationMiddleware
from chladni_gateway.rest.middleware.body_limit import BodyLimitMiddleware
from chladni_gateway.rest.middleware.byte_budget import ByteBudgetMiddleware
from chladni_gateway.rest.middleware.drain import DrainMiddleware
from chladni_gateway.rest.middleware.forwarded import ForwardedMiddleware
from chladni_gateway.rest.middleware.origins import OriginMiddleware
from chladni_gateway.rest.middleware.rate_limit import RateLimitMiddleware
from chladni_gateway.rest.middleware.security_headers import SecurityHeadersMiddleware
from chladni_gateway.rest.middleware.sessions import SessionMiddleware
from chladni_gateway.rest.openapi import API, FIRST_API, SECURITY_SCHEMES
from chladni_gateway.rest.routes.alignment import alignment_routes
from chladni_gateway.rest.routes.anomaly import ANOMALY_PATH, NORMAL_SETS_PATH, anomaly_routes
from chladni_gateway.rest.routes.comparison import comparison_routes
from chladni_gateway.rest.routes.films.films import FILMS_PATH, film_routes
from chladni_gateway.rest.routes.generate import generate_routes
from chladni_gateway.rest.routes.images import image_routes
from chladni_gateway.rest.routes.info import info_routes
from chladni_gateway.rest.routes.jobs import job_routes
from chladni_gateway.rest.routes.live import live_routes
from chladni_gateway.rest.routes.music import music_routes
from chladni_gateway.rest.routes.pages.page import page_routes
from chladni_gateway.rest.routes.pages.shared import SHARED_AUDIO_PATH, shared_routes
from chladni_gateway.rest.routes.pages.sign_in import sign_in_routes
from chladni_gateway.rest.routes.prompts import MAX_SCORE_BYTES, PROMPTS_PATH, SCORE_PATH, prompt_routes
from chladni_gateway.rest.routes.responses import error_schemas
from chladni_gateway.rest.routes.spectrogram import reconstruction_routes, spectrogram_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastapi import APIRouter

    from chladni_gateway.access.authenticator import Authenticator, SignInCookies
    from chladni_gateway.application import Application
    from chladni_gateway.domain.generation import PreviewRequest
    from chladni_gateway.domain.storage.rate_limiter import RateLimiter
    from chladni_gateway.metrics import HttpMetrics
    from chladni_gateway.rest.middleware.origins import AllowedHosts
    from chladni_runtime.server.lifecycle import RequestGate
    from chladni_runtime.server.peers import PeerSet

_MAX_JSON_BYTES: Final = 64 * 1024
_UPLOAD_PATHS: Final = frozenset(
    {
        f"{FIRST_API}/generate",
        f"{API}/generate",
        f"{API}/jobs",
        f"{API}/spectrogram",
        f"{API}/music",
        f"{API}/reconstruct",
        PROMPTS_PATH,
        ANOMALY_PATH,
        NORMAL_SETS_PATH,
        FILMS_PATH,
        SHARED_AUDIO_PATH,
    }
)
_API_VERSION: Final = "v1"
_DESCRIPTION: Final = """Images and jobs belong to the session that made them, which is a cookie that every
POST and the page set. Anyone who knows the identifier of an image can get it; only its session can list
and delete it.

Live sound goes over a WebSocket, `/api/v1/live`, which OpenAPI does not describe: send the text
`{"sample_rate_hz": 48000}`, and the server answers with `{"type": "ready", ...}`. Then send binary messages
of mono, little-endian 16-bit samples, which it answers with texts `{"type": "frames", ...}` of mel frames
and levels. After the text `{"type": "end"}` it sends `{"type": "summary", ...}` with the sound's
descriptors."""


class _DescribedApi(FastAPI):
    """An application whose document names no answer that it does not give.

    FastAPI describes its own answer to invalid requests, which `install_error_handlers` replaces.
    """

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["responses"].pop("422", None)
                if path in OPEN_PATHS:
                    operation["security"] = []
        schemas = document["components"]["schemas"] | error_schemas()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        document["components"]["schemas"] = dict(sorted(schemas.items()))
        document["components"]["securitySchemes"] = SECURITY_SCHEMES
        document["security"] = [{}, *({name: []} for name in SECURITY_SCHEMES)]
        return document


def create_app(
    application: Application,
    *,
    metrics: HttpMetrics,
    previews: PreviewRequest,
    session_seconds: int,
    gate: RequestGate,
    allowed_hosts: AllowedHosts,
    authenticator: Authenticator,
    sign_ins: SignInCookies,
    trusted_proxies: PeerSet,
    draw_seed: Callable[[], int],
    rate_limit: RateLimiter | None = None,
    cors_origins: Sequence[str] = (),
) -> FastAPI:
    """Return the application.

    Args:
        application: What the gateway does.
        metrics: Counts and times requests.
        previews: How previews of event streams are made.
        session_seconds: Time that a browser keeps its session.
        gate: Gate of all work, which refuses it while the service drains.
        allowed_hosts: Names and addresses under which the gateway may be asked.
        authenticator: Knows tokens, if the server wants some.
        sign_ins: Knows the cookies that browsers get for tokens.
        trusted_proxies: Proxies whose word on their clients counts.
        draw_seed: Gives the seed of a film that names none.
        rate_limit: How often a client may send work; `None` for no limit.
        cors_origins: Other origins whose pages may use the API.
    """
    app = _DescribedApi(
        title="Chladni",
        summary="Turns sound into images and measures how alike images are.",
        description=_DESCRIPTION,
        version=_API_VERSION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # FastAPI's own pages load scripts from other hosts.
        redoc_url=None,
    )
    install_error_handlers(app)
    limits = application.limits
    uploads = UploadReader(
        places=UploadPlaces(limits.max_concurrent_uploads, clock=time.monotonic),
        max_audio_bytes=limits.max_audio_bytes,
        timeout_seconds=limits.upload_timeout_seconds,
        min_bytes_per_second=limits.min_upload_bytes_per_second,
        spool=application.spool,
        cutter=application.audio_cutter,
    )
    routers = (
        generate_routes(application, uploads=uploads, previews=previews),
        job_routes(application, uploads=uploads, previews=previews),
        spectrogram_routes(application, uploads=uploads),
        reconstruction_routes(application, uploads=uploads),
        music_routes(application, uploads=uploads),
        prompt_routes(application, uploads=uploads),
        anomaly_routes(application, uploads=uploads),
        comparison_routes(application),
        alignment_routes(application),  # Before the route of images, which takes any address below its own.
        image_routes(application),
        info_routes(application),
        live_routes(application),
        film_routes(application, uploads=uploads, draw_seed=draw_seed),
        shared_routes(application, uploads=uploads),
        page_routes(),
        *_sign_in(authenticator, sign_ins, session_seconds),
    )
    # Themselves: `include_router` would build the fields of each route once more, at the first request.
    routes = [route for router in routers for route in router.routes]
    app.router.routes.extend(routes)
    # The last one added is the outermost.
    app.add_middleware(AllowHeaderMiddleware, routes=routes)
    app.add_middleware(
        BodyLimitMiddleware,
        limit_bytes=_MAX_JSON_BYTES,
        min_bytes_per_second=limits.min_upload_bytes_per_second,
        exempt_paths=_UPLOAD_PATHS,
        limits_of_paths={SCORE_PATH: MAX_SCORE_BYTES},
    )
    if rate_limit is not None:
        app.add_middleware(RateLimitMiddleware, limit=rate_limit)
    app.add_middleware(SessionMiddleware, max_age_seconds=session_seconds, tokens=application.tokens)
    if authenticator.is_required:
        app.add_middleware(AuthenticationMiddleware, authenticator=authenticator, cookies=sign_ins)
    app.add_middleware(ByteBudgetMiddleware, budget=gate.bytes_in_flight)
    app.add_middleware(DrainMiddleware, gate=gate)
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(cors_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
        )
    app.add_middleware(OriginMiddleware, allowed_hosts=allowed_hosts, allowed_origins=cors_origins)
    app.add_middleware(SecurityHeadersMiddleware, is_shared=bool(cors_origins))
    app.add_middleware(AccessLogMiddleware, metrics=metrics)
    app.add_middleware(ForwardedMiddleware, trusted=trusted_proxies)
    return app


def _sign_in(
    authenticator: Authenticator, cookies: SignInCookies, session_seconds: int
) -> tuple[APIRouter, ...]:
    """Return the routes that sign a browser in, if that is of use."""
    if not authenticator.is_required:
        return ()
    return (sign_in_routes(authenticator, cookies, max_age_seconds=session_seconds),)

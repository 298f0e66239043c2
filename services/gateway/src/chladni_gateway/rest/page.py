"""The page and its files, from the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.staticfiles import StaticFiles

# Browsers may keep the files but must ask about them, so that an update is seen at once.
_CACHE_CONTROL = "no-cache"


def page_routes() -> APIRouter:
    """Returns the routes of the page, ``/``, and of its files under ``/static``."""
    router = APIRouter(include_in_schema=False)
    folder = StaticFiles(directory=Path(str(files("chladni_gateway") / "web")))

    async def file(path: str, request: Request) -> Response:
        response = await folder.get_response(path, request.scope)
        response.headers["Cache-Control"] = _CACHE_CONTROL
        return response

    @router.head("/")
    @router.get("/")
    async def page(request: Request) -> Response:
        return await file("index.html", request)

    @router.head("/static/{path:path}")
    @router.get("/static/{path:path}")
    async def static(path: str, request: Request) -> Response:
        return await file(path, request)

    return router

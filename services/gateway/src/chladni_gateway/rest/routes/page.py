"""The page and its files, from the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response

from chladni_gateway.rest.static_files import read_folder

_PAGE: Final = "index.html"
# Browsers may keep the files but must ask about them, so that an update is seen at once.
_CACHE_CONTROL: Final = "no-cache"


def page_routes() -> APIRouter:
    """Returns the routes of the page, ``/``, and of its files under ``/static``; reads the files."""
    router = APIRouter(include_in_schema=False)
    contents = read_folder(Path(str(files("chladni_gateway") / "web")))

    def answer(path: str, request: Request) -> Response:
        if path not in contents:
            raise HTTPException(404)
        return contents[path].answer(request.headers, cache_control=_CACHE_CONTROL)

    @router.head("/")
    @router.get("/")
    async def page(request: Request) -> Response:
        return answer(_PAGE, request)

    @router.head("/static/{path:path}")
    @router.get("/static/{path:path}")
    async def static(path: str, request: Request) -> Response:
        return answer(path, request)

    return router

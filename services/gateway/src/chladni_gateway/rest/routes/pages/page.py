"""The page and its files, from the package: kept in memory, each also compressed.

Starlette's `StaticFiles` and `GZipMiddleware` would compress a file for every request, give both encodings
one ETag (made of the time of installation, so that it differs between servers), compress for clients that
refuse it by `gzip;q=0`, and answer HEAD with the length of another encoding.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, HTTPException, Request, Response

from chladni_gateway.rest.routes.pages.preloads import assemble, join_styles, styles_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import Headers

_COMPRESSION_LEVEL: Final = 9
# The system's own table of types differs from machine to machine; a wrong one keeps a script from running.
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_PAGE: Final = "index.html"
# Browsers may keep the files but must revalidate them, so that an update is seen at once.
_CACHE_CONTROL: Final = "no-cache"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file in memory, plain and compressed.

    Attributes:
        content: Its bytes.
        compressed: The same by gzip; `None` if that is not smaller.
        media_type: Media type of the bytes.
        digest: SHA-256 of the content in hexadecimal, the same on every server.
    """

    content: bytes
    compressed: bytes | None
    media_type: str
    digest: str

    @classmethod
    def read(cls, path: Path) -> StaticFile:
        """Read a file."""
        return cls.of(path.read_bytes(), path)

    @classmethod
    def of(cls, content: bytes, path: Path) -> StaticFile:
        """Return a file of some bytes.

        Args:
            content: The bytes.
            path: A path whose name says of which type they are.
        """
        compressed = gzip.compress(content, _COMPRESSION_LEVEL, mtime=0)
        guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(
            content=content,
            compressed=compressed if len(compressed) < len(content) else None,
            media_type=_MEDIA_TYPES.get(path.suffix, guessed),
            digest=hashlib.sha256(content).hexdigest(),
        )

    def answer(self, request_headers: Headers, *, cache_control: str) -> Response:
        """Return the answer to a request: compressed if the client accepts that, 304 if it has the file.

        Args:
            request_headers: Headers of the request.
            cache_control: How clients may keep the file.
        """
        encoding = request_headers.get("accept-encoding", "")
        body = self.compressed if self.compressed is not None and accepts_gzip(encoding) else None
        # RFC 9110, 8.8.3: what differs in its encoding differs in its tag.
        tag = f'"{self.digest[:32]}"' if body is None else f'"{self.digest[:32]}-gzip"'
        headers = {"Cache-Control": cache_control, "ETag": tag}
        if self.compressed is not None:
            headers["Vary"] = "Accept-Encoding"
        if _knows(request_headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if body is not None:
            headers["Content-Encoding"] = "gzip"
        return Response(body or self.content, media_type=self.media_type, headers=headers)


def page_routes() -> APIRouter:
    """Return the routes of the page, ``/``, and of its files under ``/static``."""
    router = APIRouter(include_in_schema=False)
    contents = _page_files()

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


@cache
def _page_files() -> Mapping[str, StaticFile]:
    """Return the files of the page, which one process reads and compresses once."""
    folder = Path(str(files("chladni_gateway") / "web"))
    joined = {
        styles_name(page): StaticFile.of(join_styles(page).encode(), Path(styles_name(page)))
        for page in folder.glob("*.html")
    }
    page = StaticFile.of(assemble(folder / _PAGE).encode(), folder / _PAGE)
    return {**read_folder(folder), **joined, _PAGE: page}


def read_folder(folder: Path) -> Mapping[str, StaticFile]:
    """Return every file of a folder and of those in it, by its path with slashes."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): StaticFile.read(path) for path in paths}


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a header `Accept-Encoding` allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, weight = (part.strip() for part in item.partition(";"))
        try:
            weights[coding] = float(weight.removeprefix("q=")) if weight else 1.0
        except ValueError:
            weights[coding] = 0.0
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _knows(if_none_match: str, tag: str) -> bool:
    known = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return tag in known or "*" in known

"""`GET /api/images/{image_id}`: the pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from chladni_gateway.image_store import StoredImage, parse_image_id
from chladni_gateway.stages import Stage, at_stage

if TYPE_CHECKING:
    from chladni_gateway.workshop import Workshop

# The converter lets slashes into the identifier, so that it is refused as what it is.
_PATH = "/api/images/{image_id:path}"


def image_routes(workshop: Workshop) -> APIRouter:
    """Returns the routes of pictures."""
    router = APIRouter()

    @router.head(_PATH, include_in_schema=False)
    @router.get(
        _PATH,
        summary="Get a picture",
        response_class=Response,
        responses={
            200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
            304: {"description": "The picture is the one of the given ETag."},
        },
    )
    async def image(image_id: str, request: Request) -> Response:
        """Returns a picture as PNG, until it expires. A picture never changes, so it may be cached."""
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            stored = await workshop.store.get(identifier)
        headers = _headers(stored)
        if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(stored.content, media_type="image/png", headers=headers)

    return router


def _headers(stored: StoredImage) -> dict[str, str]:
    record = stored.record
    seconds_left = max(0, int((record.expires_at - datetime.now(UTC)).total_seconds()))
    return {
        "ETag": f'"{record.sha256}"',
        "Cache-Control": f"private, max-age={seconds_left}, immutable",
    }


def _matches(if_none_match: str, etag: str) -> bool:
    candidates = {item.strip().removeprefix("W/") for item in if_none_match.split(",")}
    return etag in candidates or "*" in candidates

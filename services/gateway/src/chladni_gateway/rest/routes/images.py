"""`/api/images`: the images, and those of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import WithJsonSchema

from chladni_gateway.domain.image_store import StoredImage, describe_owned, parse_image_id
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import CREATED_IMAGE, IMAGE_ID, json_example
from chladni_gateway.rest.schemas import CreatedImage, ImageList, to_created_image

if TYPE_CHECKING:
    from chladni_gateway.application import Application

_MAX_LISTED: Final = 200
# The converter lets slashes into the identifier, so that it is refused as what it is.
IMAGE_PATH: Final = "/api/images/{image_id:path}"

ImageId = Annotated[
    str,
    Path(description="Identifier of an image.", examples=[IMAGE_ID], json_schema_extra={"format": "uuid"}),
]
Limit = Annotated[int, Query(ge=1, le=_MAX_LISTED, description="Images at most.", examples=[20])]
Before = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "format": "uuid", "examples": [IMAGE_ID]}),
    Query(description="Only images older than this one, to go through long lists."),
]


def image_routes(application: Application) -> APIRouter:
    """Return the routes of images."""
    router = APIRouter()
    store = application.store

    @router.get(
        "/api/images",
        summary="List images",
        responses={200: {"content": json_example({"images": [CREATED_IMAGE]})}},
    )
    async def images(
        request: Request, response: Response, limit: Limit = 100, before: Before = None
    ) -> ImageList:
        """List the images of this session, the newest first."""
        response.headers["Cache-Control"] = "no-store"
        oldest = None if before is None else parse_image_id(before, field="before")
        owner = session_of(request).owner
        with at_stage(Stage.STORAGE):
            records = await store.list_owned(owner, limit=limit, before=oldest)
        return ImageList(images=[to_created_image(record) for record in records])

    @router.get(
        f"{IMAGE_PATH}/details",
        summary="Describe an image",
        responses={200: {"content": json_example(CREATED_IMAGE)}},
    )
    async def details(image_id: ImageId, request: Request, response: Response) -> CreatedImage:
        """Return the details of an image of this session, as its creation returned them."""
        response.headers["Cache-Control"] = "no-store"
        identifier = parse_image_id(image_id, field="image_id")
        owner = session_of(request).owner
        with at_stage(Stage.STORAGE):
            record = await describe_owned(store, identifier, owner=owner)
        return to_created_image(record)

    @router.head(IMAGE_PATH, include_in_schema=False)
    @router.get(
        IMAGE_PATH,
        summary="Get an image",
        response_class=Response,
        responses={
            200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}},
            304: {"description": "The image is the one of the given ETag."},
        },
    )
    async def image(image_id: ImageId, request: Request) -> Response:
        """Return an image as PNG, until it expires. An image never changes, so it may be cached."""
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            stored = await store.get(identifier)
        headers = _headers(stored)
        if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(stored.content, media_type="image/png", headers=headers)

    @router.delete(
        "/api/images/{image_id}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Delete an image",
        responses={204: {"description": "The image is gone."}},
    )
    async def delete(image_id: ImageId, request: Request) -> None:
        """Delete an image of this session."""
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            await store.delete(identifier, owner=session_of(request).owner)

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

"""`/api/v1/images`: the images, and those of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Request, Response

from chladni_contract.errors import Reason
from chladni_gateway.domain.request import DEFAULT_PAGE_SIZE, cut_page, last_seen_of
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.image_store import StoredImage, describe_owned, parse_image_id
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, CREATED_IMAGE, FIRST_API, IMAGE_ID, image_content, json_example
from chladni_gateway.rest.requests import PageSize, PageToken
from chladni_gateway.rest.routes.responses import OF_AN_IMAGE, error_responses
from chladni_gateway.rest.schemas import CreatedImage, ImageList, to_created_image

if TYPE_CHECKING:
    from chladni_gateway.application import Application

# The converter lets slashes into the identifier, so that it is refused as what it is.
IMAGE_PATH: Final = f"{API}/images/{{image_id:path}}"

_FIRST_IMAGE_PATH: Final = f"{FIRST_API}/images/{{image_id:path}}"

ImageId = Annotated[
    str,
    Path(description="Identifier of an image.", examples=[IMAGE_ID], json_schema_extra={"format": "uuid"}),
]


def image_routes(application: Application) -> APIRouter:
    """Return the routes of images."""
    router = APIRouter()
    store = application.store

    @router.get(
        f"{API}/images",
        summary="List images",
        operation_id="listImages",
        responses={
            200: {"content": json_example({"images": [CREATED_IMAGE], "next_page_token": ""})},
            **error_responses(OF_AN_IMAGE),
        },
    )
    async def images(
        request: Request,
        response: Response,
        page_size: PageSize = DEFAULT_PAGE_SIZE,
        page_token: PageToken = "",
    ) -> ImageList:
        """List the images of this session, the newest first."""
        response.headers["Cache-Control"] = "no-store"
        before = last_seen_of(page_token)
        owner = session_of(request).owner
        with at_stage(Stage.STORAGE):
            records = await store.list_owned(owner, limit=page_size + 1, before=before)
        listed, next_page_token = cut_page(records, size=page_size, identify=lambda record: record.image_id)
        return ImageList(
            images=[to_created_image(record) for record in listed], next_page_token=next_page_token
        )

    @router.get(
        f"{IMAGE_PATH}/details",
        summary="Describe an image",
        operation_id="getImage",
        responses={200: {"content": json_example(CREATED_IMAGE)}, **error_responses(OF_AN_IMAGE)},
    )
    async def details(image_id: ImageId, request: Request, response: Response) -> CreatedImage:
        """Return the details of an image of this session, as its creation returned them."""
        response.headers["Cache-Control"] = "no-store"
        identifier = parse_image_id(image_id, field="image_id")
        owner = session_of(request).owner
        with at_stage(Stage.STORAGE):
            record = await describe_owned(store, identifier, owner=owner)
        return to_created_image(record)

    @router.head(_FIRST_IMAGE_PATH, include_in_schema=False)
    @router.get(_FIRST_IMAGE_PATH, include_in_schema=False)
    @router.head(IMAGE_PATH, include_in_schema=False)
    @router.get(
        IMAGE_PATH,
        summary="Get an image",
        operation_id="downloadImage",
        response_class=Response,
        responses={
            200: {"description": "The file.", "content": image_content()},
            304: {"description": "The image is the one of the given ETag."},
            **error_responses(OF_AN_IMAGE),
        },
    )
    async def image(image_id: ImageId, request: Request) -> Response:
        """Return the file of an image, until it expires. An image never changes, so it may be cached."""
        if image_id.endswith("/pin"):  # That address takes other methods.
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            stored = await store.get(identifier)
        headers = _headers(stored)
        if _matches(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(stored.content, media_type=stored.record.format.media_type, headers=headers)

    @router.delete(
        f"{API}/images/{{image_id}}",
        status_code=HTTPStatus.NO_CONTENT,
        summary="Delete an image",
        operation_id="deleteImage",
        responses={204: {"description": "The image is gone."}, **error_responses(OF_AN_IMAGE)},
    )
    async def delete(image_id: ImageId, request: Request) -> None:
        """Delete an image of this session."""
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            await store.delete(identifier, owner=session_of(request).owner)

    @router.post(
        f"{API}/images/{{image_id}}/pin",
        summary="Pin an image",
        operation_id="pinImage",
        responses={
            200: {"content": json_example(CREATED_IMAGE | {"pinned": True})},
            **error_responses(OF_AN_IMAGE, {Reason.COLLECTION_FULL}),
        },
    )
    async def pin(image_id: ImageId, request: Request) -> CreatedImage:
        """Pin an image of this session: neither limits nor time remove it then. Half of all can be pinned."""
        return await set_pin(image_id, request, is_pinned=True)

    @router.delete(
        f"{API}/images/{{image_id}}/pin",
        summary="Unpin an image",
        operation_id="unpinImage",
        responses={200: {"content": json_example(CREATED_IMAGE)}, **error_responses(OF_AN_IMAGE)},
    )
    async def unpin(image_id: ImageId, request: Request) -> CreatedImage:
        """Take the pin of an image of this session away; if its time has come, it expires at once."""
        return await set_pin(image_id, request, is_pinned=False)

    async def set_pin(image_id: str, request: Request, *, is_pinned: bool) -> CreatedImage:
        identifier = parse_image_id(image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            record = await store.pin(identifier, owner=session_of(request).owner, is_pinned=is_pinned)
        return to_created_image(record)

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

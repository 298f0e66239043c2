"""`/f`: pages of single images that their owners share by a link, and the links.

These routes belong to the page and not to the API.
"""

from __future__ import annotations

import html
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from chladni_contract.errors import InvalidInputError, NotFoundError, Reason
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.image_store import (
    ImageRecord,
    describe_owned,
    parse_image_id,
)
from chladni_gateway.rest.forms.uploads import UploadForm
from chladni_gateway.rest.middleware.sessions import is_secure, session_of
from chladni_gateway.rest.routes.pages.preloads import assemble
from chladni_gateway.rest.schemas import to_created_image

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chladni_gateway.application import Application
    from chladni_gateway.rest.forms.uploads import UploadReader
    from chladni_gateway.storage.share_links import ShareLink, ShareLinks

SHARED_PATH: Final = "/f"
SHARED_AUDIO_PATH: Final = f"{SHARED_PATH}/audio"
_PAGE_FILE: Final = "shared.html"
_DESCRIPTION: Final = "An image that sound drew, by Chladni."
# A withdrawn link must lead nowhere at once, and search engines are not to find what a link was given for.
_HEADERS: Final = {"Cache-Control": "private, no-cache", "X-Robots-Tag": "noindex"}
_AUDIO_TYPES: Final = (
    (b"RIFF", "audio/wav"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff", "audio/mpeg"),
    (b"\x1aE\xdf\xa3", "audio/webm"),
)
_USUAL_AUDIO_TYPE: Final = "audio/mp4"


class LinkRequest(BaseModel):
    """The image to share."""

    image_id: str = Field(max_length=64)


class LinkAudioForm(UploadForm):
    """The form of `POST /f/audio`: a clip that may be heard with an image."""

    link: str = Field("", json_schema_extra={"maxLength": 64})


class LinkBody(BaseModel):
    """A link as its owner sees it."""

    link: str
    path: str
    with_audio: bool


def shared_routes(application: Application, *, uploads: UploadReader) -> APIRouter:
    """Return the routes of shared images.

    Args:
        application: What the gateway does.
        uploads: Reads recordings.
    """
    router = APIRouter(include_in_schema=False)
    _add_owner_routes(router, application, uploads)
    _add_visitor_routes(router, application)
    return router


def _add_owner_routes(router: APIRouter, application: Application, uploads: UploadReader) -> None:
    """Add the routes by which owners make, look up and withdraw links."""
    links = application.share_links

    async def own(token: str, request: Request) -> ShareLink:
        link = await links.find(token)
        owner = session_of(request).owner
        if link is None or not owner or link.owner != owner:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return link

    @router.post(SHARED_PATH)
    async def make(body: LinkRequest, request: Request) -> LinkBody:
        image_id = parse_image_id(body.image_id, field="image_id")
        owner = session_of(request).owner
        with at_stage(Stage.STORAGE):
            await describe_owned(application.store, image_id, owner=owner)
        return _to_body(await links.make(image_id, owner=owner))

    @router.get(SHARED_PATH)
    async def of_image(image_id: str, request: Request) -> LinkBody | None:
        identifier = parse_image_id(image_id, field="image_id")
        link = await links.of_image(identifier, owner=session_of(request).owner)
        return None if link is None else _to_body(link)

    @router.post(SHARED_AUDIO_PATH)
    async def add_audio(request: Request) -> LinkBody:
        form = await uploads.read(request, LinkAudioForm)
        with at_stage(Stage.VALIDATION):
            _check_whole(form)
            check_clip(form.clip, max_audio_bytes=application.limits.max_audio_bytes)
        content = form.clip.content
        link = await links.add_audio(await own(form.link, request), content, _audio_type(content))
        if link is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return _to_body(link)

    @router.delete(f"{SHARED_PATH}/{{token}}", status_code=HTTPStatus.NO_CONTENT)
    async def withdraw(token: str, request: Request) -> None:
        await links.withdraw((await own(token, request)).token)


def _add_visitor_routes(router: APIRouter, application: Application) -> None:
    """Add the routes for everybody who has a link."""
    links = application.share_links
    folder = Path(str(files("chladni_gateway") / "web"))
    template = Template(assemble(folder / _PAGE_FILE))

    async def found(token: str) -> tuple[ShareLink, ImageRecord]:
        async with _known_link(links, token) as link:
            return link, await application.store.describe(link.image_id)

    @router.get(f"{SHARED_PATH}/{{token}}")
    async def page(token: str, request: Request) -> HTMLResponse:
        _, record = await found(token)
        scheme = "https" if is_secure(request) else "http"
        address = f"{scheme}://{request.headers.get('host', '')}{SHARED_PATH}/{token}"
        content = template.substitute(
            title=html.escape(_title_of(record)),
            description=html.escape(_DESCRIPTION),
            address=html.escape(address),
            path=f"{SHARED_PATH}/{token}",
            shown=shown_address(record.format, f"{SHARED_PATH}/{token}/image"),
            width=record.width_pixels,
            height=record.height_pixels,
            media_type=record.format.media_type,
        )
        return HTMLResponse(content, headers=_HEADERS)

    @router.get(f"{SHARED_PATH}/{{token}}/image")
    async def image(token: str) -> Response:
        async with _known_link(links, token) as link:
            stored = await application.store.get(link.image_id)
        return Response(stored.content, media_type=stored.record.format.media_type, headers=_HEADERS)

    @router.get(f"{SHARED_PATH}/{{token}}/audio")
    async def audio(token: str) -> Response:
        link, _ = await found(token)
        content = await links.audio(link)
        if content is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return Response(content, media_type=link.audio_media_type, headers=_HEADERS)

    @router.get(f"{SHARED_PATH}/{{token}}/reading")
    async def reading(token: str, response: Response) -> dict[str, Any]:
        link, record = await found(token)
        response.headers.update(_HEADERS)
        return _to_reading(link, record)


@asynccontextmanager
async def _known_link(links: ShareLinks, token: str) -> AsyncIterator[ShareLink]:
    """Find a link, for a look at its image; remove the link if the image turns out to be gone."""
    link = await links.find(token)
    if link is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        with at_stage(Stage.STORAGE):
            yield link
    except NotFoundError:
        await links.withdraw(token)
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def _check_whole(form: LinkAudioForm) -> None:
    """Refuse a part of a clip: what is kept with a link is a file, which nothing here cuts."""
    if form.chosen_clip.is_part or form.clip.pcm is not None:
        field = "end_seconds" if form.start_seconds is None else "start_seconds"
        raise InvalidInputError(
            Reason.INVALID_FIELD, f"{field} does not go with a link; send the part as a file.", field=field
        )


def shown_address(image_format: ImageFormat, address: str) -> str:
    """Return the address of what stands for an image on a page, where no browser shows a PDF as an image."""
    return "/static/pdf.svg" if image_format is ImageFormat.PDF else address


def _title_of(record: ImageRecord) -> str:
    return record.source_name.rpartition(".")[0] or record.source_name or "An image of a sound"


def _to_reading(link: ShareLink, record: ImageRecord) -> dict[str, Any]:
    body = to_created_image(record).model_dump(mode="json")
    # Not the identifier, by which the image could be fetched after the link was withdrawn. Of the audio only
    # its length: its digest would say which recording it was to anybody who has that recording.
    return {
        "display_name": _title_of(record),
        "with_audio": bool(link.audio_media_type),
        "duration_seconds": record.audio.duration_seconds if record.audio else 0.0,
        **{name: body[name] for name in ("recipe", "descriptors", "expire_time")},
    }


def _to_body(link: ShareLink) -> LinkBody:
    return LinkBody(
        link=link.token, path=f"{SHARED_PATH}/{link.token}", with_audio=bool(link.audio_media_type)
    )


def _audio_type(content: bytes) -> str:
    return next((kind for start, kind in _AUDIO_TYPES if content.startswith(start)), _USUAL_AUDIO_TYPE)

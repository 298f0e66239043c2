"""`/api/v1/images/{image_id}/alignment`: how well an image fits a sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import WithJsonSchema

from chladni_contract.errors import Reason
from chladni_gateway.domain.storage.image_store import parse_image_id
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import ALIGNMENT, OTHER_IMAGE_ID, json_example
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.images import IMAGE_PATH, ImageId
from chladni_gateway.rest.routes.responses import OF_A_SERVICE, OF_AN_IMAGE, error_responses
from chladni_gateway.rest.schemas import AlignmentBody, to_percentage
from chladni_gateway.similarity.alignment import REMEMBERED_SECONDS
from chladni_gateway.similarity.levels import level_of
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.application import Application

_CACHE_HEADERS: Final = {"Cache-Control": f"private, max-age={REMEMBERED_SECONDS:.0f}", "Vary": "Cookie"}

AudioOf = Annotated[
    str | None,
    WithJsonSchema({"type": "string", "format": "uuid", "examples": [OTHER_IMAGE_ID]}),
    Query(description="The image of this session whose sound it is; by default the image itself."),
]


def alignment_routes(application: Application) -> APIRouter:
    """Return the route of alignment."""
    router = APIRouter()

    @router.get(
        f"{IMAGE_PATH}/alignment",
        summary="Score how well an image fits a sound",
        operation_id="scoreAlignment",
        responses={
            200: {"content": json_example(ALIGNMENT)},
            **error_responses(OF_AN_IMAGE, OF_A_SERVICE, {Reason.INVALID_IMAGE, Reason.NO_ALIGNMENT}),
        },
    )
    async def alignment(
        image_id: ImageId, request: Request, response: Response, audio_of: AudioOf = None
    ) -> AlignmentBody:
        """Score how well an image of this session fits its sound, or that of another image of this session.

        If the image was made before the server kept descriptions of sounds, the answer is 404 with the code
        NO_ALIGNMENT; a server without a model for this answers 501, NOT_IMPLEMENTED, or 404, UNKNOWN_MODEL.
        """
        image = parse_image_id(image_id, field="image_id")
        source = image if audio_of is None else parse_image_id(audio_of, field="audio_of")
        score = application.aligner.score(
            image,
            audio_of=source,
            owner=session_of(request).owner,
            deadline=Deadline.after(application.limits.comparison_timeout_seconds),
        )
        found = await while_connected(request.receive, score)
        response.headers.update(_CACHE_HEADERS)
        return AlignmentBody(
            image_id=image,
            audio_of=source,
            score=found.score,
            percentage=to_percentage(found.score),
            level=level_of(found.score),
            cosine=found.cosine,
            model=found.model,
        )

    return router

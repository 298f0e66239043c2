"""`POST /api/compare`: how alike two pictures are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from chladni_gateway.image_store import parse_image_id
from chladni_gateway.rest.disconnection import while_connected
from chladni_gateway.rest.schemas import CompareRequest, Comparison
from chladni_runtime.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.workshop import Workshop


def comparison_routes(workshop: Workshop) -> APIRouter:
    """Returns the routes of comparison."""
    router = APIRouter()

    @router.post("/api/compare", summary="Compare two pictures")
    async def compare(body: CompareRequest, request: Request) -> Comparison:
        """Scores how alike two pictures are that were created here."""
        first = parse_image_id(body.image_id_1, field="image_id_1")
        second = parse_image_id(body.image_id_2, field="image_id_2")
        deadline = Deadline.after(workshop.limits.comparison_timeout_seconds)
        likeness = await while_connected(
            request.receive, workshop.comparator.compare(first, second, deadline)
        )
        return Comparison(
            similarity_score=likeness.score,
            percentage=f"{round(likeness.score * 100)}%",
            cosine=likeness.cosine,
            model=likeness.model,
        )

    return router

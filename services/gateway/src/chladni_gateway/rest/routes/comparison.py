"""Similarity of images: two, several with each other, or one with all of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from chladni_contract.errors import Reason
from chladni_gateway.domain.storage.image_store import parse_image_id
from chladni_gateway.rest.middleware.sessions import session_of
from chladni_gateway.rest.openapi import API, COMPARISON, FIRST_API, MATCHES, MATRIX, json_example
from chladni_gateway.rest.requests import while_connected
from chladni_gateway.rest.routes.responses import OF_A_BODY, OF_A_SERVICE, OF_AN_IMAGE, error_responses
from chladni_gateway.rest.schemas import (
    CompareRequest,
    Comparison,
    FirstComparison,
    MatchList,
    Matrix,
    MatrixRequest,
    SearchRequest,
    to_match_body,
    to_percentage,
)
from chladni_gateway.similarity.levels import level_of
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from chladni_gateway.application import Application


def comparison_routes(application: Application) -> APIRouter:
    """Return the routes of comparison and search."""
    router = APIRouter()

    def deadline() -> Deadline:
        return Deadline.after(application.limits.comparison_timeout_seconds)

    @router.post(f"{FIRST_API}/compare", include_in_schema=False)
    async def compare_at_first(body: CompareRequest, request: Request) -> FirstComparison:
        """Score how similar two images of this server are, in the words of the first API."""
        found = await compare(body, request)
        return FirstComparison(similarity_score=found.score, percentage=found.percentage)

    @router.post(
        f"{API}/compare",
        summary="Compare two images",
        operation_id="compareImages",
        responses={
            200: {"content": json_example(COMPARISON)},
            **error_responses(OF_A_BODY, OF_AN_IMAGE, OF_A_SERVICE, {Reason.INVALID_IMAGE}),
        },
    )
    async def compare(body: CompareRequest, request: Request) -> Comparison:
        """Score how similar two images of this server are."""
        first = parse_image_id(body.image_id_1, field="image_id_1")
        second = parse_image_id(body.image_id_2, field="image_id_2")
        likeness = await while_connected(
            request.receive, application.comparator.compare(first, second, deadline())
        )
        return Comparison(
            score=likeness.score,
            percentage=to_percentage(likeness.score),
            level=level_of(likeness.score),
            cosine=likeness.cosine,
            model=likeness.model,
        )

    @router.post(
        f"{API}/compare/matrix",
        summary="Compare several images",
        operation_id="compareImageMatrix",
        responses={
            200: {"content": json_example(MATRIX)},
            **error_responses(OF_A_BODY, OF_AN_IMAGE, OF_A_SERVICE, {Reason.INVALID_IMAGE}),
        },
    )
    async def compare_all(body: MatrixRequest, request: Request) -> Matrix:
        """Score how similar each of several images is to each other; each is embedded once."""
        image_ids = [parse_image_id(text, field="image_ids") for text in body.image_ids]
        matrix = await while_connected(request.receive, application.matrices.compare(image_ids, deadline()))
        return Matrix(
            image_ids=list(matrix.image_ids),
            scores=[list(row) for row in matrix.scores],
            percentages=[[to_percentage(score) for score in row] for row in matrix.scores],
            model=matrix.model,
        )

    @router.post(
        f"{API}/search",
        summary="Find similar images",
        operation_id="searchImages",
        responses={
            200: {"content": json_example(MATCHES)},
            **error_responses(
                OF_A_BODY,
                OF_AN_IMAGE,
                OF_A_SERVICE,
                {Reason.INVALID_IMAGE, Reason.COLLECTION_FULL, Reason.COLLECTION_OUTDATED},
            ),
        },
    )
    async def search(body: SearchRequest, request: Request) -> MatchList:
        """Find the images of this session that are most similar to another one of them, best first."""
        search = application.searcher.search(
            parse_image_id(body.image_id, field="image_id"),
            owner=session_of(request).owner,
            limit=body.max_results,
            deadline=deadline(),
        )
        matches = await while_connected(request.receive, search)
        return MatchList(matches=[to_match_body(match) for match in matches])

    return router

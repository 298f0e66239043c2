"""`chladni.gateway.v1.ImageService`."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2 as service_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as service_grpc
from chladni.generation.v1 import generation_pb2
from chladni_gateway.backends.messages import to_format_message
from chladni_gateway.domain.request import check_upload, cut_page, last_seen_of, page_size_of
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.image_store import parse_image_id
from chladni_gateway.grpc_api.callers.deadlines import creation_deadline_of, deadline_of
from chladni_gateway.grpc_api.callers.sessions import caller_of, creating_session_of_call, session_of_call
from chladni_gateway.grpc_api.events import to_event_message
from chladni_gateway.grpc_api.images import (
    to_get_image_response,
    to_match_message,
    to_matrix_response,
    to_owned_image_message,
)
from chladni_gateway.grpc_api.requests import naming_fields, to_creation_request, to_image_source
from chladni_gateway.grpc_api.uploads import file_pieces, first_creation, with_some_content
from chladni_gateway.similarity.search import MAX_MATCHES
from chladni_runtime.execution.heartbeats import with_heartbeats
from chladni_runtime.server.validation import RequestValidator
from chladni_runtime.spool import draining

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.domain.events import CreationEvent
    from chladni_gateway.domain.request import CreationRequest
    from chladni_runtime.execution.deadlines import Deadline

_PART_BYTES: Final = 2**20
_DEFAULT_MATCHES: Final = 10


class ImageServicer(service_grpc.ImageServiceServicer):
    """Offers images over gRPC.

    Args:
        application: What the gateway does.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def CreateImage(
        self, request: creation_pb2.CreateImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[creation_pb2.CreateImageResponse]:
        """Yield what happens on the way to the image."""
        with at_stage(Stage.VALIDATION):
            session = creating_session_of_call(context, self._application.tokens)
            asked = to_creation_request(request, caller=caller_of(context), owner=session.owner)
        limits = self._application.limits
        deadline = creation_deadline_of(context, asked, limits)
        with naming_fields(request):
            creation = self._application.creator.create(asked, deadline)
            async with aclosing(with_heartbeats(creation, limits.heartbeat_seconds)) as events:
                async for event in events:
                    if event is None:
                        yield creation_pb2.CreateImageResponse(heartbeat=generation_pb2.Heartbeat())
                    else:
                        yield to_event_message(event, session_token=session.new_token)

    async def CreateImageFromUpload(
        self,
        request_iterator: AsyncIterator[service_pb2.CreateImageFromUploadRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[service_pb2.CreateImageFromUploadResponse]:
        """Yield what happens on the way to the image of a part of a file that comes in pieces."""
        with at_stage(Stage.VALIDATION):
            session = creating_session_of_call(context, self._application.tokens)
            async with draining(request_iterator):
                message = await first_creation(request_iterator)
                with naming_fields(message):
                    asked = to_creation_request(message, caller=caller_of(context), owner=session.owner)
                    self._check_upload(asked)
        limits = self._application.limits

        async def creation() -> AsyncGenerator[CreationEvent | None, None]:
            with naming_fields(message):
                deadline = deadline_of(context, limits.max_upload_seconds)
                with at_stage(Stage.AUDIO_FEATURES):
                    async with (
                        draining(request_iterator),
                        self._application.audio_cutter.cutting(asked.clip, deadline) as cut,
                    ):
                        yield None
                        clip = await cut(file_pieces(request_iterator))
                request = replace(asked, clip=clip)
                deadline = creation_deadline_of(context, request, limits)
                async with aclosing(self._application.creator.create(request, deadline)) as events:
                    async for event in events:
                        yield event

        async with aclosing(with_heartbeats(creation(), limits.heartbeat_seconds)) as events:
            async for event in events:
                if event is None:
                    response = creation_pb2.CreateImageResponse(heartbeat=generation_pb2.Heartbeat())
                else:
                    response = to_event_message(event, session_token=session.new_token)
                yield service_pb2.CreateImageFromUploadResponse(creation=response)

    async def GetImage(
        self, request: service_pb2.GetImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetImageResponse:
        """Return a stored image."""
        image_id = parse_image_id(request.image_id, field="image_id")
        owner = session_of_call(context).owner
        with at_stage(Stage.STORAGE):
            return to_get_image_response(await self._application.store.get(image_id), owner=owner)

    async def DownloadImage(
        self, request: service_pb2.DownloadImageRequest, _context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[service_pb2.DownloadImageResponse]:
        """Yield the file of a stored image in parts, at least one."""
        image_id = parse_image_id(request.image_id, field="image_id")
        with at_stage(Stage.STORAGE):
            stored = await self._application.store.get(image_id)
        content = stored.content
        validator = RequestValidator()
        validator.check_range(
            "offset_bytes", request.offset_bytes, minimum=0, maximum=len(content), unit="bytes"
        )
        validator.raise_if_invalid()
        for start in range(request.offset_bytes, max(len(content), request.offset_bytes + 1), _PART_BYTES):
            yield service_pb2.DownloadImageResponse(
                content=content[start : start + _PART_BYTES],
                total_bytes=len(content),
                format=to_format_message(stored.record.format),
            )

    async def ListImages(
        self, request: service_pb2.ListImagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ListImagesResponse:
        """List the caller's images, the newest first."""
        size = page_size_of(request.page_size)
        before = last_seen_of(request.page_token)
        owner = session_of_call(context).owner
        with at_stage(Stage.STORAGE):
            records = await self._application.store.list_owned(owner, limit=size + 1, before=before)
        listed, next_page_token = cut_page(records, size=size, identify=lambda record: record.image_id)
        return service_pb2.ListImagesResponse(
            images=map(to_owned_image_message, listed), next_page_token=next_page_token
        )

    async def DeleteImage(
        self, request: service_pb2.DeleteImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.DeleteImageResponse:
        """Delete an image of the caller."""
        image_id = parse_image_id(request.image_id, field="image_id")
        owner = session_of_call(context).owner
        with at_stage(Stage.STORAGE):
            await self._application.store.delete(image_id, owner=owner)
        return service_pb2.DeleteImageResponse()

    async def PinImage(
        self, request: service_pb2.PinImageRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.PinImageResponse:
        """Pin an image of the caller, or take the pin away."""
        image_id = parse_image_id(request.image_id, field="image_id")
        owner = session_of_call(context).owner
        with at_stage(Stage.STORAGE):
            record = await self._application.store.pin(image_id, owner=owner, is_pinned=not request.unpin)
        return service_pb2.PinImageResponse(image=to_owned_image_message(record))

    async def CompareImages(
        self, request: service_pb2.CompareImagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.CompareImagesResponse:
        """Return how alike two images are."""
        with at_stage(Stage.VALIDATION):
            first = to_image_source(request.first, field="first")
            second = to_image_source(request.second, field="second")
        similarity = await self._application.comparator.compare(first, second, self._deadline(context))
        return service_pb2.CompareImagesResponse(
            score=similarity.score, cosine=similarity.cosine, model=similarity.model
        )

    async def CompareImageMatrix(
        self, request: service_pb2.CompareImageMatrixRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.CompareImageMatrixResponse:
        """Return how alike each of several images is to each other."""
        image_ids = [parse_image_id(text, field="image_ids") for text in request.image_ids]
        matrix = await self._application.matrices.compare(image_ids, self._deadline(context))
        return to_matrix_response(matrix)

    async def SearchImages(
        self, request: service_pb2.SearchImagesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.SearchImagesResponse:
        """Find the caller's images that are most like a given one."""
        image_id = parse_image_id(request.image_id, field="image_id")
        validator = RequestValidator()
        validator.check_range("max_results", request.max_results, minimum=0, maximum=MAX_MATCHES)
        validator.raise_if_invalid()
        matches = await self._application.searcher.search(
            image_id,
            owner=session_of_call(context).owner,
            limit=request.max_results or _DEFAULT_MATCHES,
            deadline=self._deadline(context),
        )
        return service_pb2.SearchImagesResponse(matches=map(to_match_message, matches))

    async def ScoreAlignment(
        self, request: service_pb2.ScoreAlignmentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ScoreAlignmentResponse:
        """Return how well an image fits its audio, or that of another image."""
        image_id = parse_image_id(request.image_id, field="image_id")
        source = parse_image_id(request.audio_of, field="audio_of") if request.audio_of else image_id
        alignment = await self._application.aligner.score(
            image_id,
            audio_of=source,
            owner=session_of_call(context).owner,
            deadline=self._deadline(context),
        )
        return service_pb2.ScoreAlignmentResponse(
            score=alignment.score, cosine=alignment.cosine, model=alignment.model
        )

    def _check_upload(self, asked: CreationRequest) -> None:
        """Check all that can be checked before the file comes."""
        check_upload(asked)
        self._application.creator.check(with_some_content(asked))

    def _deadline(self, context: grpc.aio.ServicerContext[Any, Any]) -> Deadline:
        return deadline_of(context, self._application.limits.comparison_timeout_seconds)

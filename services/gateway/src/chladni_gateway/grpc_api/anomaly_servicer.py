"""`chladni.gateway.v1.AnomalyService`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni.gateway.v1 import anomaly_service_pb2 as service_pb2
from chladni.gateway.v1 import anomaly_service_pb2_grpc as service_grpc
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_gateway.domain.request import check_clip
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.grpc_api.callers.deadlines import deadline_of
from chladni_gateway.grpc_api.requests import to_clip

if TYPE_CHECKING:
    import grpc

    from chladni_gateway.application import Application
    from chladni_gateway.backends.anomaly import AnomalyClient
    from chladni_runtime.execution.deadlines import Deadline


class AnomalyServicer(service_grpc.AnomalyServiceServicer):
    """Offers machine listening over gRPC, in the messages of similarity.

    Args:
        application: What the gateway does.
        client: Where the messages go.
    """

    def __init__(self, application: Application, client: AnomalyClient) -> None:
        self._limits = application.limits
        self._client = client

    async def ScoreAnomaly(
        self, request: service_pb2.ScoreAnomalyRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ScoreAnomalyResponse:
        """Score the distance of audio or of a spectrogram to normal operation."""
        if request.score.HasField("audio"):
            with at_stage(Stage.VALIDATION):
                check_clip(to_clip(request.score.audio), max_audio_bytes=self._limits.max_audio_bytes)
        with at_stage(Stage.SIMILARITY):
            scored = await self._client.score_anomaly(request.score, self._deadline(context))
        return service_pb2.ScoreAnomalyResponse(scored=scored)

    async def CreateNormalSet(
        self, request: service_pb2.CreateNormalSetRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.CreateNormalSetResponse:
        """Learn normal operation."""
        with at_stage(Stage.SIMILARITY):
            made = await self._client.create(
                request.create, deadline_of(context, self._limits.creation_timeout_seconds)
            )
        return service_pb2.CreateNormalSetResponse(normal_set=made.normal_set)

    async def GetNormalSet(
        self, request: service_pb2.GetNormalSetRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.GetNormalSetResponse:
        """Describe a normal set."""
        with at_stage(Stage.SIMILARITY):
            found = await self._client.get(
                anomaly_pb2.GetNormalSetRequest(name=request.name), self._deadline(context)
            )
        return service_pb2.GetNormalSetResponse(normal_set=found.normal_set)

    async def ListNormalSets(
        self, request: service_pb2.ListNormalSetsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.ListNormalSetsResponse:
        """List the normal sets."""
        asked = anomaly_pb2.ListNormalSetsRequest(page_size=request.page_size, page_token=request.page_token)
        with at_stage(Stage.SIMILARITY):
            page = await self._client.list(asked, self._deadline(context))
        return service_pb2.ListNormalSetsResponse(
            normal_sets=page.normal_sets, next_page_token=page.next_page_token
        )

    async def DeleteNormalSet(
        self, request: service_pb2.DeleteNormalSetRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> service_pb2.DeleteNormalSetResponse:
        """Delete a normal set."""
        with at_stage(Stage.SIMILARITY):
            answer = await self._client.delete(
                anomaly_pb2.DeleteNormalSetRequest(name=request.name), self._deadline(context)
            )
        return service_pb2.DeleteNormalSetResponse(deleted=answer.deleted)

    def _deadline(self, context: grpc.aio.ServicerContext[Any, Any]) -> Deadline:
        return deadline_of(context, self._limits.comparison_timeout_seconds)

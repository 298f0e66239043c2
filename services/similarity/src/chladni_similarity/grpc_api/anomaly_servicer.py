"""`chladni.similarity.v1.AnomalyService`: validate, call, convert."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc

from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni_contract.errors import NotOfferedError
from chladni_runtime.server.request_context import cancellation_of
from chladni_similarity.anomaly.detector import AnomalyDetector
from chladni_similarity.grpc_api import anomaly as conversion
from chladni_similarity.images.decoding import ImageLimits

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class AnomalyServicer(anomaly_grpc.AnomalyServiceServicer):
    """Judges machines.

    Args:
        detector: Judges them; `None` if the settings switch it off.
        limits: Limits of one image.
    """

    def __init__(self, detector: AnomalyDetector | None, *, limits: ImageLimits) -> None:
        self._found = detector
        self._limits = limits

    async def ScoreAnomaly(
        self, request: anomaly_pb2.ScoreAnomalyRequest, context: Context
    ) -> anomaly_pb2.ScoreAnomalyResponse:
        """Score the distance of audio or of a spectrogram to normal operation."""
        detector = self._detector()
        query = conversion.to_query(request, self._limits)
        with cancellation_of(context) as token:
            return conversion.score_anomaly_response(await detector.judge(query, token))

    async def CreateNormalSet(
        self, request: anomaly_pb2.CreateNormalSetRequest, context: Context
    ) -> anomaly_pb2.CreateNormalSetResponse:
        """Learn normal operation."""
        detector = self._detector()
        info, sources = conversion.to_new_set(request, self._limits)
        with cancellation_of(context) as token:
            made = await detector.create(info, sources, token, replace=request.replace)
        return anomaly_pb2.CreateNormalSetResponse(normal_set=conversion.to_message(made))

    async def GetNormalSet(
        self, request: anomaly_pb2.GetNormalSetRequest, context: Context
    ) -> anomaly_pb2.GetNormalSetResponse:
        """Describe a normal set."""
        detector = self._detector()
        name = conversion.to_name(request.name)
        with cancellation_of(context) as token:
            info = await detector.get(name, token)
        return anomaly_pb2.GetNormalSetResponse(normal_set=conversion.to_message(info))

    async def ListNormalSets(
        self, request: anomaly_pb2.ListNormalSetsRequest, context: Context
    ) -> anomaly_pb2.ListNormalSetsResponse:
        """List the normal sets."""
        detector = self._detector()
        with cancellation_of(context) as token:
            infos = await detector.list(token)
        return conversion.list_normal_sets_response(request, infos)

    async def DeleteNormalSet(
        self, request: anomaly_pb2.DeleteNormalSetRequest, context: Context
    ) -> anomaly_pb2.DeleteNormalSetResponse:
        """Delete a normal set."""
        detector = self._detector()
        name = conversion.to_name(request.name)
        with cancellation_of(context) as token:
            deleted = await detector.delete(name, token)
        return anomaly_pb2.DeleteNormalSetResponse(deleted=deleted)

    def _detector(self) -> AnomalyDetector:
        if self._found is None:
            raise NotOfferedError(
                "This server does not judge machines; its operator may set CHLADNI_SIMILARITY_NORMAL_SETS."
            )
        return self._found

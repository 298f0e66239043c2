"""The client of similarity's machine listening."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni_gateway.backends.messages import to_clip_message, to_image
from chladni_gateway.domain.anomaly import DeviatingAttribute, Judgement, NormalSet, NormalSetPage
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from chladni_gateway.domain.anomaly import AnomalyQuery, NewNormalSet
    from chladni_runtime.execution.deadlines import Deadline

_LABELS: Final = {
    anomaly_pb2.ANOMALY_LABEL_UNSPECIFIED: "",
    anomaly_pb2.ANOMALY_LABEL_NORMAL: "NORMAL",
    anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE: "NEEDS MAINTENANCE",
    anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY: "SEVERE ANOMALY",
}


class AnomalyClient(BackendClient["anomaly_grpc.AnomalyServiceAsyncStub"]):
    """Judges machines; a `MachineJudge`. The methods that take messages are for the gateway's own gRPC.

    Args:
        target: gRPC target of the service.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="similarity",
            service=anomaly_pb2.DESCRIPTOR.services_by_name["AnomalyService"],
            target=target,
            make_stub=anomaly_grpc.AnomalyServiceStub,
            security=security,
        )

    async def judge(self, query: AnomalyQuery, deadline: Deadline) -> Judgement:
        """Return how far a machine is from normal operation.

        Raises:
            ChladniError: The audio or the image cannot be used, there is no such normal set, or the service
                failed.
        """
        request = anomaly_pb2.ScoreAnomalyRequest(
            normal_set=query.normal_set,
            backend=query.backend,
            shaft_speed_hz=query.shaft_speed_hz,
            with_error_map=query.with_error_map,
        )
        if query.clip is not None:
            request.audio.CopyFrom(to_clip_message(query.clip))
        if query.spectrogram is not None:
            request.spectrogram.content = query.spectrogram
        return _to_judgement(await self.score_anomaly(request, deadline))

    async def create_normal_set(self, new: NewNormalSet, deadline: Deadline) -> NormalSet:
        """Make a normal set.

        Raises:
            ChladniError: The audio cannot be used or is too little, the name is taken, or the service failed.
        """
        request = anomaly_pb2.CreateNormalSetRequest(
            name=new.name,
            description=new.description,
            audio=map(to_clip_message, new.clips),
            spectrograms=[media_pb2.EncodedImage(content=content) for content in new.spectrograms],
            encoder=new.encoder,
            backend=new.backend,
            shaft_speed_hz=new.shaft_speed_hz,
            replace=new.replace,
        )
        return _to_normal_set((await self.create(request, deadline)).normal_set)

    async def get_normal_set(self, name: str, deadline: Deadline) -> NormalSet:
        """Return a normal set.

        Raises:
            ChladniError: There is none of this name, or the service failed.
        """
        response = await self.get(anomaly_pb2.GetNormalSetRequest(name=name), deadline)
        return _to_normal_set(response.normal_set)

    async def list_normal_sets(self, page_size: int, page_token: str, deadline: Deadline) -> NormalSetPage:
        """Return a page of the normal sets.

        Raises:
            ChladniError: The page is none, or the service failed.
        """
        request = anomaly_pb2.ListNormalSetsRequest(page_size=page_size, page_token=page_token)
        response = await self.list(request, deadline)
        return NormalSetPage(tuple(map(_to_normal_set, response.normal_sets)), response.next_page_token)

    async def delete_normal_set(self, name: str, deadline: Deadline) -> bool:
        """Delete a normal set; return whether there was one.

        Raises:
            ChladniError: The service failed.
        """
        return (await self.delete(anomaly_pb2.DeleteNormalSetRequest(name=name), deadline)).deleted

    async def score_anomaly(
        self, request: anomaly_pb2.ScoreAnomalyRequest, deadline: Deadline
    ) -> anomaly_pb2.ScoreAnomalyResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.ScoreAnomaly, request, deadline)

    async def create(
        self, request: anomaly_pb2.CreateNormalSetRequest, deadline: Deadline
    ) -> anomaly_pb2.CreateNormalSetResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.CreateNormalSet, request, deadline)

    async def get(
        self, request: anomaly_pb2.GetNormalSetRequest, deadline: Deadline
    ) -> anomaly_pb2.GetNormalSetResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.GetNormalSet, request, deadline)

    async def list(
        self, request: anomaly_pb2.ListNormalSetsRequest, deadline: Deadline
    ) -> anomaly_pb2.ListNormalSetsResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.ListNormalSets, request, deadline)

    async def delete(
        self, request: anomaly_pb2.DeleteNormalSetRequest, deadline: Deadline
    ) -> anomaly_pb2.DeleteNormalSetResponse:
        """Return the service's answer to a message."""
        return await self.ask(lambda stub: stub.DeleteNormalSet, request, deadline)


def _to_judgement(response: anomaly_pb2.ScoreAnomalyResponse) -> Judgement:
    return Judgement(
        label=_LABELS.get(response.label, ""),
        score=response.score,
        distance=response.distance,
        percentile=response.percentile,
        normal_set=response.normal_set,
        backend=response.backend,
        window_count=response.window_count,
        attributes=tuple(
            DeviatingAttribute(
                name=item.name,
                z_score=item.z_score,
                description=item.description,
                value=item.value,
                normal_mean=item.normal_mean,
                normal_deviation=item.normal_deviation,
                unit=item.unit,
            )
            for item in response.attributes
        ),
        error_map=to_image(response.error_map) if response.HasField("error_map") else None,
    )


def _to_normal_set(message: anomaly_pb2.NormalSet) -> NormalSet:
    return NormalSet(
        name=message.name,
        description=message.description,
        clip_count=message.clip_count,
        window_count=message.window_count,
        encoder=message.encoder,
        backend=message.backend,
        shaft_speed_hz=message.shaft_speed_hz if message.HasField("shaft_speed_hz") else None,
        audio_seconds=(
            message.audio_duration.ToMilliseconds() / 1000 if message.HasField("audio_duration") else None
        ),
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
    )

"""Machine listening whose answers follow from the bytes that come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import anomaly_service_pb2_grpc as anomaly_grpc
from chladni_contract.errors import InvalidInputError, NotFoundError, Reason
from chladni_fakes.images import solid_png

if TYPE_CHECKING:
    from chladni_contract.errors import ChladniError


class ScriptedAnomaly(anomaly_grpc.AnomalyServiceServicer):
    """Judges machines by plain attributes.

    Attributes:
        error: Raised by every call, if set.
        score: Score of everything.
        questions: Every question so far.
        normal_sets: Normal sets by name.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every attribute to its initial value."""
        self.error: ChladniError | None = None
        self.score = 11.5
        self.questions: list[anomaly_pb2.ScoreAnomalyRequest] = []
        self.created: list[anomaly_pb2.CreateNormalSetRequest] = []
        self.normal_sets: dict[str, anomaly_pb2.NormalSet] = {}

    async def ScoreAnomaly(
        self, request: anomaly_pb2.ScoreAnomalyRequest, _context: Any
    ) -> anomaly_pb2.ScoreAnomalyResponse:
        self._check()
        self.questions.append(request)
        is_normal, is_severe = self.score < 9, self.score >= 15
        label = (
            anomaly_pb2.ANOMALY_LABEL_NORMAL
            if is_normal
            else anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY
            if is_severe
            else anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE
        )
        response = anomaly_pb2.ScoreAnomalyResponse(
            distance=self.score / 2,
            score=self.score,
            label=label,
            percentile=99.5,
            normal_set=request.normal_set or "default",
            backend=request.backend or "fusion",
            window_count=1,
            attributes=[
                anomaly_pb2.DeviatingAttribute(
                    name="roughness",
                    z_score=4.5,
                    description="Rougher than normal.",
                    value=0.3,
                    normal_mean=0.1,
                    normal_deviation=0.04,
                    unit="1",
                )
            ],
        )
        if request.with_error_map:
            response.error_map.CopyFrom(
                media_pb2.EncodedImage(
                    content=solid_png(224, 224, (200, 30, 10)),
                    format=media_pb2.IMAGE_FORMAT_PNG,
                    width_pixels=224,
                    height_pixels=224,
                )
            )
        return response

    async def CreateNormalSet(
        self, request: anomaly_pb2.CreateNormalSetRequest, _context: Any
    ) -> anomaly_pb2.CreateNormalSetResponse:
        self._check()
        self.created.append(request)
        made = anomaly_pb2.NormalSet(
            name=request.name,
            description=request.description,
            clip_count=len(request.audio) + len(request.spectrograms),
            window_count=32,
            encoder=request.encoder or "mel-statistics",
            backend=request.backend or "fusion",
        )
        if request.HasField("shaft_speed_hz"):
            made.shaft_speed_hz = request.shaft_speed_hz
        if request.audio:
            made.audio_duration.FromSeconds(10 * len(request.audio))
        made.create_time.FromSeconds(1_800_000_000)
        self.normal_sets[request.name] = made
        return anomaly_pb2.CreateNormalSetResponse(normal_set=made)

    async def GetNormalSet(
        self, request: anomaly_pb2.GetNormalSetRequest, _context: Any
    ) -> anomaly_pb2.GetNormalSetResponse:
        self._check()
        if request.name not in self.normal_sets:
            raise NotFoundError(Reason.UNKNOWN_NORMAL_SET, f"There is no normal set {request.name!r}.")
        return anomaly_pb2.GetNormalSetResponse(normal_set=self.normal_sets[request.name])

    async def ListNormalSets(
        self, request: anomaly_pb2.ListNormalSetsRequest, _context: Any
    ) -> anomaly_pb2.ListNormalSetsResponse:
        self._check()
        names = sorted(self.normal_sets)
        if request.page_token and not request.page_token.isdecimal():
            raise InvalidInputError(Reason.INVALID_FIELD, "page_token is none.", field="page_token")
        first = int(request.page_token or 0)
        size = request.page_size or 50
        return anomaly_pb2.ListNormalSetsResponse(
            normal_sets=[self.normal_sets[name] for name in names[first : first + size]],
            next_page_token=str(first + size) if len(names) > first + size else "",
        )

    async def DeleteNormalSet(
        self, request: anomaly_pb2.DeleteNormalSetRequest, _context: Any
    ) -> anomaly_pb2.DeleteNormalSetResponse:
        self._check()
        return anomaly_pb2.DeleteNormalSetResponse(
            deleted=self.normal_sets.pop(request.name, None) is not None
        )

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

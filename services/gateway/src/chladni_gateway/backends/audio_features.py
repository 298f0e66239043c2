"""The client of audio-features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_gateway.backends.clients import BackendClient, CallOptions
from chladni_gateway.backends.conversion import to_sound_features

if TYPE_CHECKING:
    from chladni_gateway.recordings import Recording, SoundFeatures
    from chladni_runtime.deadlines import Deadline

_SERVICE: Final = audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"]


class AudioFeaturesClient(BackendClient["audio_grpc.AudioFeatureServiceAsyncStub"]):
    """Analyses recordings; a `SoundAnalyzer`.

    Args:
        target: gRPC target of the service.
    """

    def __init__(self, target: str) -> None:
        super().__init__(
            name="audio-features",
            service=_SERVICE,
            target=target,
            make_stub=audio_grpc.AudioFeatureServiceStub,
        )

    async def analyze(self, recording: Recording, deadline: Deadline) -> SoundFeatures:
        """Returns descriptors and embedding of a recording.

        Raises:
            ChladniError: The recording cannot be used, or the service failed.
        """
        request = audio_pb2.ExtractFeaturesRequest(
            audio=media_pb2.AudioClip(content=recording.content, display_name=recording.name),
            features=(audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING),
        )
        async with self._call(deadline) as (stub, options):
            response = await stub.ExtractFeatures(request, timeout=options.timeout, metadata=options.metadata)
        return to_sound_features(response)

    async def _get_models(
        self, stub: audio_grpc.AudioFeatureServiceAsyncStub, options: CallOptions
    ) -> audio_pb2.GetModelsResponse:
        return await stub.GetModels(
            audio_pb2.GetModelsRequest(), timeout=options.timeout, metadata=options.metadata
        )

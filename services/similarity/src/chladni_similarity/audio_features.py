"""The client of audio-features: audio files to embeddings, over gRPC."""

from __future__ import annotations

from typing import Final, cast

import numpy as np

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import (
    FIELD_KEY,
    ChladniError,
    FaultError,
    FieldViolation,
    InvalidInputError,
    Reason,
)
from chladni_contract.tensors import to_array
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_similarity.audio import AudioClip, AudioVector

_LONGEST_SECONDS: Final = 30.0
"""How long an analysis may take if the caller set no deadline."""

_THEIR_FIELD: Final = "audio"
"""Path of the clip in a request to audio-features."""


class AudioFeaturesClient(BackendClient["audio_grpc.AudioFeatureServiceAsyncStub"]):
    """Embeds audio files; an `AudioAnalyzer`.

    Args:
        target: gRPC target of the service.
    """

    def __init__(self, target: str) -> None:
        super().__init__(
            name="audio-features",
            service=audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"],
            target=target,
            make_stub=audio_grpc.AudioFeatureServiceStub,
        )

    async def analyze(self, clip: AudioClip, token: CancellationToken) -> AudioVector:
        """Return the embedding of a clip.

        Raises:
            ChladniError: What the service answered with, with paths of this service's own request; or that it
                cannot be reached, had not answered by the deadline, or sent something else.
        """
        request = audio_pb2.ExtractFeaturesRequest(
            audio=_to_message(clip),
            features=[audio_pb2.FEATURE_EMBEDDING],
        )
        is_endless = token.deadline.remaining_seconds is None
        deadline = Deadline.after(_LONGEST_SECONDS) if is_endless else token.deadline
        try:
            async with self.call(deadline) as (stub, options):
                response = await stub.ExtractFeatures(
                    request, timeout=options.timeout, metadata=options.metadata
                )
        except ChladniError as error:
            error.violations = tuple(
                FieldViolation(_own_path(item.field, clip.field), item.description)
                for item in error.violations
            )
            if FIELD_KEY in error.metadata:
                error.metadata[FIELD_KEY] = _own_path(error.metadata[FIELD_KEY], clip.field)
            raise
        return _vector_of(response)


def _to_message(clip: AudioClip) -> media_pb2.AudioClip:
    content = clip.content
    if isinstance(content, bytes):
        return media_pb2.AudioClip(content=content, display_name=clip.name)
    pcm = media_pb2.PcmAudio(
        samples=content.samples, sample_rate_hz=content.sample_rate_hz, channel_count=content.channel_count
    )
    pcm.encoding = cast("media_pb2.PcmEncoding", content.encoding)  # any number travels, known or not
    return media_pb2.AudioClip(pcm=pcm, display_name=clip.name)


def _vector_of(response: audio_pb2.ExtractFeaturesResponse) -> AudioVector:
    embedding = response.embedding
    if embedding.space != DESCRIPTOR_SPACE:
        raise FaultError(
            Reason.INTERNAL,
            f"The service audio-features does not embed in {DESCRIPTOR_SPACE}; is it of another version?",
        )
    try:
        vector: AudioVector = to_array(
            embedding.values, field="embedding", dtype=np.float32, shape=(COMPONENT_COUNT,)
        )
    except InvalidInputError:
        raise FaultError(
            Reason.INTERNAL, "The service audio-features sent an embedding that cannot be used."
        ) from None
    return vector


def _own_path(path: str, field: str) -> str:
    """Return the path of a field of the clip in this service's request."""
    is_clip = path == _THEIR_FIELD or path.startswith(f"{_THEIR_FIELD}.")
    return field + path.removeprefix(_THEIR_FIELD) if is_clip else path

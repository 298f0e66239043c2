"""The client of audio-features: recordings to embeddings, over gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
import numpy as np

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import (
    ChladniError,
    DeadlineExceededError,
    FaultError,
    FieldViolation,
    InvalidInputError,
    QueueFullError,
    Reason,
    UnavailableError,
)
from chladni_contract.status import STATUS_DETAILS_KEY, from_rpc_error
from chladni_contract.tensors import to_array
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.logs import REQUEST_ID
from chladni_runtime.server.interceptor import REQUEST_ID_KEY
from chladni_similarity.sounds import SOUND_DIMENSION, SOUND_SPACE, RecordedSound, SoundVector

_LONGEST_SECONDS: Final = 30.0
"""How long an analysis may take where the caller set no deadline."""

_RETRY_AFTER_SECONDS: Final = 1.0
_THEIR_FIELD: Final = "audio"
"""Path of the recording in a request to audio-features."""

_SERVICE: Final = audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"].full_name
_SERVICE_CONFIG: Final = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{"service": _SERVICE}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "0.5s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}
_CHANNEL_OPTIONS: Final[list[tuple[str, Any]]] = [
    ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.dns_min_time_between_resolutions_ms", 1000),
    ("grpc.max_send_message_length", -1),  # What the caller might send to this service is bounded already.
    # The service is a neighbour; a proxy that the environment names is for the world outside.
    ("grpc.enable_http_proxy", 0),
]


@asynccontextmanager
async def audio_features_client(target: str) -> AsyncIterator[AudioFeaturesClient]:
    """Gives a client of the service at a gRPC target; connects on the first call."""
    async with grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS) as channel:
        yield AudioFeaturesClient(audio_grpc.AudioFeatureServiceStub(channel))


class AudioFeaturesClient:
    """Embeds recordings; a `SoundAnalyzer`.

    Args:
        stub: Stub of the service.
    """

    def __init__(self, stub: audio_grpc.AudioFeatureServiceAsyncStub) -> None:
        self._stub = stub

    async def analyze(self, recording: RecordedSound, token: CancellationToken) -> SoundVector:
        """Returns the embedding of a recording.

        Raises:
            ChladniError: What the service answered with, with paths of this service's own request; or that it
                cannot be reached, had not answered by the deadline, or sent something else.
        """
        token.deadline.check("before the recording was analysed")
        request = audio_pb2.ExtractFeaturesRequest(
            audio=media_pb2.AudioClip(content=recording.content, display_name=recording.name),
            features=[audio_pb2.FEATURE_EMBEDDING],
        )
        request_id = REQUEST_ID.get()
        remaining_seconds = token.deadline.remaining_seconds
        try:
            response = await self._stub.ExtractFeatures(
                request,
                timeout=_LONGEST_SECONDS if remaining_seconds is None else remaining_seconds,
                metadata=((REQUEST_ID_KEY, request_id),) if request_id else (),
            )
        except grpc.aio.AioRpcError as error:
            raise _translated(error, recording.field) from error
        return _vector_of(response)


def _vector_of(response: audio_pb2.ExtractFeaturesResponse) -> SoundVector:
    embedding = response.embedding
    if embedding.space != SOUND_SPACE:
        raise FaultError(
            Reason.INTERNAL,
            f"The service audio-features does not embed in {SOUND_SPACE}; is it of another version?",
        )
    try:
        vector: SoundVector = to_array(
            embedding.values, field="embedding", dtype=np.float32, shape=(SOUND_DIMENSION,)
        )
    except InvalidInputError:
        raise FaultError(
            Reason.INTERNAL, "The service audio-features sent an embedding that cannot be used."
        ) from None
    return vector


def _translated(error: grpc.aio.AioRpcError, field: str) -> ChladniError:
    """Returns the service's own error, or, where gRPC itself failed, one without addresses in it."""
    metadata: Any = error.trailing_metadata() or ()
    if STATUS_DETAILS_KEY in dict(metadata):
        known = from_rpc_error(error)
        known.violations = tuple(
            FieldViolation(_own_path(item.field, field), item.description) for item in known.violations
        )
        return known
    match error.code():
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return DeadlineExceededError("The deadline passed before audio-features had answered.")
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return UnavailableError(
                Reason.BACKEND_UNAVAILABLE,
                "The service audio-features cannot be reached. Try again shortly, or send an embedding.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return QueueFullError(
                "The service audio-features has too much to do. Try again later.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        case _:
            return FaultError(Reason.INTERNAL, "The service audio-features failed unexpectedly.")


def _own_path(path: str, field: str) -> str:
    """Returns the path of a field of the recording in this service's request."""
    is_recording = path == _THEIR_FIELD or path.startswith(f"{_THEIR_FIELD}.")
    return field + path.removeprefix(_THEIR_FIELD) if is_recording else path

"""The client of audio-features: audio files to embeddings and spectrograms, over gRPC."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import numpy as np
from google.protobuf.duration_pb2 import Duration

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
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity
from chladni_similarity.anomaly.windows import (
    ENVELOPE_BAND_COUNT,
    ENVELOPE_FFT_SIZE,
    ENVELOPE_HOP_LENGTH,
    FFT_SIZE,
    HOP_LENGTH,
    MAX_FREQUENCY_HZ,
    MEL_BIN_COUNT,
    SAMPLE_RATE_HZ,
    Levels,
    Spectrogram,
)
from chladni_similarity.audio import AudioClip, AudioVector

_LONGEST_SECONDS: Final = 30.0
"""How long an analysis may take if the caller set no deadline."""

_MAX_DURATION_SECONDS: Final = 315_576_000_000.0
"""What `google.protobuf.Duration` allows."""

_THEIR_FIELD: Final = "audio"
"""Path of the clip in a request to audio-features."""


class AudioFeaturesClient(BackendClient["audio_grpc.AudioFeatureServiceAsyncStub"]):
    """Embeds audio files and makes their spectrograms; an `AudioAnalyzer` and a `SpectrogramMaker`.

    Args:
        target: gRPC target of the service.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="audio-features",
            service=audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"],
            target=target,
            make_stub=audio_grpc.AudioFeatureServiceStub,
            security=security,
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
        return _vector_of(await self._extract(request, clip, token))

    async def mel_spectrogram(self, clip: AudioClip, token: CancellationToken) -> Spectrogram:
        """Return the mel spectrogram of a clip, and its envelopes.

        Raises:
            ChladniError: As `analyze`.
        """
        message = _to_message(clip)
        levels, envelopes = await asyncio.gather(
            self._log_mel(
                message, clip, token, bin_count=MEL_BIN_COUNT, fft_size=FFT_SIZE, hop_length=HOP_LENGTH
            ),
            self._log_mel(
                message,
                clip,
                token,
                bin_count=ENVELOPE_BAND_COUNT,
                fft_size=ENVELOPE_FFT_SIZE,
                hop_length=ENVELOPE_HOP_LENGTH,
            ),
        )
        return Spectrogram(levels, envelopes)

    async def _log_mel(
        self,
        message: media_pb2.AudioClip,
        clip: AudioClip,
        token: CancellationToken,
        *,
        bin_count: int,
        fft_size: int,
        hop_length: int,
    ) -> Levels:
        request = audio_pb2.ExtractFeaturesRequest(
            audio=message,
            features=[audio_pb2.FEATURE_LOG_MEL],
            mel=audio_pb2.MelOptions(
                sample_rate_hz=SAMPLE_RATE_HZ,
                fft_size=fft_size,
                hop_length=hop_length,
                mel_bin_count=bin_count,
                max_frequency_hz=MAX_FREQUENCY_HZ,
            ),
        )
        response = await self._extract(request, clip, token)
        try:
            levels: Levels = to_array(
                response.log_mel, field="log_mel", dtype=np.float32, shape=(bin_count, None)
            )
        except InvalidInputError:
            levels = np.zeros((bin_count, 0), np.float32)
        if levels.shape[1] == 0:
            raise FaultError(
                Reason.INTERNAL, "The service audio-features sent a spectrogram that cannot be used."
            )
        return levels

    async def _extract(
        self, request: audio_pb2.ExtractFeaturesRequest, clip: AudioClip, token: CancellationToken
    ) -> audio_pb2.ExtractFeaturesResponse:
        is_endless = token.deadline.remaining_seconds is None
        deadline = Deadline.after(_LONGEST_SECONDS) if is_endless else token.deadline
        try:
            async with self.call(deadline) as (stub, options):
                return await stub.ExtractFeatures(request, timeout=options.timeout, metadata=options.metadata)
        except ChladniError as error:
            error.violations = tuple(
                FieldViolation(_own_path(item.field, clip.field), item.description)
                for item in error.violations
            )
            if FIELD_KEY in error.metadata:
                error.metadata[FIELD_KEY] = _own_path(error.metadata[FIELD_KEY], clip.field)
            raise


def _to_message(clip: AudioClip) -> media_pb2.AudioClip:
    message = media_pb2.AudioClip(display_name=clip.name)
    if clip.start_seconds is not None:
        _set_duration(message.start, clip.start_seconds)
    if clip.end_seconds is not None:
        _set_duration(message.end, clip.end_seconds)
    content = clip.content
    if isinstance(content, bytes):
        message.content = content
        return message
    pcm = media_pb2.PcmAudio(
        samples=content.samples, sample_rate_hz=content.sample_rate_hz, channel_count=content.channel_count
    )
    pcm.encoding = cast("media_pb2.PcmEncoding", content.encoding)  # any number travels, known or not
    message.pcm.CopyFrom(pcm)
    return message


def _set_duration(message: Duration, seconds: float) -> None:
    """Set a length of time; one that no duration can be becomes the longest, which the service refuses."""
    message.FromNanoseconds(round(min(max(seconds, -_MAX_DURATION_SECONDS), _MAX_DURATION_SECONDS) * 1e9))


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

"""The client of audio-features."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.backends.messages import (
    to_audio_features,
    to_clip_message,
    to_cut_clip,
    to_encoding_message,
    to_extract_request,
    to_image,
    to_live_event,
    to_model_summaries,
)
from chladni_gateway.domain.audio import DEFAULT_FEATURES
from chladni_gateway.domain.images import PNG_ENCODING
from chladni_gateway.domain.live import Flush
from chladni_runtime.client.backend_client import BackendClient
from chladni_runtime.security.credentials import CLEAR_TEXT, ChannelSecurity

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from chladni_gateway.domain.audio import AudioClip, AudioFeatures, FeatureSelection
    from chladni_gateway.domain.images import Image, ImageEncoding
    from chladni_gateway.domain.live import LiveChunk, LiveEvent
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import Cut, SpectrogramSize
    from chladni_runtime.execution.deadlines import Deadline

RequestT = TypeVar("RequestT")

_SERVICE: Final = audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"]
_PIECE_BYTES: Final = 2**20
_LAST_PIECE_SECONDS: Final = 2.0
"""Time for one more piece of a file that the service has refused. After waiting for one has been given up, no
others can be read, which clients that go on sending need."""


class AudioFeaturesClient(BackendClient["audio_grpc.AudioFeatureServiceAsyncStub"]):
    """Analyses and draws sound; an `AudioAnalyzer`, a `SpectrogramRenderer` and a `LiveAnalyzer`.

    Args:
        target: gRPC target of the service.
        security: What the connection is secured by.
    """

    def __init__(self, target: str, *, security: ChannelSecurity = CLEAR_TEXT) -> None:
        super().__init__(
            name="audio-features",
            service=_SERVICE,
            target=target,
            make_stub=audio_grpc.AudioFeatureServiceStub,
            security=security,
        )

    async def analyze(
        self, clip: AudioClip, deadline: Deadline, *, selection: FeatureSelection = DEFAULT_FEATURES
    ) -> AudioFeatures:
        """Return the descriptors of a clip and what is selected; the clip is sent and decoded once.

        Raises:
            ChladniError: The clip cannot be used, no calibration fits the latents, or the service failed.
        """
        request = to_extract_request(clip, selection)
        async with self.call(deadline) as (stub, options):
            response = await stub.ExtractFeatures(request, timeout=options.timeout, metadata=options.metadata)
        if len(response.further_embeddings) != len(selection.further_embedding_models):
            raise ChladniError(
                Reason.NOT_IMPLEMENTED,
                f"The service {self.name} cannot embed a clip by several models in one call. Update it.",
            )
        features = to_audio_features(response)
        if clip.source is None:
            return features
        return replace(features, audio=clip.source.audio, warnings=clip.source.warnings + features.warnings)

    @asynccontextmanager
    async def cutting(self, clip: AudioClip, deadline: Deadline) -> AsyncIterator[Cut]:
        """Yield, once the service is ready, what takes a file in pieces and returns the part of it.

        Args:
            clip: Says which part it is, and how the file is called; without content.
            deadline: When it must be done.

        Raises:
            ChladniError: The file or the part cannot be used, or the service failed.
        """
        message = to_clip_message(clip)
        config = audio_pb2.CutConfig(
            start=message.start if message.HasField("start") else None,
            end=message.end if message.HasField("end") else None,
        )
        async with self.call(deadline) as (stub, options):
            call: Any = stub.CutAudio(None, timeout=options.timeout, metadata=options.metadata)

            async def cut(pieces: AsyncIterator[bytes]) -> AudioClip:
                reading = asyncio.create_task(_read_cut(call, clip))
                sending = asyncio.create_task(send_all(_cut_requests(pieces), call))
                try:
                    await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
                    if reading.done():  # The service wants no more, while the sender may be waiting.
                        await asyncio.wait({sending}, timeout=_LAST_PIECE_SECONDS)
                    else:
                        await sending
                    return await reading
                finally:
                    sending.cancel()
                    reading.cancel()
                    await asyncio.gather(sending, reading, return_exceptions=True)

            try:
                await call.write(audio_pb2.CutAudioRequest(config=config))
                await call.read()
                yield cut
            except asyncio.InvalidStateError:  # The call had ended before a piece was sent.
                await call.read()
                raise
            finally:
                call.cancel()

    async def render(
        self,
        clip: AudioClip,
        size: SpectrogramSize,
        deadline: Deadline,
        *,
        encoding: ImageEncoding = PNG_ENCODING,
    ) -> Image:
        """Return the spectrogram of a recording.

        Raises:
            ChladniError: The recording cannot be used, or the service failed.
        """
        request = audio_pb2.RenderSpectrogramRequest(
            audio=to_clip_message(clip),
            width_pixels=size.width_pixels,
            height_pixels=size.height_pixels,
            encoding=to_encoding_message(encoding),
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.RenderSpectrogram(
                request, timeout=options.timeout, metadata=options.metadata
            )
        return to_image(response.image)

    async def stream(
        self, sample_rate_hz: int, chunks: AsyncIterator[LiveChunk], deadline: Deadline
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yield mel frames while sound comes, and a summary; closing the generator cancels the call.

        Raises:
            ChladniError: The sound cannot be used, or the service failed.
        """
        requests = _live_requests(sample_rate_hz, chunks)
        async with aclosing(self.forward_stream(requests, deadline)) as responses:
            async for response in responses:
                if event := to_live_event(response, sender=self.name):
                    yield event

    async def forward_rendering(
        self, request: audio_pb2.RenderSpectrogramRequest, deadline: Deadline
    ) -> audio_pb2.RenderSpectrogramResponse:
        """Return the service's answer to a request for a spectrogram.

        Raises:
            ChladniError: The clip cannot be used, or the service failed.
        """
        async with self.call(deadline) as (stub, options):
            return await stub.RenderSpectrogram(request, timeout=options.timeout, metadata=options.metadata)

    async def forward_stream(
        self, requests: AsyncIterator[audio_pb2.StreamFeaturesRequest], deadline: Deadline
    ) -> AsyncGenerator[audio_pb2.StreamFeaturesResponse, None]:
        """Yield the service's answers to the messages of live audio; closing the generator cancels the call.

        Raises:
            ChladniError: The audio cannot be used, or the service failed.
        """
        async with self.call(deadline) as (stub, options):
            call = stub.StreamFeatures(None, timeout=options.timeout, metadata=options.metadata)
            # A task of our own, because gRPC forgets the one that it makes of an iterator when a call fails.
            sending = asyncio.create_task(send_all(requests, call))
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()  # Does nothing if the call has ended.
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Return the models of the service.

        Raises:
            ChladniError: The service failed, or does not offer the call.
        """
        request = audio_pb2.ListModelsRequest()
        async with self.call(deadline) as (stub, options):
            response = await stub.ListModels(request, timeout=options.timeout, metadata=options.metadata)
        return to_model_summaries(response)


async def send_all(requests: AsyncIterator[RequestT], call: grpc.aio.StreamStreamCall[RequestT, Any]) -> None:
    """Send requests as they come; if the call ends before them, its reader gets the reason."""
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        async for request in requests:
            await call.write(request)
        await call.done_writing()


async def _cut_requests(pieces: AsyncIterator[bytes]) -> AsyncGenerator[audio_pb2.CutAudioRequest, None]:
    async for piece in pieces:
        for start in range(0, len(piece), _PIECE_BYTES):
            yield audio_pb2.CutAudioRequest(content=piece[start : start + _PIECE_BYTES])


async def _read_cut(call: Any, clip: AudioClip) -> AudioClip:
    found, samples = audio_pb2.AudioCut(), bytearray()
    while response := await call.read():  # Else the end of the call.
        if response.WhichOneof("event") == "cut":
            found = response.cut
        samples += response.samples
    return to_cut_clip(clip, found, bytes(samples))


async def _live_requests(
    sample_rate_hz: int, chunks: AsyncIterator[LiveChunk]
) -> AsyncGenerator[audio_pb2.StreamFeaturesRequest, None]:
    config = audio_pb2.PcmConfig(
        sample_rate_hz=sample_rate_hz, channel_count=1, encoding=media_pb2.PCM_ENCODING_INT16
    )
    yield audio_pb2.StreamFeaturesRequest(config=config)
    async for chunk in chunks:
        if isinstance(chunk, Flush):
            yield audio_pb2.StreamFeaturesRequest(flush=audio_pb2.Flush())
        else:
            yield audio_pb2.StreamFeaturesRequest(pcm=chunk)

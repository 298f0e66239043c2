"""The client of audio-features."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_gateway.backends.messages import (
    LATENT_BASES,
    to_audio_features,
    to_embedding,
    to_image,
    to_initial_latents,
    to_live_event,
    to_model_summaries,
)
from chladni_runtime.client.backend_client import BackendClient

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from chladni_gateway.domain.audio import AudioClip, AudioFeatures, Embedding, InitialLatents, LatentBasis
    from chladni_gateway.domain.images import Image
    from chladni_gateway.domain.live import LiveEvent
    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import SpectrogramSize
    from chladni_runtime.execution.deadlines import Deadline


_SERVICE: Final = audio_pb2.DESCRIPTOR.services_by_name["AudioFeatureService"]


class AudioFeaturesClient(BackendClient["audio_grpc.AudioFeatureServiceAsyncStub"]):
    """Analyses and draws sound; a `AudioAnalyzer`, a `SpectrogramRenderer` and a `LiveAnalyzer`.

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

    async def analyze(
        self, clip: AudioClip, deadline: Deadline, *, embedding_model: str = ""
    ) -> AudioFeatures:
        """Returns descriptors and embedding of a recording; the default model's where none is named.

        Raises:
            ChladniError: The recording cannot be used, or the service failed.
        """
        features = (audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING)
        return to_audio_features(
            await self._extract(clip, deadline, features=features, embedding_model=embedding_model)
        )

    async def embed(self, clip: AudioClip, model: str, deadline: Deadline) -> Embedding:
        """Returns the embedding of a recording by a model.

        Raises:
            ChladniError: The recording cannot be used, or the service failed.
        """
        features = (audio_pb2.FEATURE_EMBEDDING,)
        response = await self._extract(clip, deadline, features=features, embedding_model=model)
        return to_embedding(response.embedding)

    async def initial_latents(
        self, clip: AudioClip, shape: tuple[int, ...], basis: LatentBasis, deadline: Deadline
    ) -> InitialLatents:
        """Returns initial latents of the shape (C, H, W) made from a recording's mel spectrogram.

        Raises:
            ChladniError: The recording cannot be used, no calibration fits the shape, or the service failed.
        """
        options = audio_pb2.InitialLatentsOptions(shape=shape, basis=LATENT_BASES[basis])
        features = (audio_pb2.FEATURE_INITIAL_LATENTS,)
        response = await self._extract(clip, deadline, features=features, initial_latents=options)
        return to_initial_latents(response)

    async def render(self, clip: AudioClip, size: SpectrogramSize, deadline: Deadline) -> Image:
        """Returns the spectrogram of a recording, as PNG.

        Raises:
            ChladniError: The recording cannot be used, or the service failed.
        """
        request = audio_pb2.RenderSpectrogramRequest(
            audio=media_pb2.AudioClip(content=clip.content, display_name=clip.name),
            width_pixels=size.width_pixels,
            height_pixels=size.height_pixels,
        )
        async with self.call(deadline) as (stub, options):
            response = await stub.RenderSpectrogram(
                request, timeout=options.timeout, metadata=options.metadata
            )
        return to_image(response.image)

    async def stream(
        self, sample_rate_hz: int, chunks: AsyncIterator[bytes], deadline: Deadline
    ) -> AsyncGenerator[LiveEvent, None]:
        """Yields mel frames while sound comes, and a summary; closing the generator cancels the call.

        Raises:
            ChladniError: The sound cannot be used, or the service failed.
        """
        async with self.call(deadline) as (stub, options):
            call = stub.StreamFeatures(None, timeout=options.timeout, metadata=options.metadata)
            # A task of our own, because gRPC forgets the one that it makes of an iterator when a call fails.
            sending = asyncio.create_task(_send(_live_requests(sample_rate_hz, chunks), call))
            try:
                async for response in call:
                    if event := to_live_event(response, sender=self.name):
                        yield event
            finally:
                call.cancel()  # Does nothing where the call has ended.
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _extract(
        self, clip: AudioClip, deadline: Deadline, **fields: Any
    ) -> audio_pb2.ExtractFeaturesResponse:
        audio = media_pb2.AudioClip(content=clip.content, display_name=clip.name)
        request = audio_pb2.ExtractFeaturesRequest(audio=audio, **fields)
        async with self.call(deadline) as (stub, options):
            return await stub.ExtractFeatures(request, timeout=options.timeout, metadata=options.metadata)

    async def models(self, deadline: Deadline) -> tuple[ModelSummary, ...]:
        """Return the models of the service.

        Raises:
            ChladniError: The service failed, or does not offer the call.
        """
        request = audio_pb2.GetModelsRequest()
        async with self.call(deadline) as (stub, options):
            response = await stub.GetModels(request, timeout=options.timeout, metadata=options.metadata)
        return to_model_summaries(response)


async def _send(
    requests: AsyncIterator[audio_pb2.StreamFeaturesRequest],
    call: grpc.aio.StreamStreamCall[audio_pb2.StreamFeaturesRequest, Any],
) -> None:
    """Sends requests as they come; where the call ends before them, whoever reads from it learns why."""
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        async for request in requests:
            await call.write(request)
        await call.done_writing()


async def _live_requests(
    sample_rate_hz: int, chunks: AsyncIterator[bytes]
) -> AsyncGenerator[audio_pb2.StreamFeaturesRequest, None]:
    config = audio_pb2.PcmConfig(
        sample_rate_hz=sample_rate_hz, channel_count=1, encoding=audio_pb2.PCM_ENCODING_INT16
    )
    yield audio_pb2.StreamFeaturesRequest(config=config)
    async for chunk in chunks:
        yield audio_pb2.StreamFeaturesRequest(pcm=chunk)

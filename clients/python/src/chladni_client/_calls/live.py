"""The stream of a live sound: chunks go in, mel frames come out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TypeAlias

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni_client._messages.audio_results import to_live_event
from chladni_client._messages.requests import to_pcm_config
from chladni_client._transport.connection import Connection
from chladni_client._transport.statuses import translated_errors
from chladni_client.types.live import LiveEvent, PcmFormat

PcmChunks: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


async def live_events(
    connection: Connection, chunks: PcmChunks, pcm: PcmFormat, timeout_seconds: float | None
) -> AsyncGenerator[LiveEvent, None]:
    """Yields what the server makes of a sound; closing the generator cancels the call.

    A sound that has been heard cannot be sent a second time, so nothing is tried again.

    Raises:
        ChladniError: The server refused, or failed.
    """
    stub: audio_grpc.AudioFeatureServiceAsyncStub = audio_grpc.AudioFeatureServiceStub(connection.channel)
    with translated_errors(connection.target):
        call = stub.StreamFeatures(_requests(chunks, pcm), timeout=timeout_seconds)
        try:
            async for response in call:
                event = to_live_event(response)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended


async def _requests(chunks: PcmChunks, pcm: PcmFormat) -> AsyncIterator[audio_pb2.StreamFeaturesRequest]:
    yield audio_pb2.StreamFeaturesRequest(config=to_pcm_config(pcm))
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield audio_pb2.StreamFeaturesRequest(pcm=chunk)
        return
    iterator = iter(chunks)
    while (heard := await asyncio.to_thread(_next_of, iterator)) is not None:
        yield audio_pb2.StreamFeaturesRequest(pcm=heard)


def _next_of(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)

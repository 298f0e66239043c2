"""The streams: events of one creation, and features of live audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from typing import TypeAlias

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni_client._messages.audio_results import to_live_event
from chladni_client._messages.image_results import to_creation_event
from chladni_client._messages.requests import to_pcm_config
from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import Attempts
from chladni_client.errors import FaultError, TemporaryError
from chladni_client.types.events import CreationEvent, ImageCreated, Progress, Retrying, Started
from chladni_client.types.live import LiveEvent, PcmFormat


async def created_events(
    gateway: Connection, request: creation_pb2.CreateImageRequest, attempts: Attempts
) -> AsyncGenerator[CreationEvent, None]:
    """Yield what happens, the image last; closing the generator cancels the call.

    Raises:
        ChladniError: The server refused at last, or failed.
    """
    while True:
        has_started = False
        try:
            async with aclosing(_events_of_one_call(gateway, request, attempts)) as events:
                async for event in events:
                    has_started = has_started or isinstance(event, Started | Progress)
                    yield event
        except TemporaryError as error:
            delay_seconds = None if has_started else attempts.next_delay_seconds(error)
            if delay_seconds is None:
                raise
            yield Retrying(attempts.number, delay_seconds, error)
            await asyncio.sleep(delay_seconds)
        else:
            return


async def _events_of_one_call(
    gateway: Connection, request: creation_pb2.CreateImageRequest, attempts: Attempts
) -> AsyncGenerator[CreationEvent, None]:
    stub: gateway_grpc.ImageServiceAsyncStub = gateway_grpc.ImageServiceStub(gateway.channel)
    is_created = False
    with gateway.calling() as metadata:
        call = stub.CreateImage(request, timeout=attempts.remaining_seconds, metadata=metadata)
        try:
            async for response in call:
                event = to_creation_event(response)
                is_created = is_created or isinstance(event, ImageCreated)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended
    if not is_created:
        raise FaultError("The server ended the stream without an image.", reason="INTERNAL")


PcmChunks: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


async def live_events(
    connection: Connection, chunks: PcmChunks, pcm: PcmFormat, timeout_seconds: float | None
) -> AsyncGenerator[LiveEvent, None]:
    """Yield what the server makes of a sound; closing the generator cancels the call.

    A sound that has been heard cannot be sent a second time, so nothing is tried again.

    Raises:
        ChladniError: The server refused, or failed.
    """
    stub: audio_grpc.AudioFeatureServiceAsyncStub = audio_grpc.AudioFeatureServiceStub(connection.channel)
    with connection.calling() as metadata:
        call = stub.StreamFeatures(_requests(chunks, pcm), timeout=timeout_seconds, metadata=metadata)
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

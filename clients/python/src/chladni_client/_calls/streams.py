"""The streams: events of one creation or one job, the parts of a file, and features of live audio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.gateway.v1 import audio_service_pb2, creation_pb2, job_service_pb2, live_service_pb2
from chladni.gateway.v1 import audio_service_pb2_grpc as gateway_audio_grpc
from chladni.gateway.v1 import image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc
from chladni.gateway.v1 import job_service_pb2_grpc as job_grpc
from chladni.gateway.v1 import live_service_pb2_grpc as live_grpc
from chladni.generation.v1 import moving_pb2
from chladni_client._messages.audio_results import to_live_event, to_live_image
from chladni_client._messages.image_results import to_creation_event
from chladni_client._messages.job_results import to_job_event
from chladni_client._messages.requests import to_pcm_config
from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import Attempts, RetryPolicy
from chladni_client.errors import FaultError, TemporaryError
from chladni_client.files import LargeFile
from chladni_client.types.events import CreationEvent, ImageCreated, Progress, Retrying, Started
from chladni_client.types.jobs import JobEvent, JobEventContent
from chladni_client.types.live import LiveEvent, LiveImage, PcmFormat

EventT = TypeVar("EventT", bound=JobEventContent)
MessageT = TypeVar("MessageT")

_PIECE_BYTES: Final = 512 * 1024


async def created_events(
    gateway: Connection,
    request: creation_pb2.CreateImageRequest,
    attempts: Attempts,
    *,
    file: LargeFile | None = None,
) -> AsyncGenerator[CreationEvent, None]:
    """Yield what happens, the image last; closing the generator cancels the call.

    Args:
        gateway: Connection to the gateway.
        request: What to create.
        attempts: How often to try.
        file: Recording that follows in pieces; `None` if the request holds it.

    Raises:
        ChladniError: The server refused at last, or failed.
    """
    while True:
        has_started = False
        try:
            async with aclosing(_events_of_one_call(gateway, request, attempts, file)) as events:
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
    gateway: Connection,
    request: creation_pb2.CreateImageRequest,
    attempts: Attempts,
    file: LargeFile | None,
) -> AsyncGenerator[CreationEvent, None]:
    stub: gateway_grpc.ImageServiceAsyncStub = gateway_grpc.ImageServiceStub(gateway.channel)
    is_created = False
    with gateway.calling() as metadata:
        call: Any
        is_ready = asyncio.Event()
        if file is None:
            call = stub.CreateImage(request, timeout=attempts.remaining_seconds, metadata=metadata)
        else:
            messages = upload_messages(gateway_pb2.CreateImageFromUploadRequest, request, file, is_ready)
            call = stub.CreateImageFromUpload(messages, timeout=attempts.remaining_seconds, metadata=metadata)
        try:
            async for response in call:
                is_ready.set()
                event = to_creation_event(response if file is None else response.creation)
                is_created = is_created or isinstance(event, ImageCreated)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended
    if not is_created:
        raise FaultError("The server ended the stream without an image.", reason="INTERNAL")


async def upload_messages(
    kind: Callable[..., MessageT],
    request: creation_pb2.CreateImageRequest,
    file: LargeFile,
    is_ready: asyncio.Event | None = None,
    **fields: Any,
) -> AsyncIterator[MessageT]:
    """Yield the messages of an upload: what to create, and the file once the server is ready for it.

    Args:
        kind: Makes a message.
        request: What to create.
        file: The file.
        is_ready: Set when the server is ready; at once if absent.
        **fields: Further fields of the first message.
    """
    yield kind(creation=request, **fields)
    if is_ready is not None:
        await is_ready.wait()
    with file.path.open("rb") as opened:
        while piece := await asyncio.to_thread(opened.read, _PIECE_BYTES):
            yield kind(content=piece)


async def job_events(
    gateway: Connection, job_id: str, after: int, policy: RetryPolicy, timeout_seconds: float | None
) -> AsyncGenerator[JobEvent, None]:
    """Yield the events of a job after a number, the last one last; closing the generator ends the call.

    A lost connection is opened again, and the events go on after the last number seen. The attempts are
    counted from the last event on.

    Raises:
        ChladniError: The server refused at last, or failed.
    """
    attempts = Attempts(policy, timeout_seconds)
    last_number = after
    while True:
        try:
            request = job_service_pb2.WatchJobRequest(job_id=job_id, after_number=last_number)
            async with aclosing(_job_events_of_one_call(gateway, request, attempts)) as events:
                async for event in events:
                    last_number = max(last_number, event.number)
                    attempts.number = 1
                    yield event
                    if event.is_last:
                        return
        except TemporaryError as error:
            await attempts.wait_after(error)
        else:
            return  # the last event has been seen before


async def _job_events_of_one_call(
    gateway: Connection, request: job_service_pb2.WatchJobRequest, attempts: Attempts
) -> AsyncGenerator[JobEvent, None]:
    stub: job_grpc.JobServiceAsyncStub = job_grpc.JobServiceStub(gateway.channel)
    with gateway.calling() as metadata:
        call = stub.WatchJob(request, timeout=attempts.remaining_seconds, metadata=metadata)
        try:
            async for response in call:
                event = to_job_event(response)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended


async def downloaded(gateway: Connection, image_id: str, attempts: Attempts) -> bytes:
    """Return the file of an image, which comes in parts; after a lost connection, the rest of it.

    Raises:
        ChladniError: The server refused at last, or failed.
    """
    content = bytearray()
    stub: gateway_grpc.ImageServiceAsyncStub = gateway_grpc.ImageServiceStub(gateway.channel)
    while True:
        request = gateway_pb2.DownloadImageRequest(image_id=image_id, offset_bytes=len(content))
        total_bytes = None
        try:
            with gateway.calling() as metadata:
                call = stub.DownloadImage(request, timeout=attempts.remaining_seconds, metadata=metadata)
                try:
                    async for response in call:
                        content += response.content
                        total_bytes = response.total_bytes
                finally:
                    call.cancel()  # does nothing to a call that has ended
        except TemporaryError as error:
            await attempts.wait_after(error)
        else:
            if total_bytes != len(content):
                raise FaultError("The server sent another number of bytes than it said.", reason="INTERNAL")
            return bytes(content)


async def with_file(gateway: Connection, event: EventT, attempts: Attempts) -> EventT:
    """Return an event, with the file of the image that it reports if the server left that out.

    Raises:
        ChladniError: The server refused at last, or failed.
    """
    if not isinstance(event, ImageCreated) or event.image.content:
        return event
    content = await downloaded(gateway, event.image.image_id, attempts)
    return replace(event, image=replace(event.image, content=content))


PcmChunks: TypeAlias = Iterable[bytes] | AsyncIterable[bytes]


async def live_events(
    connection: Connection,
    chunks: PcmChunks,
    pcm: PcmFormat,
    timeout_seconds: float | None,
    *,
    is_gateway: bool,
) -> AsyncGenerator[LiveEvent, None]:
    """Yield what the server makes of a sound; closing the generator cancels the call.

    A sound that has been heard cannot be sent a second time, so nothing is tried again.

    Args:
        connection: Connection to the gateway or to the audio-feature service.
        chunks: The sound.
        pcm: What its bytes mean.
        timeout_seconds: Time for the whole sound; `None` for no limit.
        is_gateway: Whether the connection is one to the gateway.

    Raises:
        ChladniError: The server refused, or failed.
    """
    with connection.calling() as metadata:
        requests = _requests(chunks, pcm)
        if is_gateway:
            gateway_stub: gateway_audio_grpc.AudioServiceAsyncStub = gateway_audio_grpc.AudioServiceStub(
                connection.channel
            )
            call: Any = gateway_stub.StreamFeatures(
                _wrapped(requests), timeout=timeout_seconds, metadata=metadata
            )
        else:
            stub: audio_grpc.AudioFeatureServiceAsyncStub = audio_grpc.AudioFeatureServiceStub(
                connection.channel
            )
            call = stub.StreamFeatures(requests, timeout=timeout_seconds, metadata=metadata)
        try:
            async for response in call:
                event = to_live_event(response.stream if is_gateway else response)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended


async def live_images(
    gateway: Connection,
    chunks: PcmChunks,
    config: live_service_pb2.LiveImagesConfig,
    timeout_seconds: float | None,
) -> AsyncGenerator[LiveImage, None]:
    """Yield the newest image of a sound whenever the caller asks for one; closing it cancels the call.

    Args:
        gateway: Connection to the gateway.
        chunks: The sound.
        config: What its bytes mean, and how images are made.
        timeout_seconds: Time for the whole sound; `None` for no limit.

    Raises:
        ChladniError: The server refused, or failed.
    """

    async def requests() -> AsyncIterator[live_service_pb2.StreamImagesRequest]:
        yield live_service_pb2.StreamImagesRequest(config=config)
        async for chunk in _heard(chunks):
            yield live_service_pb2.StreamImagesRequest(pcm=chunk)

    stub: live_grpc.LiveServiceAsyncStub = live_grpc.LiveServiceStub(gateway.channel)
    with gateway.calling() as metadata:
        call: Any = stub.StreamImages(requests(), timeout=timeout_seconds, metadata=metadata)
        ready = moving_pb2.FramesReady()
        try:
            async for response in call:
                if response.HasField("ready"):
                    ready = response.ready
                elif response.HasField("frame"):
                    yield to_live_image(response.frame, ready)
        finally:
            call.cancel()  # does nothing to a call that has ended


async def _wrapped(
    requests: AsyncIterator[audio_pb2.StreamFeaturesRequest],
) -> AsyncIterator[audio_service_pb2.StreamFeaturesRequest]:
    async for request in requests:
        yield audio_service_pb2.StreamFeaturesRequest(stream=request)


async def _requests(chunks: PcmChunks, pcm: PcmFormat) -> AsyncIterator[audio_pb2.StreamFeaturesRequest]:
    yield audio_pb2.StreamFeaturesRequest(config=to_pcm_config(pcm))
    async for chunk in _heard(chunks):
        yield audio_pb2.StreamFeaturesRequest(pcm=chunk)


async def _heard(chunks: PcmChunks) -> AsyncIterator[bytes]:
    """Yield the sound; a plain iterable is advanced on another thread."""
    if isinstance(chunks, AsyncIterable):
        async for chunk in chunks:
            yield chunk
        return
    iterator = iter(chunks)
    while (heard := await asyncio.to_thread(_next_of, iterator)) is not None:
        yield heard


def _next_of(chunks: Iterator[bytes]) -> bytes | None:
    return next(chunks, None)

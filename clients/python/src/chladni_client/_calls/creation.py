"""The stream of one creation, tried again until denoising starts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from chladni.gateway.v1 import audio_to_image_service_pb2 as gateway_pb2
from chladni.gateway.v1 import audio_to_image_service_pb2_grpc as gateway_grpc
from chladni_client._messages.results import EventConversion
from chladni_client._transport.connection import Connection
from chladni_client._transport.retries import Attempts
from chladni_client._transport.statuses import translated_errors
from chladni_client.errors import FaultError, TemporaryError
from chladni_client.types.events import CreationEvent, ImageCreated, Progress, Retrying, Started


async def created_events(
    gateway: Connection, request: gateway_pb2.CreateImageRequest, attempts: Attempts
) -> AsyncGenerator[CreationEvent, None]:
    """Yields what happens, the image last; closing the generator cancels the call.

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
    gateway: Connection, request: gateway_pb2.CreateImageRequest, attempts: Attempts
) -> AsyncGenerator[CreationEvent, None]:
    stub: gateway_grpc.AudioToImageServiceAsyncStub = gateway_grpc.AudioToImageServiceStub(gateway.channel)
    to_event = EventConversion().to_event
    is_created = False
    with translated_errors(gateway.target):
        call = stub.CreateImage(request, timeout=attempts.remaining_seconds, metadata=gateway.metadata)
        try:
            async for response in call:
                event = to_event(response)
                is_created = is_created or isinstance(event, ImageCreated)
                if event is not None:
                    yield event
        finally:
            call.cancel()  # does nothing to a call that has ended
    if not is_created:
        raise FaultError("The server ended the stream without an image.", reason="INTERNAL")

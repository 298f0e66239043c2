"""Honest clients, which record what they see."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from typing import Any, Final

import grpc

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as image_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_robustness.history import End, History, Seen

TIMEOUT_SECONDS: Final = 60.0
_STEPS: Final = (1, 4, 8, 20)
_SEEDS: Final = 4
_SIZE_PIXELS: Final = 256


class Client:
    """Asks a gateway for images, and records what comes.

    Args:
        channel: Channel to the gateway.
        audio: The clip of every request.
    """

    def __init__(self, channel: grpc.aio.Channel, audio: bytes) -> None:
        self.histories: Final[list[History]] = []
        self._stub = image_grpc.ImageServiceStub(channel)
        self._audio = audio

    async def ask(
        self,
        name: str,
        content: str,
        *,
        cancel_after: float | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> History:
        """Ask for an image; return what came.

        Args:
            name: Name of the request, for the report.
            content: What is asked for, as ``steps/seed``.
            cancel_after: Seconds after which the call is cancelled; `None` for never.
            timeout_seconds: Time for the whole call.
        """
        history = History(name, content, started_at=time.monotonic())
        self.histories.append(history)
        steps, seed = map(int, content.split("/"))
        request = creation_pb2.CreateImageRequest(
            audio=media_pb2.AudioClip(content=self._audio),
            options=generation_pb2.GenerationOptions(
                steps=steps,
                seed=seed,
                width_pixels=_SIZE_PIXELS,
                height_pixels=_SIZE_PIXELS,
                bypass_cache=True,
            ),
        )
        call = self._stub.CreateImage(request, timeout=timeout_seconds)
        cancelling = asyncio.create_task(_cancel_later(call, history, cancel_after))
        try:
            async for event in call:
                _record(history, event)
            history.end = End.CREATED
        except grpc.aio.AioRpcError as error:
            is_cancelled = error.code() is grpc.StatusCode.CANCELLED and history.cancelled_at is not None
            history.end = End.CANCELLED if is_cancelled else End.REFUSED
            history.code, history.detail = error.code().name, error.details() or ""
        except asyncio.CancelledError:
            history.end = End.CANCELLED
            if history.cancelled_at is None:
                raise
        finally:
            history.ended_at = time.monotonic()
            cancelling.cancel()
        return history


async def _cancel_later(call: Any, history: History, seconds: float | None) -> None:
    if seconds is not None:
        await asyncio.sleep(seconds)
        history.cancelled_at = time.monotonic()
        call.cancel()


def _record(history: History, event: creation_pb2.CreateImageResponse) -> None:
    name = event.WhichOneof("event") or "none"
    if name == "heartbeat":
        return
    step = event.progress.step if name == "progress" else 0
    history.seen.append(Seen(name, time.monotonic(), step))
    if name == "created":
        history.digest = hashlib.sha256(event.created.file.content).hexdigest()


def draw_content(drawn: random.Random) -> str:
    """Return what to ask for: few different things, so that many are asked for twice."""
    return f"{drawn.choice(_STEPS)}/{drawn.randrange(_SEEDS)}"

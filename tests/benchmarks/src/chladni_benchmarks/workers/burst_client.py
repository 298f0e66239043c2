"""A client that sends many requests for images at once, and notes the first answer of each.

    python -m chladni_benchmarks.workers.burst_client TARGET

Requests are serialised beforehand and answers parsed afterwards, so that the client measures the service and
not itself; several such processes share a burst.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from chladni_benchmarks.services.image_requests import generation_request
from chladni_benchmarks.services.measured_service import CHANNEL_OPTIONS
from chladni_benchmarks.workers.commands import answer_commands
from chladni_contract.status import STATUS_DETAILS_KEY

_METHOD = "/chladni.image.v1.ImageGenerationService/GenerateImage"


@dataclass(slots=True)
class _Outcome:
    """The first answer to a request.

    Attributes:
        seconds: Time until it came.
        code: Status of a call that ended; `None` if an event came.
        trailing_metadata: Trailing metadata of the status.
    """

    seconds: float
    code: grpc.StatusCode | None = None
    trailing_metadata: Any = ()


class BurstClient:
    """Sends requests at once and holds those that are accepted.

    Args:
        target: Address of the service.
    """

    def __init__(self, target: str) -> None:
        self._runner = asyncio.Runner()
        self._channel = self._runner.run(_open(target))
        self._generate = self._channel.unary_stream(  # bytes there, bytes back
            _METHOD, request_serializer=None, response_deserializer=None
        )
        self._calls: list[Any] = []

    def burst(
        self, first_seed: int, count: int, steps: int, start_at: float, timeout_seconds: float
    ) -> list[dict[str, Any]]:
        """Send requests at a moment of the monotonic clock; return the first answer to each.

        Each is a mapping of ``seconds`` from its own start, ``code`` (empty for one that was accepted,
        ``NONE`` without an answer) and ``has_retry_info``.
        """
        requests = [
            generation_request(first_seed + index, steps=steps).SerializeToString() for index in range(count)
        ]
        outcomes = self._runner.run(self._burst(requests, start_at, timeout_seconds))
        return [
            {
                "seconds": timeout_seconds if outcome is None else outcome.seconds,
                "code": "NONE" if outcome is None else outcome.code.name if outcome.code else "",
                "has_retry_info": outcome is not None and _has_retry_info(outcome.trailing_metadata),
            }
            for outcome in outcomes
        ]

    def leave(self) -> None:
        """Cancel the requests that were accepted."""

        async def cancel() -> None:
            for call in self._calls:
                call.cancel()
            self._calls.clear()
            await asyncio.sleep(0.1)

        self._runner.run(cancel())

    async def _burst(
        self, requests: list[bytes], start_at: float, timeout_seconds: float
    ) -> list[_Outcome | None]:
        outcomes: list[_Outcome | None] = [None] * len(requests)

        async def send(index: int) -> None:
            started_at = time.monotonic()
            call = self._generate(requests[index])
            self._calls.append(call)
            try:
                await call.read()
                outcomes[index] = _Outcome(time.monotonic() - started_at)
            except grpc.aio.AioRpcError as error:
                seconds = time.monotonic() - started_at
                outcomes[index] = _Outcome(seconds, error.code(), error.trailing_metadata())

        await asyncio.sleep(max(0.0, start_at - time.monotonic()))
        tasks = []
        for index in range(len(requests)):
            tasks.append(asyncio.create_task(send(index)))
            await asyncio.sleep(0)  # lets it start now, and lets answers be noted as they come
        answered, unanswered = await asyncio.wait(tasks, timeout=timeout_seconds)
        for task in unanswered:
            task.cancel()
        for task in answered:
            task.result()  # raises what went wrong in this client
        return outcomes


async def _open(target: str) -> grpc.aio.Channel:
    channel = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    await channel.channel_ready()
    return channel


def _has_retry_info(trailing_metadata: Any) -> bool:
    for key, value in trailing_metadata or ():
        if key == STATUS_DETAILS_KEY:
            status = status_pb2.Status.FromString(value)
            return any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in status.details)
    return False


def main() -> None:
    """Connect and answer commands."""
    client = BurstClient(sys.argv[1])
    answer_commands({"burst": client.burst, "leave": client.leave})


if __name__ == "__main__":
    main()

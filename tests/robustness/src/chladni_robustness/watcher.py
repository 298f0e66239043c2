"""What is looked at beside the clients: health, queues, memory and descriptors of the services."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from contextlib import suppress
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_robustness.processes import SERVICES, Usage, growth_of, usage_of

if TYPE_CHECKING:
    from chladni_local.cluster import LocalCluster

MAX_QUEUED: Final = 256
"""Requests that wait in image generation at most, by its setting's default."""
_INTERVAL_SECONDS: Final = 0.3
_CALL_SECONDS: Final = 2.0
_SETTLED_SECONDS: Final = 15.0
"""Time of serving after which a process should not grow any more: caches are filled, threads have memory."""
_QUEUED: Final = re.compile(r"^chladni_generations_queued (\S+)$", re.MULTILINE)


class Watcher:
    """Looks at the services of a cluster again and again, and keeps what is wrong.

    Args:
        cluster: The services.
        patience: Factor of the limits of time, for machines that are slow.
    """

    def __init__(self, cluster: LocalCluster, *, patience: float = 1.0) -> None:
        self._cluster = cluster
        self._settled_seconds = patience * _SETTLED_SECONDS
        self._serving_since: dict[int, float] = {}
        self._settled: dict[int, Usage] = {}
        self.look_count = 0
        self.faults: Final[list[str]] = []

    async def watch(self) -> None:
        """Look until the task is cancelled."""
        while True:
            await self._look()
            await asyncio.sleep(_INTERVAL_SECONDS)

    def growth(self) -> list[str]:
        """Return what has grown too much, in words, of each process that has been settled and still runs."""
        after = {
            name: usage
            for name, usage in usage_of(self._cluster).items()
            if usage.process_id in self._settled
        }
        return growth_of({name: self._settled[usage.process_id] for name, usage in after.items()}, after)

    async def _look(self) -> None:
        self.look_count += 1
        for name in SERVICES:
            process_id = self._cluster.process(name).pid
            is_serving, refusal = await _ask(self._cluster.target(name), name)
            if not is_serving or self._cluster.process(name).pid != process_id:
                continue
            if refusal:
                self.faults.append(f"{name} said SERVING and then refused a call: {refusal}")
            self._note_usage(name, process_id)
        queued = await asyncio.to_thread(_queued, self._cluster.address("image-generation", "metrics"))
        if queued > MAX_QUEUED:
            self.faults.append(f"{queued:g} requests waited in image-generation, {MAX_QUEUED} are allowed")

    def _note_usage(self, name: str, process_id: int) -> None:
        """Note what a process uses once it has served for a while."""
        since = self._serving_since.setdefault(process_id, time.monotonic())
        usage = usage_of(self._cluster).get(name)
        if usage is not None and time.monotonic() - since >= self._settled_seconds:
            self._settled.setdefault(process_id, usage)


async def _ask(target: str, name: str) -> tuple[bool, str]:
    """Return whether a service says SERVING, and why it then refuses a call as not ready; empty if not."""
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            health = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError:
            return False, ""
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            return False, ""
        asked_at = time.monotonic()
        try:
            await _list_models(channel, name)
        except grpc.aio.AioRpcError as error:
            if (reason := from_rpc_error(error).reason) is Reason.MODEL_NOT_READY:
                return True, f"{reason} after {time.monotonic() - asked_at:.2f} s"
    return True, ""


async def _list_models(channel: grpc.aio.Channel, name: str) -> None:
    calls: dict[str, Any] = {
        "audio-features": (audio_grpc.AudioFeatureServiceStub, audio_pb2.ListModelsRequest),
        "image-generation": (image_grpc.ImageGenerationServiceStub, image_pb2.ListModelsRequest),
        "similarity": (similarity_grpc.SimilarityServiceStub, similarity_pb2.ListModelsRequest),
    }
    if name not in calls:  # The gateway has no models of its own.
        return
    stub, request = calls[name]
    await stub(channel).ListModels(request(), timeout=_CALL_SECONDS)


def _queued(address: str) -> float:
    """Return how many requests wait in image generation, by its metrics; 0 if they cannot be had."""
    with (
        suppress(OSError, HTTPException),  # A service that is killed leaves an answer half sent.
        urllib.request.urlopen(f"http://{address}/metrics", timeout=_CALL_SECONDS) as page,
    ):
        found = _QUEUED.search(page.read().decode())
        return float(found[1]) if found else 0.0
    return 0.0

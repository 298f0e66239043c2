"""The three services that are evaluated: started here, or already running."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self

import grpc

from chladni_benchmarks.services.measured_service import CHANNEL_OPTIONS, measured_service

AUDIO_FEATURES: Final = "audio-features"
IMAGE_GENERATION: Final = "image-generation"
SIMILARITY: Final = "similarity"


class Services:
    """Channels to the services, open while the context lasts; each service starts when it is first needed.

    Args:
        folder: Folder for the logs of those that are started.
        addresses: ``host:port`` by name of services that already run; they are left as they are.
    """

    def __init__(self, folder: Path, addresses: Mapping[str, str]) -> None:
        self._folder = folder
        self._addresses = addresses
        self._channels: dict[str, grpc.Channel] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channels.clear()
        self._running.close()

    def channel(self, name: str) -> grpc.Channel:
        """Return a channel to a service, which is then ready. Not thread-safe.

        Raises:
            ClusterError: It cannot be started.
        """
        if name not in self._channels:
            self._channels[name] = self._connect(name)
        return self._channels[name]

    def _connect(self, name: str) -> grpc.Channel:
        if address := self._addresses.get(name):
            return self._running.enter_context(grpc.insecure_channel(address, options=CHANNEL_OPTIONS))
        return self._running.enter_context(measured_service(name, self._folder)).channel

"""The keys of a film: images of batch priority, asked of all servers that have the model, in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from chladni_contract.descriptor_space import DESCRIPTOR_SPACE
from chladni_contract.errors import ChladniError, FaultError, Reason
from chladni_gateway.domain.audio import Embedding
from chladni_gateway.domain.events import Completed
from chladni_gateway.domain.films.options import FilmOptions
from chladni_gateway.domain.generation import (
    Conditioning,
    GenerationRequest,
    GenerationSettings,
    Origin,
    Priority,
)
from chladni_gateway.domain.images import ImageEncoding, ImageFormat
from chladni_gateway.domain.ports import ImageSource
from chladni_gateway.film.timeline import Moment
from chladni_runtime.execution.deadlines import Deadline

RECIPE: Final = "film"
KEY_ENCODING: Final = ImageEncoding(format=ImageFormat.JPEG, quality=95)

_PER_SERVER: Final = 3
_TIMEOUT_SECONDS: Final = 300.0
_RETRY_SECONDS: Final = 2.0
_MAX_TRIES: Final = 30
_AVOIDED_SECONDS: Final = 20.0
"""How long a server that could not be asked is left alone, if there is another one."""
_PASSING: Final = frozenset(
    {Reason.BACKEND_UNAVAILABLE, Reason.QUEUE_FULL, Reason.DRAINING, Reason.MODEL_NOT_READY}
)

ServersOf = Callable[[str], Sequence[ImageSource]]


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A key to make.

    Attributes:
        moment: What it is made from.
        size: Width and height in pixels.
    """

    moment: Moment
    size: tuple[int, int]


class KeySource:
    """Makes the keys of one film.

    Args:
        servers_of: Returns the servers that have a model.
        model: The model.
        options: How the film is made.
        caller: Who asks, for the fair share.
        audio_sha256: SHA-256 of the song, for the provenance.
        retry_seconds: Time between tries while a server cannot be asked.
    """

    def __init__(
        self,
        servers_of: ServersOf,
        *,
        model: str,
        options: FilmOptions,
        caller: str,
        audio_sha256: str,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        self._servers_of = servers_of
        self._model = model
        self._options = options
        self._caller = caller
        self._audio_sha256 = audio_sha256
        self._retry_seconds = retry_seconds
        self._in_flight: dict[int, int] = {}
        self._avoided_until: dict[int, float] = {}

    async def keys(self, requests: Iterable[KeyRequest]) -> AsyncGenerator[bytes, None]:
        """Yield the files of keys in order; a few are asked for ahead of the one that is yielded.

        Raises:
            ChladniError: A key cannot be made.
        """
        coming = iter(requests)
        tasks: deque[asyncio.Task[bytes]] = deque()
        try:
            while True:
                while len(tasks) < _PER_SERVER * max(1, len(self._servers_of(self._model))):
                    request = next(coming, None)
                    if request is None:
                        break
                    tasks.append(asyncio.create_task(self._key(request)))
                if not tasks:
                    return
                yield await tasks[0]
                tasks.popleft()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def image(self, generation: GenerationRequest) -> bytes:
        """Return the file of an image by the server with the least to do; wait while none can be asked.

        Raises:
            ChladniError: It cannot be made.
        """
        for _ in range(_MAX_TRIES):
            try:
                return await self._tried(generation)
            except ChladniError as error:
                if error.reason not in _PASSING:
                    raise
            await asyncio.sleep(self._retry_seconds)
        return await self._tried(generation)

    async def _key(self, request: KeyRequest) -> bytes:
        width, height = request.size
        moment = request.moment
        return await self.image(
            GenerationRequest(
                model=self._model,
                conditioning=Conditioning(audio_embedding=to_embedding(moment), course_window=moment.window),
                settings=GenerationSettings(
                    seed=self._options.seed,
                    width_pixels=width,
                    height_pixels=height,
                    look=self._options.look,
                    priority=Priority.BATCH,
                    encoding=KEY_ENCODING,
                ),
                origin=Origin(recipe=RECIPE, audio_sha256=self._audio_sha256),
                caller=self._caller,
            )
        )

    async def _tried(self, generation: GenerationRequest) -> bytes:
        servers = self._servers_of(self._model)
        server = min(servers, key=self._load)
        self._in_flight[id(server)] = self._in_flight.get(id(server), 0) + 1
        try:
            async with aclosing(server.generate(generation, Deadline.after(_TIMEOUT_SECONDS))) as events:
                async for event in events:
                    if isinstance(event, Completed):
                        return event.image.content
        except ChladniError as error:
            if error.reason in _PASSING:
                self._avoided_until[id(server)] = time.monotonic() + _AVOIDED_SECONDS
            raise
        finally:
            self._in_flight[id(server)] -= 1
        raise FaultError(Reason.INTERNAL, "The image generation ended without an image.")

    def _load(self, server: ImageSource) -> tuple[bool, int]:
        """Return how much speaks against a server; one that is down has little to do, but comes last."""
        is_avoided = self._avoided_until.get(id(server), 0.0) > time.monotonic()
        return is_avoided, self._in_flight.get(id(server), 0)


def to_embedding(moment: Moment) -> Embedding:
    """Return the embedding of a moment as image generation takes it."""
    return Embedding(DESCRIPTOR_SPACE, moment.embedding.shape, moment.embedding.astype("<f4").tobytes())

"""The models of the services: what each last answered, and all of them together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError, Reason, UnavailableError
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.models.availability import Requirement
from chladni_runtime.execution.deadlines import Deadline

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.domain.ports import Backend
    from chladni_runtime.execution.deadlines import Clock, Deadline


@dataclass(frozen=True, slots=True)
class ServiceModels:
    """The models of one kind of service, all of its servers together.

    Attributes:
        service: Name of the service.
        stage: Stage that it does.
        models: Its models, those of the first server first.
        failure: Why a server could not be asked; `None` if all could.
    """

    service: str
    stage: Stage
    models: tuple[ModelSummary, ...] = ()
    failure: ChladniError | None = None

    def service_requirement(self, description: str) -> Requirement:
        """Return whether the service is there, for a recipe that needs no certain model of it.

        Args:
            description: What it is needed for, one phrase for people.
        """
        return Requirement(description=description, remedy=self.failure.message if self.failure else "")

    def failed(self) -> ChladniError | None:
        """Return the failure as an error of its own, to be raised; `None` if there was none."""
        if self.failure is None:
            return None
        return ChladniError(
            self.failure.reason,
            self.failure.message,
            retry_after_seconds=self.failure.retry_after_seconds,
            metadata={STAGE_KEY: self.stage.value},
        )


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """The models that recipes choose among.

    Attributes:
        audio: Models of audio-features.
        image: Models of image-generation.
    """

    audio: ServiceModels
    image: ServiceModels


class ModelCatalog:
    """Takes inventories: every server is asked once, all at the same time.

    Args:
        audio: Models of audio-features.
        image: Models of each server of image-generation, the main one first.
    """

    def __init__(self, *, audio: ModelListing, image: Sequence[ModelListing]) -> None:
        self._audio = audio
        self._image = tuple(image)

    async def refresh(self, deadline: Deadline) -> CatalogSnapshot:
        """Return what there is now; never raises."""
        return await self._take(lambda listing: listing.refresh(deadline))

    async def cached(self, deadline: Deadline) -> CatalogSnapshot:
        """Return what there was a moment ago, which costs no calls in most cases; never raises."""
        return await self._take(lambda listing: listing.cached(deadline))

    async def _take(self, refresh: Callable[[ModelListing], Awaitable[ListedModels]]) -> CatalogSnapshot:
        listings = (self._audio, *self._image)
        audio, *image = await asyncio.gather(*map(refresh, listings))
        main = self._image[0].server_name
        return CatalogSnapshot(
            ServiceModels(self._audio.server_name, Stage.AUDIO_FEATURES, audio.models, audio.failure),
            ServiceModels(main, Stage.IMAGE_GENERATION, _merged(image), _first_failure(image)),
        )


def _merged(listed: Sequence[ListedModels]) -> tuple[ModelSummary, ...]:
    """Return the models of several servers, each name once: ready before not ready, then the first."""
    models: dict[str, ModelSummary] = {}
    for number, server in enumerate(listed):
        for model in server.models:
            known = models.get(model.name)
            if known is None or (model.is_ready and not known.is_ready):
                models[model.name] = replace(model, is_default=model.is_default and number == 0)
    return tuple(models.values())


def _first_failure(listed: Sequence[ListedModels]) -> ChladniError | None:
    return next((server.failure for server in listed if server.failure is not None), None)


_PATIENCE_SECONDS: Final = 5.0
_RETRY_AFTER_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class ListedModels:
    """What a server answered about its models.

    Attributes:
        models: The models.
        failure: Why it gave no answer; `None` if it did.
        is_slow: Whether the only failure is that it did not answer in time.
    """

    models: tuple[ModelSummary, ...] = ()
    failure: ChladniError | None = None
    is_slow: bool = False


class ModelListing:
    """Asks a server for its models, and remembers what it said. One event loop owns it.

    Args:
        server: The server.
        lifetime_seconds: Time for which an answer is as good as a new one.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, server: Backend, *, lifetime_seconds: float, clock: Clock) -> None:
        self._server = server
        self._lifetime_seconds = lifetime_seconds
        self._clock = clock
        self._answer: ListedModels | None = None
        self._answered_at = 0.0

    @property
    def server_name(self) -> str:
        """Name of the server."""
        return self._server.name

    @property
    def last_known(self) -> tuple[ModelSummary, ...]:
        """Models of the server's last answer."""
        return self._answer.models if self._answer else ()

    async def refresh(self, deadline: Deadline) -> ListedModels:
        """Return what the server says now; never raises."""
        try:
            answer = ListedModels(await self._server.models(deadline))
        except ChladniError as error:
            if error.reason is not Reason.NOT_IMPLEMENTED:
                return self._failed(error)
            answer = ListedModels()
        self._answer, self._answered_at = answer, self._clock()
        return answer

    async def cached(self, deadline: Deadline) -> ListedModels:
        """Return what the server said a moment ago, or says now; never raises.

        A server that is too busy to answer soon has the models that it had before.
        """
        if self._answer and self._clock() < self._answered_at + self._lifetime_seconds:
            return self._answer
        remaining_seconds = deadline.remaining_seconds
        is_far = remaining_seconds is None or remaining_seconds > _PATIENCE_SECONDS
        answer = await self.refresh(Deadline.after(_PATIENCE_SECONDS) if is_far else deadline)
        return self._answer if answer.is_slow and self._answer else answer

    def _failed(self, error: ChladniError) -> ListedModels:
        if error.reason is not Reason.DEADLINE_EXCEEDED:
            return ListedModels(failure=error)
        slow = UnavailableError(
            Reason.BACKEND_UNAVAILABLE,
            f"The service {self.server_name} did not list its models in time. Try again shortly.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )
        return ListedModels(failure=slow, is_slow=True)

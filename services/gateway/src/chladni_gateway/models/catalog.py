"""Which models there are, in which service."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chladni_contract.errors import ChladniError
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.models.availability import Requirement

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from chladni_gateway.domain.models import ModelSummary
    from chladni_gateway.models.listing import ListedModels, ModelListing
    from chladni_runtime.execution.deadlines import Deadline


@dataclass(frozen=True, slots=True)
class ServiceModels:
    """The models of one kind of service, all of its servers together.

    Attributes:
        service: Name of the service.
        stage: Stage that it does.
        models: Its models, those of the first server first.
        failure: Why a server could not be asked; `None` where all could.
    """

    service: str
    stage: Stage
    models: tuple[ModelSummary, ...] = ()
    failure: ChladniError | None = None

    def service_requirement(self, description: str) -> Requirement:
        """Returns whether the service is there, for a recipe that needs no certain model of it.

        Args:
            description: What it is needed for, one phrase for people.
        """
        return Requirement(description=description, remedy=self.failure.message if self.failure else "")

    def failed(self) -> ChladniError | None:
        """Returns the failure as an error of its own, to be raised; `None` where there was none."""
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
        """Returns what there is now; never raises."""
        return await self._take(lambda listing: listing.refresh(deadline))

    async def cached(self, deadline: Deadline) -> CatalogSnapshot:
        """Returns what there was a moment ago, which costs no calls in most cases; never raises."""
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
    """Returns the models of several servers, each name once: ready before not ready, then the first."""
    models: dict[str, ModelSummary] = {}
    for number, server in enumerate(listed):
        for model in server.models:
            known = models.get(model.name)
            if known is None or (model.is_ready and not known.is_ready):
                models[model.name] = replace(model, is_default=model.is_default and number == 0)
    return tuple(models.values())


def _first_failure(listed: Sequence[ListedModels]) -> ChladniError | None:
    return next((server.failure for server in listed if server.failure is not None), None)

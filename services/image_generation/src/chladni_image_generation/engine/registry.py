"""The models that a server has, each with an engine of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chladni_runtime.models.registry import ModelRegistry

if TYPE_CHECKING:
    from chladni_image_generation.engine.engine import Engine
    from chladni_image_generation.models.interface import ModelDescription


@dataclass(frozen=True, slots=True)
class UnavailableModel:
    """A model that is configured and could not be loaded.

    Attributes:
        id: Identifier in requests.
        reason: Why, and what to do about it.
        family: Kind of model; empty if its files do not say.
    """

    id: str
    reason: str
    family: str = ""


class EngineRegistry:
    """The engines of a server by the model of a request.

    Args:
        engines: The engines, that of the default model first; at least one.
        unavailable: The models that have none.

    Raises:
        ValueError: Two models have the same identifier.
    """

    def __init__(self, engines: Sequence[Engine], unavailable: Sequence[UnavailableModel] = ()) -> None:
        self._engines = ModelRegistry(
            [(engine.description.id, engine) for engine in engines],
            [(model.id, model.reason) for model in unavailable],
        )
        self.unavailable = tuple(unavailable)

    @property
    def descriptions(self) -> tuple[ModelDescription, ...]:
        """The models that can be used, the default one first."""
        return tuple(engine.description for engine in self._engines)

    def find(self, model_id: str) -> Engine:
        """Return the engine of a model; that of the default one for an empty name.

        Raises:
            NotFoundError: There is no such model.
            UnavailableError: It could not be loaded.
        """
        return self._engines.find(model_id, field="options.model")

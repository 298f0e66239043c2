"""The models that a server has, each with an engine of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chladni_contract.errors import ChladniError, FieldViolation, NotFoundError, Reason

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
        self._engines: Mapping[str, Engine] = {engine.description.id: engine for engine in engines}
        self._default = engines[0]
        self.unavailable = tuple(unavailable)
        names = [*(engine.description.id for engine in engines), *(model.id for model in unavailable)]
        if len(set(names)) != len(names):
            raise ValueError(f"two models have the same identifier: {', '.join(sorted(names))}")

    @property
    def descriptions(self) -> tuple[ModelDescription, ...]:
        """The models that can be used, the default one first."""
        return tuple(engine.description for engine in self._engines.values())

    def find(self, model_id: str) -> Engine:
        """Return the engine of a model; that of the default one for an empty name.

        Raises:
            NotFoundError: There is no such model.
            ChladniError: It could not be loaded.
        """
        if not model_id:
            return self._default
        engine = self._engines.get(model_id)
        if engine:
            return engine
        for model in self.unavailable:
            if model.id == model_id:
                raise ChladniError(
                    Reason.MODEL_UNAVAILABLE,
                    f"Model {model_id!r} is not available: {model.reason}",
                    violations=[FieldViolation("options.model", model.reason)],
                    metadata={"model": model_id},
                )
        known = ", ".join(repr(name) for name in self._engines)
        message = f"There is no model {model_id!r} here; there is {known}."
        raise NotFoundError(
            Reason.UNKNOWN_MODEL,
            message,
            violations=[FieldViolation("options.model", message)],
            metadata={"model": model_id},
        )

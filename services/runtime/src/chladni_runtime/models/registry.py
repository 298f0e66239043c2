"""The models that a server has, found by the name that a request gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

from chladni_contract.errors import FieldViolation, NotFoundError, Reason, UnavailableError

_MAX_SHOWN_CHARACTERS: Final = 80

Model = TypeVar("Model")


class ModelRegistry(Generic[Model]):
    """Finds models by name.

    Args:
        models: Names and models, the default one first; at least one.
        unavailable: Names of models that are configured and cannot be used, with the reason and what to do
            about it.
        hints: How an operator adds a model that is not there, by name: a sentence for the error.

    Attributes:
        default: The model of the empty name.

    Raises:
        ValueError: Two models have the same name.
    """

    def __init__(
        self,
        models: Sequence[tuple[str, Model]],
        unavailable: Sequence[tuple[str, str]] = (),
        *,
        hints: Mapping[str, str] | None = None,
    ) -> None:
        self._models = dict(models)
        self._unavailable = dict(unavailable)
        self._hints = dict(hints or {})
        self._default_name, self.default = models[0]
        names = [name for name, _ in (*models, *unavailable)]
        if len(set(names)) != len(names):
            raise ValueError(f"two models have the same name: {', '.join(sorted(names))}")

    def __iter__(self) -> Iterator[Model]:
        return iter(self._models.values())

    def find(self, name: str, *, field: str) -> Model:
        """Return the model of a name, the default one for the empty name.

        Args:
            name: The name.
            field: Field of the request that gives it, for the error.

        Raises:
            NotFoundError: No model has this name.
            UnavailableError: The model is configured and cannot be used.
        """
        if not name:
            return self.default
        if name in self._models:
            return self._models[name]
        if name in self._unavailable:
            message = f"The model {name!r} cannot be used: {self._unavailable[name]}"
            raise UnavailableError(
                Reason.MODEL_UNAVAILABLE,
                message,
                violations=[FieldViolation(field, message)],
                metadata={"model": name},
            )
        shown = name[:_MAX_SHOWN_CHARACTERS]
        message = (
            f"No model is named {shown!r}; this server has {', '.join(self._models)}. "
            f"Leave the field empty for {self._default_name}."
        )
        if name in self._hints:
            message += f" {self._hints[name]}"
        raise NotFoundError(
            Reason.UNKNOWN_MODEL,
            message,
            violations=[FieldViolation(field, message)],
            metadata={"model": shown},
        )

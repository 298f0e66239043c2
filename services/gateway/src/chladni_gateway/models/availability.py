"""What recipes need, and whether it is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chladni_contract.errors import ChladniError, Reason

_FAULTS_OF_THE_REQUEST: Final = frozenset(
    {Reason.INVALID_FIELD, Reason.MISSING_FIELD, Reason.UNKNOWN_MODEL, Reason.MODEL_UNAVAILABLE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """Something that a recipe needs.

    Attributes:
        description: What, one phrase for people.
        model: Model that meets it; empty if none does, or if it is no model.
        remedy: Why it is not met and what to do about it; empty if it is.
        is_optional: Whether the recipe goes another way without it.
    """

    description: str
    model: str = ""
    remedy: str = ""
    is_optional: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is there."""
        return not self.remedy


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a recipe can be used here and now.

    Attributes:
        requirements: What it needs, in the order in which it is used.
        unavailable_reason: Why it cannot be used and what to do about it; empty if it can.
    """

    requirements: tuple[Requirement, ...] = ()
    unavailable_reason: str = ""

    @classmethod
    def of(cls, *requirements: Requirement) -> Availability:
        """Return the availability of a recipe that cannot be used while a need of it is not met."""
        return cls(
            requirements,
            join_sentences(requirement.remedy for requirement in requirements if not requirement.is_optional),
        )

    @property
    def models(self) -> tuple[str, ...]:
        """Models that the recipe uses, as far as known."""
        return tuple(
            dict.fromkeys(requirement.model for requirement in self.requirements if requirement.model)
        )


def join_sentences(sentences: Iterable[str]) -> str:
    """Return sentences as one text, each once."""
    return " ".join(dict.fromkeys(filter(None, sentences)))


def merge_errors(errors: Sequence[ChladniError]) -> ChladniError:
    """Return the error for all that is in the way of a request.

    A fault of the request comes before all others, since no operator can mend it. Of several obstacles, the
    message names each; waiting helps only if it helps against all of them.

    Args:
        errors: At least one.
    """
    own = [error for error in errors if error.reason in _FAULTS_OF_THE_REQUEST]
    if own or len(errors) == 1:
        return (own or errors)[0]
    lasting = [error for error in errors if error.reason is Reason.RECIPE_UNAVAILABLE]
    leading = (lasting or errors)[0]
    return ChladniError(
        leading.reason,
        join_sentences(error.message for error in errors),
        retry_after_seconds=leading.retry_after_seconds,
        metadata=leading.metadata,
    )

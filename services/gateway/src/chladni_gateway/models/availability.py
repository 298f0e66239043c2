"""What recipes need, and whether it is there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chladni_contract.errors import ChladniError, Reason

_FAULTS_OF_THE_REQUEST: Final = frozenset(
    {Reason.INVALID_FIELD, Reason.MISSING_FIELD, Reason.UNKNOWN_MODEL, Reason.MODEL_UNAVAILABLE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that a recipe needs.

    Attributes:
        description: What, one phrase for people.
        model: Model that meets it; empty where none does, or where it is no model.
        remedy: Why it is not met and what to do about it; empty where it is.
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
        needs: What it needs, in the order in which it is used.
        obstacle: Why it cannot be used and what to do about it; empty where it can.
    """

    needs: tuple[Need, ...] = ()
    obstacle: str = ""

    @classmethod
    def of(cls, *needs: Need) -> "Availability":
        """Returns the availability of a recipe that cannot be used while a need of it is not met."""
        return cls(needs, joined(need.remedy for need in needs if not need.is_optional))

    @property
    def models(self) -> tuple[str, ...]:
        """Models that the recipe uses, as far as known."""
        return tuple(dict.fromkeys(need.model for need in self.needs if need.model))


def joined(sentences: Iterable[str]) -> str:
    """Returns sentences as one text, each once."""
    return " ".join(dict.fromkeys(filter(None, sentences)))


def united(faults: Sequence[ChladniError]) -> ChladniError:
    """Returns the error for all that is in the way of a request.

    A fault of the request comes before all others, since no operator can mend it. Of several obstacles, the
    message names each; waiting helps only where it helps against all of them.

    Args:
        faults: At least one.
    """
    own = [fault for fault in faults if fault.reason in _FAULTS_OF_THE_REQUEST]
    if own or len(faults) == 1:
        return (own or faults)[0]
    lasting = [fault for fault in faults if fault.reason is Reason.RECIPE_UNAVAILABLE]
    leading = (lasting or faults)[0]
    return ChladniError(
        leading.reason,
        joined(fault.message for fault in faults),
        retry_after_seconds=leading.retry_after_seconds,
        metadata=leading.metadata,
    )

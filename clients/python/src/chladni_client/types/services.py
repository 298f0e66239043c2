"""What a server offers, and whether it serves."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RecipeNeed:
    """Something that a recipe needs.

    Attributes:
        description: What, one phrase.
        is_met: Whether it is there.
        is_optional: Whether the recipe goes another way without it.
        model: Model that meets it; empty if none does, or if it is no model.
        remedy: What to do about it; empty if it is met.
    """

    description: str
    is_met: bool
    is_optional: bool
    model: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named way from sound to image.

    Attributes:
        name: Name to pass to `create_image`.
        description: One sentence.
        is_available: Whether the server can use it now.
        unavailable_reason: Why not, and what to do about it; empty if it is available.
        is_default: Whether requests that name no recipe get this one.
        models: Models that it uses.
        needs: What it needs, in the order in which it is used.
        options: What may be chosen for its images beyond what may be for all, such as ``prompt``: names of
            `CreationOptions`.
        required_options: Those of `options` that it cannot do without.
    """

    name: str
    description: str
    is_available: bool
    unavailable_reason: str
    is_default: bool
    models: tuple[str, ...]
    needs: tuple[RecipeNeed, ...] = ()
    options: tuple[str, ...] = ()
    required_options: tuple[str, ...] = ()


class ServiceState(StrEnum):
    """What a service says of itself."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Health of one service.

    Attributes:
        name: ``gateway`` or ``audio-features``.
        target: Where it was looked for.
        state: What it says.
    """

    name: str
    target: str
    state: ServiceState

"""What a server offers, and whether it serves."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named way from sound to image.

    Attributes:
        name: Name to pass to `create_image`.
        description: One sentence.
        is_available: Whether the server can use it now.
        unavailable_reason: Why not, and what to do about it; empty where it is available.
        is_default: Whether requests that name no recipe get this one.
        models: Models that it uses.
    """

    name: str
    description: str
    is_available: bool
    unavailable_reason: str
    is_default: bool
    models: tuple[str, ...]


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

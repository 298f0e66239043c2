"""What a client did and saw, in its own order, for the validator to judge afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class End(StrEnum):
    """How a request ended for its client."""

    CREATED = "created"
    REFUSED = "refused"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Seen:
    """An event of a request.

    Attributes:
        name: Name of the event, as in the contract: ``accepted``, ``progress``, ``created``.
        at: Seconds on the monotonic clock.
        step: Denoising step of ``progress``; 0 for others.
    """

    name: str
    at: float
    step: int = 0


@dataclass(slots=True)
class History:
    """One request of one client.

    Attributes:
        client: Name of the client.
        content: What was asked for; requests of equal content must give equal images.
        seen: The events, in the order in which they came.
        cancelled_at: When the client cancelled it; `None` if it did not.
        end: How it ended; `None` if it never did.
        code: gRPC's status if it was refused.
        detail: The message that came with it.
        digest: SHA-256 of the image.
        started_at: When it began, on the monotonic clock.
        ended_at: When it ended.
        must_be_refused_after: Seconds after which it must have ended if it was refused for want of room;
            `None` for no limit.
    """

    client: str
    content: str
    seen: list[Seen] = field(default_factory=list)
    cancelled_at: float | None = None
    end: End | None = None
    code: str = ""
    detail: str = ""
    digest: str = ""
    started_at: float = 0.0
    ended_at: float = 0.0
    must_be_refused_after: float | None = None

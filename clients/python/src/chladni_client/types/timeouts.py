"""How long calls may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long calls may take, all attempts together; a server that cannot make it refuses at once.

    Attributes:
        creation_seconds: For `create_image` and `stream_image`.
        call_seconds: For every other call.
    """

    creation_seconds: float = 120.0
    call_seconds: float = 30.0

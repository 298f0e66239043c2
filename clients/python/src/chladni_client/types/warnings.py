"""What a caller should know about an answer that is right as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerWarning:
    """Something that was left out or overridden, such as damaged audio or text that a model did not read.

    Attributes:
        reason: What it is about: a name of ``chladni.errors.v1.WarningReason`` without its prefix, such as
            ``TEXT_TRUNCATED``; empty if this client does not know it.
        message: What was done or left out, and what to do about it.
        metadata: Facts of the message, by name.
    """

    reason: str
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.message

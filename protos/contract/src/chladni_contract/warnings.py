"""Warnings: what a caller should know about an answer that is right as far as it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from chladni.errors.v1 import warning_pb2
from chladni_contract.errors import MetadataValue, plain_text

_PREFIX: Final = "WARNING_REASON_"


class WarningReason(StrEnum):
    """What a warning is about: the values of `chladni.errors.v1.WarningReason` without their prefix."""

    UNSPECIFIED = "UNSPECIFIED"
    """One that this version does not know; its message says what it is."""
    AUDIO_DAMAGED = "AUDIO_DAMAGED"
    AUDIO_INCOMPLETE = "AUDIO_INCOMPLETE"
    CHANNELS_CANCEL = "CHANNELS_CANCEL"
    SEVERAL_AUDIO_STREAMS = "SEVERAL_AUDIO_STREAMS"
    TEXT_TRUNCATED = "TEXT_TRUNCATED"
    SETTING_IGNORED = "SETTING_IGNORED"
    IMAGES_REMOVED = "IMAGES_REMOVED"


@dataclass(frozen=True)
class ServiceWarning:
    """One warning.

    Attributes:
        reason: What it is about, for programs.
        message: What was done or left out, and what to do about it, for people.
        metadata: Facts of the message for programs, numbers in decimal digits.
    """

    reason: WarningReason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)


def new_warning(reason: WarningReason, message: str, **metadata: MetadataValue) -> ServiceWarning:
    """Return a warning; numbers of its metadata become text as those of errors do."""
    return ServiceWarning(reason, message, {key: plain_text(value) for key, value in metadata.items()})


def to_warning_message(warning: ServiceWarning) -> warning_pb2.Warning:
    """Return the message of a warning."""
    return warning_pb2.Warning(
        reason=f"{_PREFIX}{warning.reason}",
        message=warning.message,
        metadata=warning.metadata,
    )


def to_warning(message: warning_pb2.Warning) -> ServiceWarning:
    """Return the warning that a message holds; a reason of a later version becomes UNSPECIFIED."""
    names = warning_pb2.WarningReason.DESCRIPTOR.values_by_number
    value = names.get(message.reason)
    name = "UNSPECIFIED" if value is None else value.name.removeprefix(_PREFIX)
    return ServiceWarning(WarningReason(name), message.message, dict(message.metadata))

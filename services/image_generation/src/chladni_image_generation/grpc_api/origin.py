"""Between the contract's `Origin` and the domain's."""

from __future__ import annotations

import math
from typing import Final

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.provenance_messages import find_negative, to_provenance
from chladni_image_generation.generation import Origin
from chladni_runtime.server.validation import RequestValidator

_MAX_NAME_LENGTH: Final = 64
_MAX_FALLBACK_LENGTH: Final = 1024
_MAX_EARLIER: Final = 4
_MAX_OPTIONS: Final = 16
_MAX_OPTION_LENGTH: Final = 256


def check_origin(validator: RequestValidator, message: image_pb2.Origin) -> None:
    """Report to the validator what is wrong with an origin."""
    for name, value, limit in (
        ("recipe", message.recipe, _MAX_NAME_LENGTH),
        ("part", message.part, _MAX_NAME_LENGTH),
        ("fallback", message.fallback, _MAX_FALLBACK_LENGTH),
    ):
        validator.check_length(f"origin.{name}", value, maximum=limit)
    validator.check_pattern(
        "origin.audio_sha256",
        message.audio_sha256,
        pattern="([0-9a-f]{64})?",
        meaning="64 lower-case hexadecimal digits, or empty",
    )
    validator.check(
        "origin.earlier",
        valid=len(message.earlier) <= _MAX_EARLIER and not any(one.earlier for one in message.earlier),
        description=f"must be a flat list of at most {_MAX_EARLIER} provenances.",
        metadata={"value": len(message.earlier), "maximum": _MAX_EARLIER},
    )
    for index, earlier in enumerate(message.earlier[:_MAX_EARLIER]):
        negative = find_negative(earlier)
        validator.check(
            f"origin.earlier[{index}].{negative}", valid=not negative, description="must not be negative."
        )
    start, end = message.audio_start_seconds, message.audio_end_seconds
    validator.check(
        "origin.audio_start_seconds",
        valid=0 <= start < math.inf,
        description=f"is {start:g}, must be 0 or more.",
        metadata={"value": start, "minimum": 0},
    )
    validator.check(
        "origin.audio_end_seconds",
        valid=not message.HasField("audio_end_seconds") or start < end < math.inf,
        description=f"is {end:g}, must be after audio_start_seconds.",
        metadata={"value": end, "minimum": start},
    )
    validator.check(
        "origin.options",
        valid=len(message.options) <= _MAX_OPTIONS,
        description=f"has {len(message.options)} entries, at most {_MAX_OPTIONS} are allowed.",
        metadata={"value": len(message.options), "maximum": _MAX_OPTIONS},
    )
    for longest, limit, what in (
        (max(map(len, message.options), default=0), _MAX_NAME_LENGTH, "names"),
        (max(map(len, message.options.values()), default=0), _MAX_OPTION_LENGTH, "values"),
    ):
        validator.check(
            "origin.options",
            valid=longest <= limit,
            description=f"has {what} of {longest} characters, at most {limit} are allowed.",
            metadata={"value": longest, "maximum": limit},
        )


def to_origin(message: image_pb2.Origin) -> Origin:
    """Return the origin in a checked message."""
    return Origin(
        recipe=message.recipe,
        audio_sha256=message.audio_sha256,
        part=message.part,
        earlier=tuple(map(to_provenance, message.earlier)),
        fallback=message.fallback,
        options=dict(message.options),
        audio_start_seconds=message.audio_start_seconds if message.HasField("audio_start_seconds") else None,
        audio_end_seconds=message.audio_end_seconds if message.HasField("audio_end_seconds") else None,
    )

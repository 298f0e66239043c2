"""Between the contract's `Origin` and the domain's."""

from __future__ import annotations

from typing import Final

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.provenance_messages import to_provenance
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
        ("stage", message.stage, _MAX_NAME_LENGTH),
        ("fallback", message.fallback, _MAX_FALLBACK_LENGTH),
    ):
        validator.check(
            f"origin.{name}",
            valid=len(value) <= limit,
            description=f"has {len(value)} characters, at most {limit} are allowed.",
        )
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
    )
    validator.check(
        "origin.options",
        valid=len(message.options) <= _MAX_OPTIONS
        and all(len(name) <= _MAX_NAME_LENGTH for name in message.options)
        and all(len(value) <= _MAX_OPTION_LENGTH for value in message.options.values()),
        description=f"must have at most {_MAX_OPTIONS} entries with names of at most {_MAX_NAME_LENGTH} and "
        f"values of at most {_MAX_OPTION_LENGTH} characters.",
    )


def to_origin(message: image_pb2.Origin) -> Origin:
    """Return the origin in a checked message."""
    return Origin(
        recipe=message.recipe,
        audio_sha256=message.audio_sha256,
        stage=message.stage,
        earlier=tuple(map(to_provenance, message.earlier)),
        fallback=message.fallback,
        options=dict(message.options),
    )

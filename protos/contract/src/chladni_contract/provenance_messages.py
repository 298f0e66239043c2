"""Provenance from and to `chladni.generation.v1.Provenance`, and from the text inside a PNG."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any, Final

from google.protobuf import json_format

from chladni.generation.v1 import generation_pb2
from chladni_contract.provenance import Provenance

_OPTIONAL_FIELDS: Final = (
    "strength",
    "initial_latents_weight",
    "refiner_start",
    "audio_start_seconds",
    "audio_end_seconds",
)
_COUNTS: Final = tuple(item.name for item in fields(Provenance) if item.type == "int")


def to_provenance(message: generation_pb2.Provenance) -> Provenance:
    """Return the provenance that a message holds."""
    values: dict[str, Any] = {item.name: getattr(message, item.name) for item in fields(Provenance)}
    values |= {name: None for name in _OPTIONAL_FIELDS if not message.HasField(name)}
    values |= {
        "library_versions": dict(message.library_versions),
        "recipe_options": dict(message.recipe_options),
        "earlier": tuple(map(to_provenance, message.earlier)),
        "upscale": message.upscale or 1,  # a server that cannot enlarge images leaves it out
    }
    return Provenance(**values)


def to_provenance_message(provenance: Provenance) -> generation_pb2.Provenance:
    """Return the message of a provenance."""
    return generation_pb2.Provenance(**asdict(provenance))


def parse_provenance(text: str) -> Provenance:
    """Return the provenance that the text of a PNG holds; fields of later versions are ignored.

    Raises:
        ValueError: The text is not the JSON of a provenance.
    """
    try:
        message = json_format.Parse(text, generation_pb2.Provenance(), ignore_unknown_fields=True)
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error
    negative = find_negative(message)
    if negative:
        raise ValueError(f"{negative} must not be negative")
    return to_provenance(message)


def find_negative(message: generation_pb2.Provenance) -> str:
    """Return the path of a negative count, size or seed, such as ``earlier[0].steps``; empty if none is."""
    for name in _COUNTS:
        if getattr(message, name) < 0:
            return name
    paths = (
        f"earlier[{index}].{path}"
        for index, one in enumerate(message.earlier)
        if (path := find_negative(one))
    )
    return next(paths, "")

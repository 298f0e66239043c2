"""Sounds of the contract, to the types of this service."""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.tensors import to_array
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.sounds import SOUND_DIMENSION, SOUND_SPACE, EmbeddedSound, RecordedSound, Sound

_MAX_SHOWN_LENGTH: Final = 80


def to_sound(query: similarity_pb2.SoundQuery, *, field: str) -> Sound:
    """Returns the sound of a query.

    Args:
        query: The message.
        field: Path of it in the request, for error messages.

    Raises:
        InvalidFieldsError: Nothing is in it.
        InvalidInputError: The embedding is none of a sound.
    """
    source = query.WhichOneof("source")
    validator = RequestValidator()
    validator.require(field, present=source is not None, hint=f"set {field}.audio or {field}.embedding")
    if source == "audio":
        validator.require(
            f"{field}.audio.content",
            present=bool(query.audio.content),
            hint="send the bytes of a WAV, MP3, FLAC or OGG file",
        )
    validator.raise_if_invalid()
    if source == "embedding":
        return _embedded_sound(query.embedding, f"{field}.embedding")
    return RecordedSound(query.audio.content, query.audio.display_name, f"{field}.audio")


def _embedded_sound(embedding: tensor_pb2.Embedding, field: str) -> EmbeddedSound:
    if embedding.space != SOUND_SPACE:
        raise _invalid(
            f"{field}.space",
            f"is {embedding.space[:_MAX_SHOWN_LENGTH]!r}, must be {SOUND_SPACE}, "
            "which AudioFeatureService.ExtractFeatures gives.",
        )
    values = to_array(embedding.values, field=f"{field}.values", dtype=np.float32, shape=(SOUND_DIMENSION,))
    outside = np.flatnonzero((values < 0) | (values > 1))
    if outside.size:
        raise _invalid(
            f"{field}.values",
            f"holds {values[outside[0]]:g} at position {outside[0]}; all components must be from 0 to 1.",
        )
    return EmbeddedSound(values)


def _invalid(field: str, description: str) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_FIELD, f"{field} {description}", field=field)

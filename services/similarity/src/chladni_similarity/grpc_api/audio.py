"""The audio of requests, from messages to the types of this service."""

from __future__ import annotations

from typing import Final

import numpy as np

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import InvalidInputError, MetadataValue, Reason
from chladni_contract.tensors import to_array
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.audio import Audio, AudioClip, AudioEmbedding, PcmAudio

_MAX_SHOWN_LENGTH: Final = 80


def to_audio(query: similarity_pb2.AudioQuery, *, field: str) -> Audio:
    """Return the audio of a query.

    Args:
        query: The message.
        field: Path of it in the request, for error messages.

    Raises:
        InvalidFieldsError: Nothing is in it.
        InvalidInputError: The embedding is not one of audio.
    """
    source = query.WhichOneof("source")
    validator = RequestValidator()
    validator.require(field, present=source is not None, hint=f"set {field}.clip or {field}.embedding")
    if source == "clip":
        validator.require(
            f"{field}.clip.content",
            present=bool(query.clip.content) or query.clip.HasField("pcm"),
            hint=f"send the bytes of a WAV, MP3, FLAC or OGG file, or samples in {field}.clip.pcm",
        )
    validator.raise_if_invalid()
    if source == "embedding":
        return _audio_embedding(query.embedding, f"{field}.embedding")
    return to_clip(query.clip, f"{field}.clip")


def to_clip(clip: media_pb2.AudioClip, field: str) -> AudioClip:
    """Return a clip; `field` is its path in the request."""
    return AudioClip(
        _pcm(clip.pcm) if clip.HasField("pcm") else clip.content,
        clip.display_name,
        field,
        start_seconds=clip.start.ToNanoseconds() / 1e9 if clip.HasField("start") else None,
        end_seconds=clip.end.ToNanoseconds() / 1e9 if clip.HasField("end") else None,
    )


def _pcm(pcm: media_pb2.PcmAudio) -> PcmAudio:
    return PcmAudio(pcm.samples, pcm.sample_rate_hz, pcm.channel_count, pcm.encoding)


def _audio_embedding(embedding: tensor_pb2.Embedding, field: str) -> AudioEmbedding:
    if embedding.space != DESCRIPTOR_SPACE:
        raise _invalid(
            f"{field}.space",
            f"is {embedding.space[:_MAX_SHOWN_LENGTH]!r}, must be {DESCRIPTOR_SPACE}, "
            "which AudioFeatureService.ExtractFeatures returns.",
        )
    values = to_array(embedding.values, field=f"{field}.values", dtype=np.float32, shape=(COMPONENT_COUNT,))
    outside = np.flatnonzero((values < 0) | (values > 1))
    if outside.size:
        raise _invalid(
            f"{field}.values",
            f"holds {values[outside[0]]:g} at position {outside[0]}; all components must be from 0 to 1.",
            value=float(values[outside[0]]),
            position=int(outside[0]),
            minimum=0,
            maximum=1,
        )
    return AudioEmbedding(values)


def _invalid(field: str, description: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_FIELD, f"{field} {description}", field=field, metadata=metadata)

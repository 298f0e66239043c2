"""Images of the domain, to messages of `chladni.gateway.v1`."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Final

from google.protobuf import duration_pb2, timestamp_pb2

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import image_pb2, image_service_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.provenance_messages import to_provenance_message
from chladni_contract.warnings import to_warning_message
from chladni_gateway.backends.messages import to_format_message, to_image_message
from chladni_gateway.domain.audio import AudioProperties, Descriptor
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.storage.image_store import ImageRecord, StoredImage
from chladni_gateway.similarity.matrix import ScoreMatrix
from chladni_gateway.similarity.search import Match

MAX_INLINE_BYTES: Final = 3 * 2**20
"""Largest file that an answer holds: clients of most languages take messages of 4 MiB."""


def to_owned_image_message(record: ImageRecord) -> image_pb2.Image:
    """Return the message of an image, for its owner."""
    message = to_image_resource(record)
    if record.audio is not None:
        message.audio.CopyFrom(to_audio_message(record.audio))
    message.descriptors.extend(to_descriptor_messages(record.descriptors))
    message.display_name = record.source_name
    message.warnings.extend(map(to_warning_message, record.warnings))
    return message


def to_image_resource(record: ImageRecord) -> image_pb2.Image:
    """Return the message of an image, for anyone who knows its identifier."""
    return image_pb2.Image(
        image_id=str(record.image_id),
        format=to_format_message(record.format),
        size_bytes=record.size_bytes,
        sha256=record.sha256,
        width_pixels=record.width_pixels,
        height_pixels=record.height_pixels,
        create_time=to_timestamp(record.created_at),
        expire_time=to_timestamp(record.expires_at),
        recipe=record.recipe,
        provenance=to_provenance_message(record.provenance),
        processing_time=to_duration(record.processing_seconds),
        reused=record.is_reused,
        pinned=record.is_pinned,
    )


def to_file_message(image: Image) -> media_pb2.EncodedImage | None:
    """Return the message of an image's file; `None` if it is larger than answers may be."""
    return to_image_message(image) if len(image.content) <= MAX_INLINE_BYTES else None


def to_get_image_response(stored: StoredImage, *, owner: str) -> image_service_pb2.GetImageResponse:
    """Return the answer that holds a stored image, for a caller."""
    # Records of earlier versions do not know the size.
    record = replace(stored.record, size_bytes=len(stored.content))
    is_owner = bool(owner) and record.owner == owner
    make = to_owned_image_message if is_owner else to_image_resource
    return image_service_pb2.GetImageResponse(image=make(record), file=to_file_message(stored.image))


def to_match_message(match: Match) -> image_service_pb2.ImageMatch:
    """Return the message of an image that was found."""
    return image_service_pb2.ImageMatch(image=to_owned_image_message(match.record), score=match.score)


def to_matrix_response(matrix: ScoreMatrix) -> image_service_pb2.CompareImageMatrixResponse:
    """Return the answer that holds a matrix."""
    side = len(matrix.image_ids)
    return image_service_pb2.CompareImageMatrixResponse(
        image_ids=map(str, matrix.image_ids),
        scores=tensor_pb2.Tensor(
            dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=(side, side), data=_to_bytes(matrix.scores)
        ),
        model=matrix.model,
    )


def to_audio_message(audio: AudioProperties) -> media_pb2.AudioProperties:
    """Return the message of what was found in audio."""
    return media_pb2.AudioProperties(
        format=f"AUDIO_FORMAT_{audio.format.upper()}",
        sample_rate_hz=audio.sample_rate_hz,
        channel_count=audio.channel_count,
        duration=to_duration(audio.duration_seconds),
        sha256=audio.sha256,
        start=None if audio.start_seconds is None else to_duration(audio.start_seconds),
    )


def to_descriptor_messages(descriptors: Iterable[Descriptor]) -> Iterable[audio_pb2.Descriptor]:
    """Return the messages of descriptors."""
    return (audio_pb2.Descriptor(**asdict(descriptor)) for descriptor in descriptors)


def to_timestamp(moment: datetime) -> timestamp_pb2.Timestamp:
    """Return the message of a moment."""
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(moment)
    return message


def to_duration(seconds: float) -> duration_pb2.Duration:
    """Return the message of a length of time."""
    message = duration_pb2.Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _to_bytes(rows: Iterable[Iterable[float]]) -> bytes:
    values = [value for row in rows for value in row]
    return struct.pack(f"<{len(values)}f", *values)

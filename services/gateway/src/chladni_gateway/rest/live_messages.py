"""The messages of `/api/v1/live`."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chladni_contract.errors import ChladniError, InvalidInputError, MetadataValue, Reason
from chladni_gateway.domain.live import (
    BYTES_PER_SAMPLE,
    MAX_LIVE_FRAME_RATE,
    MAX_LIVE_SAMPLE_RATE_HZ,
    MIN_LIVE_SAMPLE_RATE_HZ,
    Flush,
    LiveFrames,
    LiveImageRequest,
    LiveImagesReady,
    LiveReady,
)
from chladni_gateway.domain.request import MAX_SEED
from chladni_gateway.domain.stages import STAGE_KEY, Stage
from chladni_gateway.rest.errors import error_body

if TYPE_CHECKING:
    from chladni_gateway.domain.live import LiveChunk, LiveEvent, LiveImageEvent

MAX_MESSAGE_BYTES: Final = 64 * 1024
# The loudest sound within full scale reaches some 43 dB; below the lower end lies the noise of a room.
MINIMUM_DB: Final = -60.0
MAXIMUM_DB: Final = 40.0
_LARGEST_BYTE: Final = 255


class _ImageOpening(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sample_rate_hz: int = Field(ge=MIN_LIVE_SAMPLE_RATE_HZ, le=MAX_LIVE_SAMPLE_RATE_HZ, strict=True)
    width_pixels: int | None = Field(None, ge=1, le=4096, strict=True)
    height_pixels: int | None = Field(None, ge=1, le=4096, strict=True)
    look: str = Field("", max_length=256)
    seed: int | None = Field(None, ge=0, le=MAX_SEED, strict=True)
    max_frame_rate: float | None = Field(None, gt=0, le=MAX_LIVE_FRAME_RATE)


class _Opening(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sample_rate_hz: int = Field(ge=MIN_LIVE_SAMPLE_RATE_HZ, le=MAX_LIVE_SAMPLE_RATE_HZ, strict=True)


def parse_opening(text: str | None) -> int:
    """Return the sample rate in hertz that the first message gives.

    Raises:
        InvalidInputError: The message gives none.
    """
    try:
        return _Opening.model_validate_json(text or "").sample_rate_hz
    except ValidationError:
        raise _invalid(
            'the first message must be text such as {"sample_rate_hz": 48000}, with a sample rate '
            f"from {MIN_LIVE_SAMPLE_RATE_HZ} to {MAX_LIVE_SAMPLE_RATE_HZ} Hz.",
            minimum=MIN_LIVE_SAMPLE_RATE_HZ,
            maximum=MAX_LIVE_SAMPLE_RATE_HZ,
        ) from None


def parse_image_opening(text: str | None, *, caller: str) -> LiveImageRequest:
    """Return what the first message of live images asks for.

    Raises:
        InvalidInputError: The message is none.
    """
    try:
        opening = _ImageOpening.model_validate_json(text or "")
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"])) or "the message"
        raise _invalid(
            'the first message must be text such as {"sample_rate_hz": 48000, "width_pixels": 256}; '
            f"{field}: {problem['msg']}.",
            minimum=MIN_LIVE_SAMPLE_RATE_HZ,
            maximum=MAX_LIVE_SAMPLE_RATE_HZ,
        ) from None
    return LiveImageRequest(caller=caller, **opening.model_dump())


def image_event_message(event: LiveImageEvent) -> dict[str, Any]:
    """Return the text message of an event of live images; that of an image is followed by its bytes."""
    if isinstance(event, LiveImagesReady):
        return {"type": "ready", **asdict(event), "max_pcm_bytes": MAX_MESSAGE_BYTES}
    message = asdict(event)
    return {"type": "image", "size_bytes": len(message.pop("content")), **message}


def parse_chunk(message: dict[str, Any]) -> LiveChunk | None:
    """Return the samples in a message, or that it asks for a summary; `None` if it ends the sound.

    Raises:
        InvalidInputError: The message is neither.
    """
    if (data := message.get("bytes")) is not None:
        if len(data) > MAX_MESSAGE_BYTES or len(data) % BYTES_PER_SAMPLE:
            raise _invalid(
                f"a message of sound has {len(data)} bytes, must have an even number up to "
                f"{MAX_MESSAGE_BYTES}: whole 16-bit samples.",
                value=len(data),
                maximum=MAX_MESSAGE_BYTES,
            )
        return bytes(data)
    match _type_of(message.get("text") or ""):
        case "flush":
            return Flush.FLUSH
        case "end":
            return None
    raise _invalid(
        'after the first message come binary messages of sound, or the text {"type": "flush"} or '
        '{"type": "end"}.'
    )


def event_message(event: LiveEvent) -> dict[str, Any]:
    """Return the message of an event."""
    if isinstance(event, LiveReady):
        return {
            "type": "ready",
            "mel_parameters": asdict(event.mel_parameters),
            "max_duration_seconds": event.max_duration_seconds,
            "max_pcm_bytes": MAX_MESSAGE_BYTES,
            "minimum_db": MINIMUM_DB,
            "maximum_db": MAXIMUM_DB,
        }
    if isinstance(event, LiveFrames):
        return {
            "type": "frames",
            "first_frame": event.first_frame,
            "power_db": [_encode(frame) for frame in event.power_db],
            "level": None
            if event.level_dbfs is None
            else {"rms_dbfs": event.level_dbfs, "peak_dbfs": event.peak_dbfs},
        }
    summary = asdict(event)
    return {"type": "summary" if summary.pop("is_end") else "so_far", **summary}


def error_message(error: ChladniError) -> dict[str, Any]:
    """Return the message of an error, the last one before the end."""
    return {"type": "error", **error_body(error)}


def encode(message: dict[str, Any]) -> str:
    """Return the text of a message."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _encode(frame: tuple[float, ...]) -> str:
    """Return a frame as base64, a byte for each mel bin, the lowest first."""
    scale = _LARGEST_BYTE / (MAXIMUM_DB - MINIMUM_DB)
    levels = (round((min(max(power_db, MINIMUM_DB), MAXIMUM_DB) - MINIMUM_DB) * scale) for power_db in frame)
    return base64.b64encode(bytes(levels)).decode()


def _type_of(text: str) -> str:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    is_plain = isinstance(message, dict) and message.keys() == {"type"}
    return str(message["type"]) if is_plain else ""


def _invalid(message: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(
        Reason.INVALID_FIELD,
        message,
        field="message",
        metadata={STAGE_KEY: Stage.VALIDATION.value, **metadata},
    )

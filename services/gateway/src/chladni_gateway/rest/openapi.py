"""Examples of answers for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from chladni_gateway.domain.images import ImageFormat

API: Final = "/api/v1"
"""Path of this version of the API."""
FIRST_API: Final = "/api"
"""Path of four operations as they were promised before the API had versions; not in the document."""

SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of the operator, or of the issuer that the operator names. A server may do "
        "without; it answers 401 if it does not. The scope `read` allows what changes nothing, `write` the "
        "rest.",
    },
    "signIn": {
        "type": "apiKey",
        "in": "cookie",
        "name": "chladni_sign_in",
        "description": "What a browser gets for a token at `/sign-in`; WebSockets of pages send it too.",
    },
}

IMAGE_ID: Final = "5f6b8a2e-9a50-4a0e-8f5f-0f3c3a1d7e10"
OTHER_IMAGE_ID: Final = "c56a4180-65aa-42ec-a945-5fd21dec0538"
REQUEST_ID: Final = "0d5e7c62-6a0b-4a53-9a52-5b1a4c0e7a11"
JOB_ID: Final = "0c8a4b0e-3a57-4b4c-9d6b-2f1f6f3f9a11"

_DIGEST: Final = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_DESCRIPTOR: Final[dict[str, Any]] = {
    "name": "brightness",
    "value": 2210.4,
    "unit": "Hz",
    "minimum": 0.0,
    "maximum": 11025.0,
    "description": "Centre of the spectrum.",
}
CREATED_IMAGE: Final[dict[str, Any]] = {
    "image_id": IMAGE_ID,
    "image_url": f"/api/v1/images/{IMAGE_ID}",
    "processing_time": 1.84,
    "seed": 7,
    "recipe": "embedded",
    "reused": False,
    "pinned": False,
    "display_name": "voice.wav",
    "create_time": "2026-01-15T10:30:00Z",
    "expire_time": "2026-01-16T10:30:00Z",
    "format": "png",
    "size_bytes": 421733,
    "sha256": _DIGEST,
    "width_pixels": 512,
    "height_pixels": 512,
    "provenance": {
        "model": "chladni-embedded",
        "model_digest": _DIGEST,
        "recipe": "embedded",
        "seed": 7,
        "steps": 20,
        "guidance_scale": 2.5,
        "scheduler": "DPMSolverMultistepScheduler",
        "width_pixels": 512,
        "height_pixels": 512,
        "audio_sha256": _DIGEST,
        "conditioning_sha256": _DIGEST,
        "dtype": "float32",
        "device": "cpu",
        "batch_size": 1,
        "thread_count": 2,
        "library_versions": {"torch": "2.13.0"},
        "reproducible": True,
        "device_capability": "AVX512",
        "decode_batch_size": 1,
        "stage": "",
        "earlier": [],
        "fallback": "",
        "prompt": "",
        "negative_prompt": "",
        "strength": None,
        "initial_latents_weight": None,
        "upscale": 1,
        "refiner_start": None,
        "recipe_options": {},
        "audio_start_seconds": None,
        "audio_end_seconds": None,
        "look": "",
    },
    "audio": {
        "format": "wav",
        "sample_rate_hz": 44100,
        "channel_count": 1,
        "duration_seconds": 3.2,
        "sha256": _DIGEST,
        "start_seconds": None,
    },
    "descriptors": [_DESCRIPTOR],
    "warnings": [],
}
JOB: Final[dict[str, Any]] = {
    "job_id": JOB_ID,
    "state": "running",
    "stage": "image_generation",
    "display_name": "voice.wav",
    "create_time": "2026-01-15T10:30:00Z",
    "end_time": None,
    "position": None,
    "step": 8,
    "total_steps": 20,
    "elapsed_seconds": 0.9,
    "remaining_seconds": 1.3,
    "part": "",
    "fallback_reason": "",
    "image": None,
    "error": None,
    "events_url": f"/api/v1/jobs/{JOB_ID}/events",
}
COMPARISON: Final[dict[str, Any]] = {
    "score": 0.87,
    "percentage": "87%",
    "level": "high",
    "cosine": 0.87,
    "model": "efficientnet-lite0",
}
ALIGNMENT: Final[dict[str, Any]] = {
    "image_id": IMAGE_ID,
    "audio_of": OTHER_IMAGE_ID,
    "score": 0.93,
    "percentage": "93%",
    "level": "high",
    "cosine": 0.41,
    "model": "chladni-alignment",
}
MATRIX: Final[dict[str, Any]] = {
    "image_ids": [IMAGE_ID, OTHER_IMAGE_ID],
    "scores": [[1.0, 0.87], [0.87, 1.0]],
    "percentages": [["100%", "87%"], ["87%", "100%"]],
    "model": "efficientnet-lite0",
}
MATCHES: Final[dict[str, Any]] = {
    "matches": [{"image": CREATED_IMAGE, "score": 0.87, "percentage": "87%", "level": "high"}]
}
_SERVICES: Final[list[dict[str, Any]]] = [
    {"name": "audio-features", "state": "healthy"},
    {"name": "image-generation", "state": "healthy"},
    {"name": "similarity", "state": "healthy"},
]
HEALTH: Final[dict[str, Any]] = {"status": "healthy", "models_loaded": True, "services": _SERVICES}
RECIPES: Final[dict[str, Any]] = {
    "recipes": [
        {
            "name": "embedded",
            "description": "Describes the sound and lets a diffusion model paint it.",
            "available": True,
            "unavailable_reason": "",
            "models": ["chladni-descriptors-v2", "chladni-embedded"],
            "requirements": [
                {
                    "description": "an audio-conditioned model in image-generation",
                    "met": True,
                    "has_fallback": False,
                    "model": "chladni-embedded",
                    "remedy": "",
                }
            ],
            "options": ["model", "upscale", "look"],
            "required_options": [],
        }
    ],
    "default_recipe": "embedded",
}
SERVER_INFO: Final[dict[str, Any]] = {
    "version": "0.1.0",
    "api_packages": ["chladni.gateway.v1"],
    "limits": {
        "max_audio_bytes": 10485760,
        "max_upload_bytes": 209715200,
        "min_audio_duration_seconds": 0.1,
        "max_audio_duration_seconds": 30.0,
        "max_live_duration_seconds": 120.0,
        "max_message_bytes": 25165824,
        "seed": {"min": 0, "max": 4294967295},
        "steps": {"min": 1, "max": 150},
        "guidance_scale": {"min": 1, "max": 30.0},
        "side_pixels": {"min": 16, "max": 4096},
        "max_prompt_characters": 2000,
        "max_unfinished_jobs": 16,
        "max_matrix_images": 24,
        "max_images": 100,
        "min_ping_interval_seconds": 5.0,
        "image_retention_seconds": 86400.0,
        "default_creation_timeout_seconds": 60.0,
        "audio_formats": ["WAV", "MP3", "FLAC", "OGG", "M4A", "WebM", "AAC", "AMR", "AIFF", "CAF"],
        "live_sample_rate_hz": {"min": 16000, "max": 48000},
    },
    "image_count": 12,
    "services": _SERVICES,
}
_EVENT_STREAM: Final = (
    "event: queued\n"
    'data: {"stage":"image_generation","position":0}\n'
    "id: 1\n\n"
    "event: progress\n"
    'data: {"stage":"image_generation","step":1,"total_steps":20,"elapsed_seconds":0.1,'
    '"remaining_seconds":1.9,"preview":null}\n'
    "id: 2\n\n"
)


def error_example(code: str) -> dict[str, Any]:
    """Return an example of the body of an error."""
    return {
        "error": {
            "code": code,
            "message": "What is wrong, the limit, and what to do.",
            "stage": "validation",
            "timestamp": "2026-01-15T10:30:00.000Z",
            "reason": code,
            "metadata": {"stage": "validation"},
            "violations": [],
        }
    }


def json_example(value: object) -> dict[str, Any]:
    """Return the content of an answer with an example; its schema comes from the response model."""
    return {"application/json": {"example": value}}


def image_content(formats: Iterable[ImageFormat] = ImageFormat) -> dict[str, Any]:
    """Return the content of an answer that is an image file of one of some formats."""
    schema = {"type": "string", "format": "binary"}
    return {form.media_type: {"schema": schema} for form in formats}


def event_stream_content(*names: str) -> dict[str, Any]:
    """Return the content of an answer that is a stream of events; the schema is that of each event."""
    schema = {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string", "description": "Number of the event."},
            "event": {"type": "string", "enum": list(names)},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": "Data of the event, as JSON; each names its `stage`.",
            },
        },
    }
    return {"text/event-stream": {"schema": schema, "example": _EVENT_STREAM}}

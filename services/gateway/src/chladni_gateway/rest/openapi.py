"""Examples of answers for the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

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
    "image_url": f"/api/images/{IMAGE_ID}",
    "processing_time": 1.84,
    "seed": 7,
    "recipe": "embedded",
    "is_reused": False,
    "file_name": "voice.wav",
    "created_at": "2026-01-15T10:30:00Z",
    "expires_at": "2026-01-16T10:30:00Z",
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
    },
    "audio": {
        "format": "wav",
        "sample_rate_hz": 44100,
        "channel_count": 1,
        "duration_seconds": 3.2,
        "sha256": _DIGEST,
    },
    "descriptors": [_DESCRIPTOR],
}
JOB: Final[dict[str, Any]] = {
    "job_id": JOB_ID,
    "state": "running",
    "stage": "image_generation",
    "file_name": "voice.wav",
    "created_at": "2026-01-15T10:30:00Z",
    "finished_at": None,
    "position": None,
    "step": 8,
    "total_steps": 20,
    "elapsed_seconds": 0.9,
    "remaining_seconds": 1.3,
    "part": "",
    "fallback": "",
    "image": None,
    "error": None,
    "events_url": f"/api/jobs/{JOB_ID}/events",
}
ERROR: Final[dict[str, Any]] = {
    "error": {
        "code": "INVALID_FIELD",
        "message": "steps: is 500, must be from 1 to 150.",
        "stage": "validation",
        "timestamp": "2026-01-15T10:30:00.000Z",
    }
}
UNAVAILABLE: Final[dict[str, Any]] = {
    "error": {
        "code": "BACKEND_UNAVAILABLE",
        "message": "The service image-generation cannot be reached. Try again shortly.",
        "stage": "image_generation",
        "timestamp": "2026-01-15T10:30:00.000Z",
    }
}
COMPARISON: Final[dict[str, Any]] = {
    "similarity_score": 0.87,
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
HEALTH: Final[dict[str, Any]] = {
    "status": "healthy",
    "models_loaded": True,
    "services": {
        "audio-features": {"status": "serving"},
        "image-generation": {"status": "serving"},
        "similarity": {"status": "serving"},
    },
}
RECIPES: Final[dict[str, Any]] = {
    "recipes": [
        {
            "name": "embedded",
            "description": "Describes the sound and lets a diffusion model paint it.",
            "is_default": True,
            "is_available": True,
            "unavailable_reason": "",
            "models": ["chladni-descriptors-v2", "chladni-embedded"],
            "needs": [
                {
                    "description": "an audio-conditioned model in image-generation",
                    "is_met": True,
                    "is_optional": False,
                    "model": "chladni-embedded",
                    "remedy": "",
                }
            ],
            "options": ["model", "upscale"],
            "required_options": [],
        }
    ]
}
LIMITS: Final[dict[str, Any]] = {
    "formats": ["WAV", "MP3", "FLAC", "OGG"],
    "max_file_bytes": 10485760,
    "duration_seconds": {"minimum": 0.1, "maximum": 30.0},
    "seed": {"minimum": 0, "maximum": 4294967295},
    "steps": {"minimum": 1, "maximum": 150},
    "guidance": {"minimum": 1, "maximum": 30.0},
    "width_pixels": {"minimum": 16, "maximum": 4096},
    "height_pixels": {"minimum": 16, "maximum": 4096},
    "prompt_characters": 2000,
    "max_unfinished_jobs": 16,
    "matrix_images": {"minimum": 2, "maximum": 24},
    "live_sample_rate_hz": {"minimum": 16000, "maximum": 48000},
    "max_live_seconds": 120.0,
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


def json_example(value: object) -> dict[str, Any]:
    """Return the content of an answer with an example; its schema comes from the response model."""
    return {"application/json": {"example": value}}


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

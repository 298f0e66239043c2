"""What the OpenAPI document says beyond the schemas: forms of uploads, and examples of answers."""

from __future__ import annotations

from typing import Any, Final

from chladni_gateway.domain.generation import Priority
from chladni_gateway.domain.recipe_options import NoiseMode
from chladni_gateway.domain.request import (
    MAX_GUIDANCE_SCALE,
    MAX_MODEL_NAME_LENGTH,
    MAX_PROMPT_LENGTH,
    MAX_SCHEDULER_NAME_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
    UPSCALES,
)

IMAGE_ID: Final = "5f6b8a2e-9a50-4a0e-8f5f-0f3c3a1d7e10"
OTHER_IMAGE_ID: Final = "c56a4180-65aa-42ec-a945-5fd21dec0538"
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
        "exact": True,
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
    "recipe_stage": "",
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
    "sound_of": OTHER_IMAGE_ID,
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
_FILE: Final[dict[str, Any]] = {
    "type": "string",
    "format": "binary",
    "minLength": 1,
    "description": "The recording: WAV, MP3, FLAC or OGG; GET /api/limits tells the limits.",
}
_ENCODING: Final[dict[str, Any]] = {"file": {"contentType": "audio/wav, audio/mpeg, audio/flac, audio/ogg"}}
_OPTIONS: Final[dict[str, Any]] = {
    "prompt": {
        "type": "string",
        "maxLength": MAX_PROMPT_LENGTH,
        "description": "Text to follow, for recipes that take one. Absent: the recipe's default.",
        "examples": ["abstract visualization, colorful, artistic, detailed"],
    },
    "negative_prompt": {
        "type": "string",
        "maxLength": MAX_PROMPT_LENGTH,
        "description": "Text to avoid, for recipes that take one.",
        "examples": ["text, watermark"],
    },
    "strength": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "description": "How far to go from the image of the sound, for recipes that start from one. "
        "Absent: 0.7.",
        "examples": [0.7],
    },
    "model": {
        "type": "string",
        "maxLength": MAX_MODEL_NAME_LENGTH,
        "description": "Image model by its identifier, where the recipe can use several. "
        "Absent: the recipe's choice.",
        "examples": ["chladni-embedded"],
    },
    "noise_mode": {
        "type": "string",
        "enum": [mode.value for mode in NoiseMode],
        "description": "How the sound becomes initial noise: `blend` mixes it into seeded noise, `raw` takes "
        "its mel image as it is, `dct` the cosine transform of that. Absent: blend.",
        "examples": ["blend"],
    },
    "noise_weight": {
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "description": "How much of the sound the noise holds. Absent: 0.3 for `blend`, 1 for the others.",
        "examples": [0.3],
    },
    "upscale": {
        "type": "integer",
        "enum": list(UPSCALES),
        "description": "Factor by which the finished image is larger than its width and height say, for "
        "models that can. Absent: 1.",
        "examples": [2],
    },
    "refiner_start": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 1,
        "description": "Part of the steps after which the refiner takes over, for models with one; 1 leaves "
        "it out. Absent: the model's default.",
        "examples": [0.8],
    },
}
_CREATION_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file"],
    "properties": {
        "file": _FILE,
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_SEED,
            "description": "Seed of the noise. Absent: drawn, and returned.",
            "examples": [7],
        },
        "steps": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_STEPS,
            "description": "Denoising steps. Absent: the model's default.",
            "examples": [20],
        },
        "guidance": {
            "type": "number",
            "minimum": 1,
            "maximum": MAX_GUIDANCE_SCALE,
            "description": "How closely the image follows the sound; 1 is not pushed at all. "
            "Absent: the model's default.",
            "examples": [2.5],
        },
        "recipe": {
            "type": "string",
            "description": "Recipe by its name. Absent: the default one.",
            "examples": ["embedded"],
        },
        "scheduler": {
            "type": "string",
            "maxLength": MAX_SCHEDULER_NAME_LENGTH,
            "description": "Scheduler by its diffusers class name. Absent: the model's default.",
            "examples": ["DPMSolverMultistepScheduler"],
        },
        "width_pixels": {
            "type": "integer",
            "minimum": MIN_SIDE_PIXELS,
            "maximum": MAX_SIDE_PIXELS,
            "description": "Width; models say which sizes they take. Absent: the model's native width.",
            "examples": [512],
        },
        "height_pixels": {
            "type": "integer",
            "minimum": MIN_SIDE_PIXELS,
            "maximum": MAX_SIDE_PIXELS,
            "description": "Height; models say which sizes they take. Absent: the model's native height.",
            "examples": [512],
        },
        "priority": {
            "type": "string",
            "enum": [priority.value for priority in Priority],
            "default": Priority.INTERACTIVE.value,
            "description": "How urgent it is: `interactive` where someone waits for the image, `batch` for "
            "one of many.",
            "examples": ["batch"],
        },
        "exact": {
            "type": "boolean",
            "default": True,
            "description": "Whether the same request must give the same pixels whatever else the server "
            "does; without it the image may be made faster.",
            "examples": [True],
        },
        "bypass_cache": {
            "type": "boolean",
            "default": False,
            "description": "Whether the image must be computed anew, even where an identical request gave "
            "it before.",
            "examples": [False],
        },
        **_OPTIONS,
    },
}

_CREATION_EXAMPLES: Final[dict[str, Any]] = {
    "plain": {"summary": "The model's choice of everything", "value": {"file": "voice.wav"}},
    "again": {
        "summary": "An image that can be made again, bit for bit",
        "value": {"file": "voice.wav", "seed": 7, "steps": 20, "guidance": 2.5},
    },
    "noise": {
        "summary": "The sound as the noise from which the image is denoised",
        "value": {"file": "voice.wav", "recipe": "latent-noise", "noise_mode": "blend", "noise_weight": 0.3},
    },
    "prompt": {
        "summary": "An image that follows a prompt, from the spectrogram",
        "value": {
            "file": "voice.wav",
            "recipe": "spectrogram",
            "prompt": "a coral reef, oil on canvas",
            "strength": 0.6,
        },
    },
    "many": {
        "summary": "One of many, that may wait for those someone waits for",
        "value": {"file": "voice.wav", "priority": "batch", "exact": False},
    },
}

CREATION_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": _CREATION_SCHEMA,
            "encoding": _ENCODING,
            "examples": _CREATION_EXAMPLES,
        }
    },
}

SPECTROGRAM_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "additionalProperties": False,
                "required": ["file"],
                "properties": {
                    "file": _FILE,
                    "width_pixels": {
                        "type": "integer",
                        "minimum": MIN_SIDE_PIXELS,
                        "maximum": MAX_SIDE_PIXELS,
                        "default": 512,
                        "examples": [1024],
                    },
                    "height_pixels": {
                        "type": "integer",
                        "minimum": MIN_SIDE_PIXELS,
                        "maximum": MAX_SIDE_PIXELS,
                        "default": 512,
                        "examples": [256],
                    },
                },
            },
            "encoding": _ENCODING,
            "examples": {
                "wide": {
                    "summary": "For a player's width",
                    "value": {"file": "voice.wav", "width_pixels": 1024, "height_pixels": 256},
                }
            },
        }
    },
}


def json_example(value: object) -> dict[str, Any]:
    """Returns the content of an answer whose schema stands elsewhere, with an example."""
    return {"application/json": {"example": value}}


def event_stream_content(*names: str) -> dict[str, Any]:
    """Returns the content of an answer that is a stream of events; the schema is that of each event."""
    schema = {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {
            "id": {"type": "string", "description": "Number of the event."},
            "event": {"type": "string", "enum": list(names)},
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": "Facts of the event, as JSON; each names its `stage`.",
            },
        },
    }
    return {"text/event-stream": {"schema": schema, "example": _EVENT_STREAM}}

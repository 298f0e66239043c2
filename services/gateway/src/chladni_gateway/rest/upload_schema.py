"""The forms of uploads, as OpenAPI describes them."""

from typing import Any, Final

from chladni_gateway.collaborators import Priority
from chladni_gateway.creation_request import (
    MAX_GUIDANCE_SCALE,
    MAX_SCHEDULER_NAME_LENGTH,
    MAX_SEED,
    MAX_SIDE_PIXELS,
    MAX_STEPS,
    MIN_SIDE_PIXELS,
)

_FILE: Final[dict[str, Any]] = {
    "type": "string",
    "format": "binary",
    "minLength": 1,
    "description": "The recording: WAV, MP3, FLAC or OGG; GET /api/limits tells the limits.",
}
_ENCODING: Final[dict[str, Any]] = {"file": {"contentType": "audio/wav, audio/mpeg, audio/flac, audio/ogg"}}
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
            "description": "How closely the picture follows the sound; 1 is not pushed at all. "
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
            "description": "How urgent it is: `interactive` where someone waits for the picture, `batch` for "
            "one of many.",
            "examples": ["batch"],
        },
        "exact": {
            "type": "boolean",
            "default": True,
            "description": "Whether the same request must give the same pixels whatever else the server "
            "does; without it the picture may be made faster.",
            "examples": [True],
        },
        "bypass_cache": {
            "type": "boolean",
            "default": False,
            "description": "Whether the picture must be computed anew, even where an identical request gave "
            "it before.",
            "examples": [False],
        },
    },
}

_CREATION_EXAMPLES: Final[dict[str, Any]] = {
    "plain": {"summary": "The model's choice of everything", "value": {"file": "voice.wav"}},
    "again": {
        "summary": "A picture that can be made again, bit for bit",
        "value": {"file": "voice.wav", "seed": 7, "steps": 20, "guidance": 2.5},
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

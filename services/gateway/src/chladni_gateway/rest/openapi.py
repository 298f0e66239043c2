"""The forms of uploads, as OpenAPI describes them."""

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

"""The fields of `POST /api/v1/generate`: which are wrong, and how that is said."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("fields", "status", "code", "words"),
    [
        ({"seed": "x"}, 400, "INVALID_FIELD", "seed: is 'x', must be a whole number"),
        ({"seed": "1.5"}, 400, "INVALID_FIELD", "seed"),
        ({"seed": "-1"}, 400, "INVALID_FIELD", "seed: is -1, must be from 0 to 4294967295"),
        ({"seed": "4294967296"}, 400, "INVALID_FIELD", "4294967295"),
        ({"seed": "9" * 300}, 400, "INVALID_FIELD", "seed is longer than 256 bytes"),
        ({"steps": "0"}, 400, "INVALID_FIELD", "steps: is 0, must be from 1 to 150"),
        ({"steps": "151"}, 400, "INVALID_FIELD", "steps"),
        ({"guidance_scale": "nan"}, 400, "INVALID_FIELD", "guidance_scale"),
        ({"guidance_scale": "0.9"}, 400, "INVALID_FIELD", "guidance_scale: is 0.9, must be from 1 to 30"),
        ({"guidance_scale": "1e3"}, 400, "INVALID_FIELD", "guidance_scale"),
        ({"recipe": "alchemy"}, 404, "UNKNOWN_RECIPE", "known: embedded, audioldm, spectrogram"),
        ({"recipe": "a" * 65}, 400, "INVALID_FIELD", "recipe"),
        ({"sead": "1"}, 400, "INVALID_FIELD", "did you mean seed?"),
        ({"scheduler": "s" * 65}, 400, "INVALID_FIELD", "scheduler: has 65 characters, at most 64"),
        ({"width_pixels": "wide"}, 400, "INVALID_FIELD", "width_pixels: is 'wide', must be a whole number"),
        ({"width_pixels": "15"}, 400, "INVALID_FIELD", "width_pixels: is 15 pixels, must be from 16 to 4096"),
        ({"height_pixels": "4097"}, 400, "INVALID_FIELD", "height_pixels: is 4097 pixels, must be from 16"),
        ({"priority": "now"}, 400, "INVALID_FIELD", "priority: is 'now', must be interactive or batch."),
        ({"priority": "BATCH"}, 400, "INVALID_FIELD", "priority"),
        (
            {"reproducible": "perhaps"},
            400,
            "INVALID_FIELD",
            "reproducible: is 'perhaps', must be true or false.",
        ),
        ({"bypass_cache": "1"}, 400, "INVALID_FIELD", "bypass_cache: is '1', must be true or false."),
        ({"prompt": "p" * 2001}, 400, "INVALID_FIELD", "prompt: has 2001 characters, at most 2000"),
        ({"prompt": "p" * 8001}, 400, "INVALID_FIELD", "prompt is longer than 8000 bytes"),
        ({"negative_prompt": "p" * 2001}, 400, "INVALID_FIELD", "negative_prompt: has 2001 characters"),
        ({"strength": "0"}, 400, "INVALID_FIELD", "strength: is 0.0, must be above 0 and at most 1."),
        ({"strength": "1.1"}, 400, "INVALID_FIELD", "strength"),
        ({"strength": "nan"}, 400, "INVALID_FIELD", "strength: is 'nan', must be a decimal number."),
        ({"model": "m" * 257}, 400, "INVALID_FIELD", "model: has 257 characters, at most 256"),
        ({"noise_mode": "pink"}, 400, "INVALID_FIELD", "noise_mode: is 'pink', must be mel or blend or dct."),
        ({"noise_weight": "1.5"}, 400, "INVALID_FIELD", "noise_weight: is 1.5, must be from 0 to 1."),
        ({"upscale": "3"}, 400, "INVALID_FIELD", "upscale: is 3, must be 1 or 2."),
        ({"refiner_start": "0"}, 400, "INVALID_FIELD", "refiner_start: is 0.0, must be above 0"),
        ({"prompt": "a reef"}, 400, "INVALID_FIELD", "prompt: the recipe embedded does not take it; its "),
    ],
)
async def test_a_wrong_field_is_named_with_its_limit(gateway, error_of, fields, status, code, words):
    response = await gateway.create(**fields)
    assert response.status_code == status
    error = error_of(response)
    assert (error["code"], error["stage"]) == (code, "validation")
    assert words in error["message"]


async def test_all_wrong_fields_are_told_together(gateway, error_of):
    error = error_of(await gateway.create(seed="-1", steps="0", guidance_scale="99"))
    assert all(name in error["message"] for name in ("seed", "steps", "guidance_scale"))
    assert [item["field"] for item in error["violations"]] == ["seed", "steps", "guidance_scale"]


async def test_empty_text_fields_count_as_absent(backends, gateway):
    names = [
        "seed", "steps", "guidance_scale", "recipe", "scheduler", "width_pixels", "height_pixels", "priority",
        "reproducible", "bypass_cache", "prompt", "negative_prompt", "strength", "model", "noise_mode",
        "noise_weight", "calibration", "request_id", "upscale", "refiner_start", "look",
    ]  # fmt: skip
    assert (await gateway.create(**dict.fromkeys(names, ""))).status_code == 200
    await gateway.create()
    (first, _), (second, _) = backends.image_generation.requests
    assert first == second


async def test_a_missing_or_empty_file_is_told(gateway, error_of):
    response = await gateway.http.post("/api/v1/generate", files={"seed": (None, b"1")})
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("MISSING_FIELD", "validation")
    assert error["message"].startswith("file: is missing")
    assert error_of(await gateway.create(b""))["code"] == "EMPTY_AUDIO"


JUNK_FIELDS = st.dictionaries(
    st.sampled_from(
        ["seed", "steps", "guidance_scale", "recipe", "scheduler", "width_pixels", "priority", "reproducible"]
    ),
    st.text(st.characters(codec="utf-8"), max_size=20),
    max_size=4,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fields=JUNK_FIELDS)
async def test_whatever_the_fields_hold_the_answer_is_an_image_or_a_documented_error(
    gateway, error_of, fields
):
    """Feature: voice-to-image-system, Property 10: API Error Response Format."""
    response = await gateway.create(**fields)
    if response.status_code == 200:
        uuid.UUID(response.json()["image_id"])
    else:
        assert response.status_code in {400, 404}
        error = error_of(response)
        assert error["code"] in {"INVALID_FIELD", "UNKNOWN_RECIPE"}
        assert error["stage"] == "validation"
        assert error["message"]

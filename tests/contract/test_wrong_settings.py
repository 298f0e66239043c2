"""Every setting of every service, tried with wrong values: each is refused in one sentence that helps."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from pydantic import SecretStr

from chladni_audio_features.config import AudioFeaturesSettings
from chladni_gateway.config import GatewaySettings
from chladni_image_generation.config import ImageGenerationSettings
from chladni_runtime.settings import SettingsError, load_settings
from chladni_similarity.config import SimilaritySettings

ALL_SETTINGS = (AudioFeaturesSettings, GatewaySettings, ImageGenerationSettings, SimilaritySettings)
UNLIMITED = {  # any text is a value of these
    "ANTHROPIC_MODEL", "OPENAI_MODEL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OIDC_AUDIENCE",
    "CHECKPOINT_FOLDER", "FILM_FOLDER", "IMAGE_FOLDER", "JOB_DATABASE", "HOST", "OIDC_SCOPE_PREFIX",
    "IMAGE_BUCKET_ACCESS_KEY_ID", "IMAGE_BUCKET_SECRET_ACCESS_KEY",
}  # fmt: skip
WRONG_TEXT = {
    "TRUSTED_PEERS": "10.0.0.0/99",
    "ALLOWED_HOSTS": "10.0.0.0/99",
    "CORS_ORIGINS": "everyone",
    "FURTHER_IMAGE_GENERATION_TARGETS": "x" * 513,
    "FURTHER_MODELS": "a b c",
    "LATENT_CALIBRATIONS": "a b c",
    "SESSION_KEY": "hunter2",
    "WEBHOOK_HOSTS": "https://example.org",
    "WEBHOOK_PRIVATE_HOSTS": "*example.org",
    "QDRANT_API_KEY": "",
    "OIDC_DEFAULT_SCOPES": "all",
    "PROMPT_WRITER": "shakespeare",
    "ANTHROPIC_URL": "ftp://example.com",
    "OPENAI_URL": "ftp://example.com",
    "LOCAL_WRITER_FILE": "model.bin",
}
TRIALS = [
    pytest.param(settings, name, id=f"{settings.environment_prefix}{name.upper()}")
    for settings in ALL_SETTINGS
    for name in settings.model_fields
    if name.upper() not in UNLIMITED
]


def constraint(field, name):
    return next((getattr(item, name) for item in field.metadata if hasattr(item, name)), None)


def wrong_values(settings, name):
    """Return wrong values of a setting: of another kind, and beyond each limit."""
    if name.upper() in WRONG_TEXT:
        return [WRONG_TEXT[name.upper()]]
    field = settings.model_fields[name]
    kinds = {field.annotation, *get_args(field.annotation)}
    if bool in kinds:
        return ["perhaps"]
    if kinds & {int, float}:
        values = ["many"]
        for limit, step in (("ge", -1), ("gt", 0), ("le", 1), ("lt", 0)):
            if (bound := constraint(field, limit)) is not None:
                values.append(str(bound + step))
        return values
    length = constraint(field, "max_length")
    return [
        "/no/such/file"
        if "Path" in str(field.annotation)
        else " \n?"
        if length is None
        else "x" * (length + 1)
    ]


@pytest.mark.parametrize(("settings", "name"), TRIALS)
def test_a_wrong_value_is_refused_in_one_sentence_that_helps(settings, name):
    field = settings.model_fields[name]
    variable = f"{settings.environment_prefix}{name.upper()}"
    for value in wrong_values(settings, name):
        with pytest.raises(SettingsError) as caught:
            load_settings(settings, {variable: value})
        head, fault, *more = str(caught.value).split("\n  ")
        assert (head, more) == ("The settings have 1 fault(s):", []), value
        is_secret = SecretStr in (field.annotation, *get_args(field.annotation))
        shown = "" if is_secret else f"={value[:120]!r}"
        assert fault.startswith(f"{variable}{shown[:60]}"), fault
        assert re.search(r"\b(Correct|Set|Give|Lower|Unset)\b", fault), fault
        assert fault.endswith("."), fault
        assert "Value error" not in fault
        assert "\n" not in fault
        if is_secret and value:
            assert value not in fault
        for limit in ("ge", "gt", "le", "lt", "max_length"):
            if (bound := constraint(field, limit)) is not None and name.upper() not in WRONG_TEXT:
                assert str(bound) in fault, fault

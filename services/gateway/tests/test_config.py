"""Settings from the environment."""

from __future__ import annotations

from typing import get_args

import pytest

from chladni_gateway.config import GatewaySettings, RecipeName
from chladni_gateway.offered_recipes import RECIPES
from chladni_runtime.settings import SettingsError, load_settings


def test_defaults_are_those_of_the_deployment_on_one_machine():
    settings = load_settings(GatewaySettings, {})
    assert (settings.grpc_port, settings.http_port, settings.metrics_port) == (50050, 8000, 9100)
    assert settings.audio_features_target == "127.0.0.1:50051"
    assert (settings.max_images, settings.max_images_per_session) == (1000, 100)
    assert settings.image_retention_seconds == 86400
    assert settings.max_audio_bytes == 10 * 1024 * 1024
    assert settings.cors_origins == ()


def test_a_phone_on_a_slow_network_has_time_to_send_the_largest_recording():
    settings = load_settings(GatewaySettings, {})
    slow_bytes_per_second = 40_000
    assert slow_bytes_per_second > settings.min_upload_bytes_per_second
    for seconds in (settings.upload_timeout_seconds, settings.message_timeout_seconds):
        assert seconds * slow_bytes_per_second > settings.max_audio_bytes


def test_origins_are_separated_by_commas():
    settings = load_settings(
        GatewaySettings, {"CHLADNI_GATEWAY_CORS_ORIGINS": "https://a.example, https://b.example:8443"}
    )
    assert [str(origin) for origin in settings.cors_origins] == [
        "https://a.example/",
        "https://b.example:8443/",
    ]


def test_further_servers_are_separated_by_commas():
    settings = load_settings(
        GatewaySettings,
        {"CHLADNI_GATEWAY_FURTHER_IMAGE_GENERATION_TARGETS": "dns:///sdxl:50052, 10.0.0.7:50052,"},
    )
    assert settings.further_image_generation_targets == ("dns:///sdxl:50052", "10.0.0.7:50052")
    assert load_settings(GatewaySettings, {}).further_image_generation_targets == ()


def test_lists_are_read_from_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("CHLADNI_GATEWAY_FURTHER_IMAGE_GENERATION_TARGETS", "a:50052,b:50052")
    monkeypatch.setenv("CHLADNI_GATEWAY_CORS_ORIGINS", "https://a.example")
    settings = load_settings(GatewaySettings)
    assert settings.further_image_generation_targets == ("a:50052", "b:50052")
    assert [str(origin) for origin in settings.cors_origins] == ["https://a.example/"]


def test_the_default_recipe_is_one_of_the_recipes():
    variable = "CHLADNI_GATEWAY_DEFAULT_RECIPE"
    for recipe in RECIPES:
        assert load_settings(GatewaySettings, {variable: recipe.name}).default_recipe == recipe.name
    assert get_args(RecipeName) == tuple(recipe.name for recipe in RECIPES)
    with pytest.raises(SettingsError, match=variable):
        load_settings(GatewaySettings, {variable: "alchemy"})


def test_all_faults_are_told_together():
    with pytest.raises(SettingsError) as caught:
        load_settings(
            GatewaySettings,
            {
                "CHLADNI_GATEWAY_MAX_IMAGES": "0",
                "CHLADNI_GATEWAY_CORS_ORIGINS": "everyone",
                "CHLADNI_GATEWAY_IMAGE_FOLDR": "/tmp",
            },
        )
    message = str(caught.value)
    assert "MAX_IMAGES" in message
    assert "CORS_ORIGINS" in message
    assert "did you mean CHLADNI_GATEWAY_IMAGE_FOLDER" in message


def test_what_gateways_share_needs_a_key_that_they_share():
    bucket = {"CHLADNI_GATEWAY_IMAGE_BUCKET": "images"}
    with pytest.raises(SettingsError, match=r"IMAGE_BUCKET.*needs CHLADNI_GATEWAY_SESSION_KEY"):
        load_settings(GatewaySettings, bucket)
    load_settings(GatewaySettings, bucket | {"CHLADNI_GATEWAY_SESSION_KEY": "k" * 32})


@pytest.mark.parametrize("address", ["s3.example", "ftp://s3.example", "http://"])
def test_the_address_of_a_bucket_is_one(address):
    with pytest.raises(SettingsError, match="IMAGE_BUCKET_ENDPOINT"):
        load_settings(GatewaySettings, {"CHLADNI_GATEWAY_IMAGE_BUCKET_ENDPOINT": address})

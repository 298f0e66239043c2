"""Settings and what they become."""

from __future__ import annotations

import pytest

from chladni_audio_features.config import AudioFeaturesSettings
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.settings import SettingsError, load_settings

PREFIX = "CHLADNI_AUDIO_FEATURES_"


def test_models_and_calibrations_come_from_the_environment():
    settings = load_settings(AudioFeaturesSettings, {})
    assert settings.calibration_references == ()
    assert settings.clap_reference is None
    settings = load_settings(
        AudioFeaturesSettings,
        {
            PREFIX + "LATENT_CALIBRATIONS": f"/calibrations/voices,/calibrations/birds@{'0a' * 6}",
            PREFIX + "CLAP_MODEL": "laion/clap-htsat-unfused@main",
        },
    )
    assert [reference.revision for reference in settings.calibration_references] == [None, "0a" * 6]
    assert settings.clap_reference == ModelReference("laion/clap-htsat-unfused", "main")


def test_defaults_are_the_documented_limits():
    settings = load_settings(AudioFeaturesSettings, {})
    limits = settings.decoding_limits
    assert (limits.max_bytes, limits.min_duration_seconds, limits.max_duration_seconds) == (
        10 * 2**20,
        0.1,
        30,
    )
    assert (limits.min_sample_rate_hz, limits.max_sample_rate_hz, limits.max_channels) == (8000, 192_000, 8)
    assert settings.live_limits.max_seconds == 120
    assert (settings.grpc_port, settings.metrics_port) == (50051, 9101)


def test_limits_come_from_the_environment():
    settings = load_settings(
        AudioFeaturesSettings, {PREFIX + "MAX_AUDIO_SECONDS": "60", PREFIX + "WORKER_COUNT": "3"}
    )
    assert settings.decoding_limits.max_duration_seconds == 60
    assert settings.worker_count == 3


@pytest.mark.parametrize(
    "environment",
    [
        {"MAX_AUDIO_SECONDS": "0.2", "MIN_AUDIO_SECONDS": "0.5"},
        {"MIN_SAMPLE_RATE_HZ": "48000", "MAX_SAMPLE_RATE_HZ": "16000"},
        {"MAX_CHANNELS": "0"},
        {"MIN_AUDIO_SECONDS": "0"},
        {"MAX_AUDIO_BYTE": "5000"},
        {"LATENT_CALIBRATIONS": "/calibrations/voices@abc"},
        {"CLAP_MODEL": "clap"},
        {"CLAP_TO_CLIP_MAP": "maps"},
        {"CLAP_DEVICE": "tpu"},
    ],
)
def test_faulty_settings_are_refused(environment):
    with pytest.raises(SettingsError):
        load_settings(AudioFeaturesSettings, {PREFIX + name: value for name, value in environment.items()})

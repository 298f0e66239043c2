"""Runs the audio-features service."""

from __future__ import annotations

from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_runtime.server.server import run_service
from chladni_runtime.settings import load_settings_or_exit


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = load_settings_or_exit(AudioFeaturesSettings)
    run_service(settings, name="audio-features", service_names=SERVICE_NAMES, compose=compose(settings))


if __name__ == "__main__":
    main()

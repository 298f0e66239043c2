"""Runs the image-generation service."""

from __future__ import annotations

from chladni_image_generation.composition import SERVICE_NAMES, compose
from chladni_image_generation.config import ImageGenerationSettings
from chladni_runtime.server.server import run_service
from chladni_runtime.settings import load_settings_or_exit


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = load_settings_or_exit(ImageGenerationSettings)
    run_service(settings, name="image-generation", service_names=SERVICE_NAMES, compose=compose(settings))


if __name__ == "__main__":
    main()

"""Runs the image-generation service."""

from __future__ import annotations

from chladni_image_generation.config import ImageGenerationSettings
from chladni_runtime.execution.memory import uncollected_imports
from chladni_runtime.server.server import run_service
from chladni_runtime.settings import load_settings_or_exit


def main() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = load_settings_or_exit(ImageGenerationSettings)
    with uncollected_imports():
        # torch and diffusers take seconds; a wrong setting is told before.
        from chladni_image_generation.composition import SERVICE_NAMES, compose  # noqa: PLC0415

    run_service(settings, name="image-generation", service_names=SERVICE_NAMES, compose=compose(settings))


if __name__ == "__main__":
    main()

"""The untrained, tiny model, with which what depends on the order of requests is measured many times over."""

from __future__ import annotations

from pathlib import Path


def save_tiny_model(directory: Path) -> None:
    """Saves it; only the process that does imports torch."""
    import diffusers  # noqa: PLC0415

    from chladni_image_generation.testing.untrained_model import save_untrained_model  # noqa: PLC0415

    diffusers.logging.set_verbosity_error()  # saving in half precision is meant
    save_untrained_model(directory)

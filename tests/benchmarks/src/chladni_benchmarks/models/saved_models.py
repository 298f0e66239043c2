"""Untrained models that are saved to a folder, for a service to load."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SIDE_PIXELS: Final = 224
DIMENSION: Final = 512


def save_tiny_model(directory: Path) -> None:
    """Save an untrained, tiny image model, whose steps are short.

    Only the process that saves it imports torch.
    """
    import diffusers  # noqa: PLC0415

    from chladni_image_generation.testing.untrained_model import save_untrained_model  # noqa: PLC0415

    diffusers.logging.set_verbosity_error()  # saving in half precision is intended
    save_untrained_model(directory)


def save_tower(directory: Path) -> None:
    """Save a small CLIP of random weights, to measure the way to a model rather than a model.

    Its vision tower takes 224x224 pixels (150 KB as uint8), gives 512 floats, and costs about 3 ms of
    processor time an image at batch 16: so little that the cost of the server is visible. The weights are
    always the same.
    """
    import torch  # noqa: PLC0415 - only in the process that builds
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()
    config = CLIPConfig(
        text_config={  # unused
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
            "vocab_size": 50, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1,
        },
        vision_config={
            "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4,
            "image_size": SIDE_PIXELS, "patch_size": 32,
        },
        projection_dim=DIMENSION,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(7)
        CLIPModel(config).save_pretrained(directory)
    CLIPImageProcessorPil().save_pretrained(directory)

"""The training jobs of this service, as `chladni-train` finds them."""

from __future__ import annotations

from typing import Final

from chladni_training.job import TrainingJob

DIFFUSION: Final = TrainingJob(
    "train a diffusion model on small images, such as digits, or draw with one",
    "chladni_image_generation.training.diffusion.job",
)
IMAGE_MODEL: Final = TrainingJob(
    "train the embedded image model again (hours)", "chladni_image_generation.training.train_image_model"
)

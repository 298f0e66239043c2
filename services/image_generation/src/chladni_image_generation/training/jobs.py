"""The training jobs of this service, as `chladni-train` finds them."""

from __future__ import annotations

from typing import Final

from chladni_training.job import TrainingJob

IMAGE_MODEL: Final = TrainingJob(
    "train the embedded image model again (hours)", "chladni_image_generation.training.train_image_model"
)

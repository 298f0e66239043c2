"""The training jobs of this service, as `chladni-train` finds them."""

from __future__ import annotations

from typing import Final

from chladni_training.job import TrainingJob

ALIGNMENT: Final = TrainingJob(
    "train the model that aligns audio and images, on pairs", "chladni_similarity.training.train_alignment"
)
ANOMALY: Final = TrainingJob(
    "learn the normal operation of machines from recordings", "chladni_similarity.training.anomaly.job"
)
SCORES: Final = TrainingJob(
    "fit the maps from cosines to scores, on measured pairs", "chladni_similarity.training.calibrate_scores"
)

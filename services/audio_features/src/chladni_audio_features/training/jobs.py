"""The training jobs of this service, as `chladni-train` finds them."""

from __future__ import annotations

from typing import Final

from chladni_training.job import TrainingJob

AUTOENCODER: Final = TrainingJob(
    "train an autoencoder of audio, or reconstruct clips with one",
    "chladni_audio_features.training.autoencoder.job",
)
CALIBRATIONS: Final = TrainingJob(
    "fit the quantile maps of the descriptors' embedding, on synthesised clips",
    "chladni_audio_features.training.calibrate_embedding",
)
CLAP_TO_CLIP: Final = TrainingJob(
    "fit the linear map from the space of a CLAP into that of a CLIP",
    "chladni_audio_features.training.fit_clap_to_clip",
)

"""The model card that ships beside the weights of the alignment model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chladni_similarity.embedders.alignment_network import AlignmentModel
from chladni_similarity.models.calibration import CALIBRATION_NAME, ModelCalibrations


def write_model_card(
    model: AlignmentModel, manifest: Mapping[str, Any], calibrations: ModelCalibrations
) -> str:
    """Return the card as Markdown: what the model is, its data and recipe, its figures and its limits."""
    training, config = manifest["training"], model.config
    recipe, data, side = training["recipe"], training["data"], config.image_side_pixels
    figures = "\n".join(f"| `{name}` | {value:g} |" for name, value in manifest["metrics"].items())
    sources = ", ".join(f"{count} {name}" for name, count in data["sources"].items())
    return f"""# The alignment model

`{manifest["model_id"]}` brings sounds and images into one space of {config.projection_dimension}
dimensions, where an image is near the sound that it was painted of. It scores how well an image fits a
sound (`ScoreAlignment`), finds images by a sound (`SearchImages`), and compares images by what they say
of their sounds (`EmbedImages` and `CompareImages` with this model).

- **Parts**: an image tower of {_millions(model.image_tower)} million parameters (a residual network, built
  from transformers' `ResNetModel`, on the whole image at {side}x{side} pixels) and a sound tower of
  {_millions(model.audio_tower)} million (a residual MLP on the {config.audio_dimension} components of an
  embedding in `chladni-descriptors-v2`). Weights are stored in half precision.
- **Design**: CLIP's (Radford et al. 2021): unit vectors, a learnt temperature, and symmetric InfoNCE.
- **Licence**: Apache-2.0, as the images that it was trained on.

## Data

{data["training_pairs"]} pairs of an image and the embedding of its sound ({sources}), all made by
Chladni's own code: images rendered from the embedding, and samples of the image model for it.
{data["held_out_pairs"]} further pairs, of other sounds, were held out.

## Recipe

`{training["command"]}`

{recipe["steps"]} steps of {recipe["batch_size"]} pairs, seed {recipe["seed"]}; AdamW at a learning rate of
{recipe["learning_rate"]:g} with warm-up and a cosine to 0, weight decay {recipe["weight_decay"]:g};
{training["seconds"]} seconds on {training["machine"]}. What ships is a moving average of the weights.
Images were cropped a little, taken to lower resolutions, compressed, and changed in brightness and
contrast; hues stayed and nothing was mirrored, for both carry meaning. Sounds got Gaussian noise of
{recipe["audio_noise"]:g}, so that almost equal sounds align alike.

## Figures

On the held-out pairs, recall at 1 and at 5 in galleries of {manifest["metrics"]["gallery"]:g};
`manifest.json` has the full record.

| figure | value |
|---|---|
{figures}

{_separation(calibrations)}`{CALIBRATION_NAME}` holds the map from cosines to scores;
`python -m chladni_similarity.training.calibrate_scores` makes it again from the pairs of `make quality`.

## Limits

- It knows one family of images: those of Chladni's embedded image model and of the art behind it. Of
  photographs, or of images by other models, its scores say nothing.
- An image shows what the embedding holds. Sounds with near embeddings have near vectors, whoever or whatever
  made them; words, speakers and sources are not recognised.
- It was trained with the versions of art and image model of its time. When either changes, train it again.
"""


def _separation(calibrations: ModelCalibrations) -> str:
    alignment = calibrations.alignment
    if alignment is None:
        return ""
    return (
        f"Right pairs of sound and image are told from wrong ones with an equal error of "
        f"{alignment.eer:.2%} at the\ncosine {alignment.midpoint:.3f} (AUC {alignment.auc:.4f}; "
        f"{alignment.like_pairs} right and {alignment.unlike_pairs} wrong pairs).\n"
    )


def _millions(part: Any) -> str:
    return f"{sum(weight.numel() for weight in part.parameters()) / 1e6:.1f}"

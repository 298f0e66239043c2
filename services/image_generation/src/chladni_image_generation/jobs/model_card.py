"""The model card that is shipped beside the weights."""

from collections.abc import Mapping

from chladni_image_generation.jobs import art_parameters
from chladni_image_generation.jobs.presets import TrainingPreset
from chladni_image_generation.jobs.sampling import SamplingDefaults


def write_model_card(
    preset: TrainingPreset,
    *,
    defaults: SamplingDefaults,
    scheduler: str,
    metrics: Mapping[str, float],
    note: str,
) -> str:
    """The card as Markdown: what the model is, its data and recipe, its figures and its limits."""
    autoencoder, denoiser = preset.autoencoder, preset.denoiser
    phases = "\n".join(
        f"   - {phase.size_pixels}x{phase.size_pixels} pixels: {phase.pictures} pictures, "
        f"{phase.steps} steps, batch {phase.batch_size}, learning rate {phase.learning_rate:g}"
        for phase in denoiser.phases
    )
    figures = "\n".join(f"| `{name}` | {value:g} |" for name, value in metrics.items())
    return f"""# The embedded image model

A small latent diffusion model that paints an abstract picture of a sound. It is conditioned on 24
descriptors of the sound and on nothing else: no text, no photographs.

- **Parts**: an `AutoencoderDC` (512x512 pixels to 4x64x64 latents, already at unit variance: no
  scaling and no shift), a `UNet2DConditionModel` trained by flow matching, and a
  `{scheduler}`.
- **Condition**: `chladni_image_generation.conditioning.encode_condition` turns an embedding in
  `chladni-descriptors-v1` into `class_labels` and `encoder_hidden_states`.
- **Defaults**: {defaults.steps} steps, guidance scale {defaults.guidance_scale:g}.
- **Licence**: Apache-2.0, the weights as well as the pictures it was trained on.

## Data

Every training picture was rendered by the training job itself (`jobs/art.py`); none was taken from
elsewhere. The descriptors decide its parameters by documented correspondences between the senses:

{_correspondences()}

Noise decides the rest, its composition: an 8x8 grid of four deviates, which are the block means of
the latent noise that the picture is paired with (`jobs/noise_grid.py`). So the noise that sampling
starts from holds a composition, and the same seed keeps it from sound to sound.

## Recipe

`python -m chladni_image_generation.jobs.train_image_model` does all of it, from nothing:

1. Autoencoder: {autoencoder.steps} steps of {autoencoder.batch_size} crops of
   {autoencoder.crop_pixels} pixels, L1 on pixels, on slopes at three scales and on the colours of
   broad areas, noise of up to {autoencoder.latent_noise:g} standard deviations on the latents.
2. Denoiser: channels {denoiser.channels}, logit-normal noise levels, condition dropped in
   {denoiser.condition_dropout:.0%} of the rows, moving average of the weights:
{phases}

{note}

## Figures

Measured by the job on held-out descriptors and seeds; `manifest.json` has the full record.

| figure | value |
|---|---|
{figures}

## Limits

- It paints one family of abstract art. It was trained at 512x512. From 384 to 1024 pixels a side, in
  any shape, its pictures look as good; larger ones hold more and smaller forms, for forms keep their size
  in pixels. At 256 a picture shows a quarter of a composition: few forms, sometimes almost none. The same
  seed gives another composition at another size.
- It sees averages over a sound, not its course in time.
- Fine lines, small bodies and jagged edges come out softer than in the art that it learned from.
"""


def _correspondences() -> str:
    """The table of correspondences, from the module that applies it."""
    lines = (art_parameters.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))

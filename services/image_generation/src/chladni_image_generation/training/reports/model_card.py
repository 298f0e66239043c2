"""The model card that is shipped beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

from chladni_image_generation.families.embedded import correspondences
from chladni_image_generation.training.presets import TrainingPreset
from chladni_image_generation.training.reports.sampling import SamplingDefaults


def write_model_card(
    preset: TrainingPreset,
    *,
    defaults: SamplingDefaults,
    scheduler: str,
    metrics: Mapping[str, float],
    note: str,
) -> str:
    """Return the card as Markdown: what the model is, its data and recipe, its figures and its limits."""
    autoencoder, denoiser = preset.autoencoder, preset.denoiser
    phases = "\n".join(
        f"   - {phase.size_pixels}x{phase.size_pixels} pixels: {phase.images} images, "
        f"{phase.steps} steps, batch {phase.batch_size}, learning rate {phase.learning_rate:g}"
        for phase in denoiser.phases
    )
    figures = "\n".join(f"| `{name}` | {value:g} |" for name, value in metrics.items())
    return f"""# The embedded image model

A small latent diffusion model that paints an abstract image of a sound. It is conditioned on
descriptors of the sound and on their course in time, and on nothing else: no text, no photographs.

- **Parts**: an `AutoencoderDC` (512x512 pixels to 4x64x64 latents, already at unit variance: no scaling
  and no shift), a `UNet2DConditionModel` of one level trained by flow matching, and a `{scheduler}`.
- **Condition**: `chladni_image_generation.families.embedded.conditioning.encode_condition` turns an
  embedding in `chladni-descriptors-v2` into `class_labels` and the guide, which is stacked under the
  latents: planes that show where the sound's ridges, ribbons, bodies and nodal lines stand.
- **Detailer**: a small network in `detailer/` that draws edges, lines and light into the decoded image,
  from planes of the same scene at full size. It works at every size.
- **Defaults**: {defaults.steps} steps, guidance scale {defaults.guidance_scale:g}.
- **Licence**: Apache-2.0, the weights as well as the images it was trained on.

## From sound to image

Every training image was rendered by the training job itself (`jobs/art.py`); none was taken from
elsewhere. The descriptors decide its parameters by documented correspondences between the senses:

{_correspondences()}

Noise decides the rest: how the plane bends, where clouds gather, where the light falls. It is an 8x8
grid of four deviates, the block means of the latent noise that the image is paired with
(`families/embedded/noise_grid.py`). So the same seed bends the plane alike from sound to sound, and
another seed gives the same sound another image of the same kind.

## Looks

The landscape is what the denoiser paints. The other looks are rendered at the image's full size from the
same descriptors, palette and noise, each by a module of `families/embedded/looks/` with its table of
correspondences: plate (sand on nodal lines), water (standing waves and caustics), strokes (a brush that
follows a voice), weather (fog, rain, grain) and crystals (shards of every stroke). A request names one,
several with shares, or `auto`.

## Recipe

`python -m chladni_image_generation.training.train_image_model` does all of it, from nothing:

1. Autoencoder: {autoencoder.steps} steps of {autoencoder.batch_size} crops of
   {autoencoder.crop_pixels} pixels, L1 on pixels, on slopes at three scales and on the colours of
   broad areas, noise of up to {autoencoder.latent_noise:g} standard deviations on the latents.
2. Denoiser: channels {denoiser.channels}, uniform noise levels with a shift of
   {denoiser.noise_shift:g}, condition dropped in {denoiser.condition_dropout:.0%} of the rows, moving
   average of the weights:
{phases}
3. Detailer: {preset.detailer.steps} steps of {preset.detailer.batch_size} crops of
   {preset.detailer.crop_pixels} pixels, on what the exported model makes in one step, L1 on pixels and,
   twice as strongly, on slopes at three scales.

{note}

## Figures

Measured by the job on held-out descriptors and seeds; `manifest.json` has the full record. `make quality`
measures the whole way from sound to image.

| figure | value |
|---|---|
{figures}

## Limits

- It paints one kind of abstract art: plates and rings over landscapes, ribbons, bodies, clouds.
- It was trained at 512x512. Images of 256 to 2048 pixels a side show the same scene, which a seed composes
  alike at every size; wide and tall ones have more around it, with the sound from edge to edge.
- The course has 16 segments: what changes faster within a sound shows as onsets, not one by one.
- The embedding holds pitch classes and a register, not partials; the plate's modes follow from those.
"""


def _correspondences() -> str:
    """Return the table of correspondences, from the module that applies it."""
    lines = (correspondences.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))

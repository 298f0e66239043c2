"""Steps and guidance for requests that name none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from chladni_image_generation.models.files import ModelFilesError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chladni_image_generation.models.files import ModelFiles

_EULER_SAMPLERS: Final = {"EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler"}
_FEW_STEP_SAMPLERS: Final = {"LCMScheduler", "TCDScheduler"}


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """How a model is sampled unless a request says otherwise.

    Attributes:
        steps: Denoising steps.
        guidance_scale: 1 for no guidance.
    """

    steps: int
    guidance_scale: float


_FEW_STEPS: Final = SamplingDefaults(steps=4, guidance_scale=1.0)
_LATENT_CONSISTENCY: Final = SamplingDefaults(steps=4, guidance_scale=8.5)


def sampling_defaults(
    files: ModelFiles, *, scheduler: Any, of_family: SamplingDefaults, unet: Any = None
) -> SamplingDefaults:
    """Return what fits a checkpoint, by the first of these that applies.

    1. Section ``defaults`` of its manifest, with ``steps`` and ``guidance_scale``, or with one of them.
    2. A UNet with ``time_cond_proj_dim`` takes the guidance scale as an input, as those of latent consistency
       models do (Luo et al. 2023): 4 steps, scale 8.5.
    3. A scheduler made for few steps (LCM, TCD), or Euler's (plain or ancestral) with ``timestep_spacing``
       set to ``trailing``: with those are published the models of adversarial distillation, such as SD-Turbo
       and SDXL-Turbo (Sauer et al. 2023), whose single step must begin at pure noise. 4 steps, no guidance.
    4. What is usual in the family.

    Raises:
        ModelFilesError: The manifest's defaults are no numbers that a request could name.
    """
    defaults = of_family
    if unet is not None and is_guided_by_input(unet):
        defaults = _LATENT_CONSISTENCY
    elif _is_made_for_few_steps(scheduler):
        defaults = _FEW_STEPS
    return _with_overrides(defaults, files)


def is_guided_by_input(unet: Any) -> bool:
    """Return whether a UNet takes the guidance scale as an input, so that one row does for a guided step."""
    return unet.config.get("time_cond_proj_dim") is not None


def _is_made_for_few_steps(scheduler: Any) -> bool:
    name = type(scheduler).__name__
    begins_at_pure_noise = scheduler.config.get("timestep_spacing") == "trailing"
    return name in _FEW_STEP_SAMPLERS or (name in _EULER_SAMPLERS and begins_at_pure_noise)


def _with_overrides(defaults: SamplingDefaults, files: ModelFiles) -> SamplingDefaults:
    overrides: Mapping[str, Any] = files.manifest.get("defaults", {})
    try:
        overridden = replace(
            defaults,
            steps=int(overrides.get("steps", defaults.steps)),
            guidance_scale=float(overrides.get("guidance_scale", defaults.guidance_scale)),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise _wrong_defaults(files) from error
    if overridden.steps < 1 or not 1 <= overridden.guidance_scale < float("inf"):
        raise _wrong_defaults(files)
    return overridden


def _wrong_defaults(files: ModelFiles) -> ModelFilesError:
    return ModelFilesError(
        f"The manifest of model {files.id!r} has defaults that no request could name: steps must be a number "
        "of at least 1, guidance_scale likewise."
    )

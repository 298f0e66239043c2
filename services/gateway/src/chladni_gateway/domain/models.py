"""What the gateway knows about a model of a service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_FEW_STEPS: Final = 8
_NO_GUIDANCE: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model that a service offers, or would offer if it could be loaded.

    Attributes:
        name: Identifier.
        is_default: Whether requests that name no model get this one.
        is_ready: Whether it is loaded.
        unavailable_reason: Why it cannot be used and what to do; empty if it can, or is still loading.
        family: Kind of model; models of one family take the same inputs.
        inputs: Inputs that it takes, by the names of the request's fields.
        required_inputs: Those of them that it cannot do without.
        input_spaces: Embedding spaces that it takes.
        output_space: Embedding space that it produces; empty for none.
        latent_shape: Shape (C, H, W) of its latents at the native size; empty if it has none.
        native_size_pixels: Width and height of its images if a request names none; `None` if not known.
        default_steps: Denoising steps of its own choice; `None` if not known.
        default_guidance_scale: Guidance scale of its own choice; `None` if not known.
        upscales_by_latents: Whether it begins an enlarged image with larger latents, and has no upscaler for
            what is done.
    """

    name: str
    is_default: bool = False
    is_ready: bool = True
    unavailable_reason: str = ""
    family: str = ""
    inputs: tuple[str, ...] = ()
    required_inputs: tuple[str, ...] = ()
    input_spaces: tuple[str, ...] = ()
    output_space: str = ""
    latent_shape: tuple[int, ...] = ()
    native_size_pixels: tuple[int, int] | None = None
    default_steps: int | None = None
    default_guidance_scale: float | None = None
    upscales_by_latents: bool = False

    @property
    def is_few_step(self) -> bool:
        """Whether it was distilled to need few steps and no guidance, as SD-Turbo was."""
        has_few_steps = self.default_steps is not None and self.default_steps <= _FEW_STEPS
        return has_few_steps or self.default_guidance_scale == _NO_GUIDANCE

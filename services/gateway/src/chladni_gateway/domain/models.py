"""What the gateway knows about a model of a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_FEW_STEPS: Final = 8
_MAX_DIGITS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSummary:
    """A model that a service offers, or would offer if it could be loaded.

    Attributes:
        name: Identifier.
        is_default: Whether requests that name no model get this one.
        is_ready: Whether it is loaded.
        unavailable_reason: Why it cannot be used and what to do; empty where it can, or is still loading.
        family: Kind of model; models of one family take the same inputs.
        inputs: Inputs that it takes, by the names of the request's fields.
        required_inputs: Those of them that it cannot do without.
        input_spaces: Embedding spaces that it takes.
        output_space: Embedding space that it produces; empty for none.
        properties: Further properties by name, such as ``latent_shape``.
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
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def default_steps(self) -> int | None:
        """Denoising steps of its own choice; `None` if it does not say."""
        sizes = self.sizes_of("default_steps")
        return sizes[0] if len(sizes) == 1 else None

    @property
    def is_few_step(self) -> bool:
        """Whether it was distilled to need few steps and no guidance, as SD-Turbo was."""
        steps = self.default_steps
        is_unguided = self.properties.get("default_guidance_scale") == "1"
        return is_unguided or (steps is not None and steps <= _FEW_STEPS)

    @property
    def upscales_by_latents(self) -> bool:
        """Whether it begins an enlarged image with larger latents, and has no upscaler for what is done."""
        return self.properties.get("upscaling") == "latents"

    def sizes_of(self, name: str) -> tuple[int, ...]:
        """Return the whole numbers of a property such as ``4x64x64``; none where it is not one."""
        parts = self.properties.get(name, "").split("x")
        if not all(part.isascii() and part.isdigit() and len(part) <= _MAX_DIGITS for part in parts):
            return ()
        return tuple(map(int, parts))

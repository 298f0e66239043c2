"""A model's own safety checker, which looks at each finished image and at each preview of it.

Rando et al. (2022), "Red-teaming the Stable Diffusion safety filter", describe the one of Stable Diffusion:
an image whose CLIP embedding is too similar to those of some concepts is objected to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image
from transformers import CLIPImageProcessorPil

from chladni_image_generation.families.common.pipelines import first_line, quiet_libraries
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import ImagesWithheldError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from chladni_image_generation.models.loading import LoadingOptions, ModelSource


class SafetyChecker:
    """Objects to images.

    Args:
        network: Embeds images and compares them with concepts.
        processor: Prepares them.
        device: Where it computes.
    """

    def __init__(
        self,
        network: StableDiffusionSafetyChecker,
        processor: CLIPImageProcessorPil,
        *,
        device: torch.device,
    ) -> None:
        self._network = network
        self._processor = processor
        self._device = device

    def check(self, images: NDArray[np.uint8]) -> None:
        """Check RGB pixels (B, height, width, 3).

        Raises:
            ImagesWithheldError: It objects to at least one of them.
        """
        prepared = self._processor([Image.fromarray(image) for image in images], return_tensors="pt")
        # The network blackens the images that come with the embeddings' source. These stay as they are.
        blackened = torch.zeros(len(images), 1)
        _, objections = self._network(
            clip_input=prepared.pixel_values.to(self._device, self._network.dtype), images=blackened
        )
        if any(objections):
            raise ImagesWithheldError(images)


def load_safety_checker(source: ModelSource, options: LoadingOptions) -> SafetyChecker | None:
    """Return a model's safety checker; `None` if it has none or the options leave it out.

    Raises:
        ModelFilesError: Its files are damaged.
    """
    directory = source.files.directory
    if not options.safety_checker or not (directory / "safety_checker" / "config.json").is_file():
        return None
    quiet_libraries()
    network_class: Any = StableDiffusionSafetyChecker
    try:
        network, report = network_class.from_pretrained(
            directory / "safety_checker",
            dtype=source.dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        processor = CLIPImageProcessorPil.from_pretrained(directory / "feature_extractor")
    except Exception as error:
        raise ModelFilesError(
            f"The safety checker of model {source.files.id!r} cannot be loaded: "
            f"{first_line(error, directory)}. Install the model again, or turn the setting safety_checker "
            "off."
        ) from error
    if report["missing_keys"]:
        raise ModelFilesError(
            f"The safety checker of model {source.files.id!r} lacks weights: "
            f"{', '.join(sorted(report['missing_keys'])[:3])} ..."
        )
    return SafetyChecker(network.eval().to(options.device), processor, device=options.device)

"""CLIP's image tower as an image embedder.

CLIP: Radford et al. 2021, "Learning transferable visual models from natural language supervision". Any CLIP
in the format of transformers serves; the configuration says which.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import nn
from transformers import CLIPImageProcessorPil, CLIPModel

from chladni_runtime.models.files import (
    WEIGHT_PATTERN,
    ModelLoadingError,
    directory_digest,
    find_model_directory,
    require_safetensors,
)
from chladni_runtime.models.reference import ModelReference
from chladni_similarity.embedders.inference import CPU, Placement, memory_errors, traced
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.images.decoding import Pixels
from chladni_similarity.models.scoring import CosineScore

_FILE_PATTERNS: Final = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "*.safetensors.index.json",
    WEIGHT_PATTERN,
)
_MAX_ASPECT_RATIO: Final = 4
_REVISIONS_WITH_SAFETENSORS: Final = {"openai/clip-vit-base-patch32": "refs/pr/15"}
"""Where models on the hub have their weights as safetensors, if their default branch has not."""


class ClipEmbedder:
    """Embeds images as CLIP's projected image features.

    The image is prepared as the model's own ``preprocessor_config.json`` says: usually its short side is
    resized to the input's and the centre cropped.

    Args:
        card: What callers may know of the model.
        model: The model, ready for inference; its text tower is not used.
        processor: The model's preparation of images, on Pillow and NumPy.
        placement: Where it runs.
    """

    def __init__(
        self,
        card: ModelCard,
        model: CLIPModel,
        processor: CLIPImageProcessorPil,
        placement: Placement = CPU,
    ) -> None:
        self._card = card
        self._score_map = CosineScore()
        self._processor = processor
        side = model.config.vision_config.image_size
        self._network = traced(_ImageTower(model, processor, placement.dtype), (3, side, side), placement)
        self._ready_shape = self._find_ready_shape((3, side, side))

    @classmethod
    def load(cls, reference: ModelReference, placement: Placement = CPU) -> ClipEmbedder:
        """Return the embedder of a CLIP in a directory or on the model hub.

        Only safetensors are loaded, and no code that comes with a model runs.

        Raises:
            ModelLoadingError: There is no such model, it has no safetensors, or it is no CLIP.
        """
        if reference.is_on_hub and reference.revision is None:
            revision = _REVISIONS_WITH_SAFETENSORS.get(reference.source)
            reference = ModelReference(reference.source, revision)
        directory = find_model_directory(reference, patterns=_FILE_PATTERNS)
        require_safetensors(directory, reference)
        try:
            model = _load_model(directory)
            processor = CLIPImageProcessorPil.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise ModelLoadingError(f"{reference.name} cannot be loaded as a CLIP: {error}") from error
        del model.text_model  # nearly half of the memory
        model.eval().requires_grad_(requires_grad=False)
        return cls(_describe(reference, directory, model, placement), model, processor, placement)

    @property
    def card(self) -> ModelCard:
        """What callers may know of the model."""
        return self._card

    @property
    def concurrent_batch_count(self) -> int:
        """Two: while one begins or ends the other computes, and fewer threads wait for their slowest."""
        return 2

    @property
    def score_map(self) -> CosineScore:
        """Gives the cosine itself: no pairs of images were measured with whatever CLIP this is."""
        return self._score_map

    def prepare(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the image resized and cropped to (3, side, side), 8 bits.

        `embed` normalises, all images of a batch at once: 0.03 ms each where the processor takes 0.75 ms.
        """
        return np.ascontiguousarray(pixels if self.takes_as_is(pixels) else self._resized(pixels))

    def takes_as_is(self, pixels: Pixels) -> bool:
        """Return whether an image has the model's size."""
        return pixels.shape == self._ready_shape

    def embed(self, inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Return the (N, dimension) projected features of (N, 3, side, side) pixels."""
        with torch.inference_mode(), memory_errors():
            return self._network(torch.from_numpy(inputs)).numpy()

    def _resized(self, pixels: Pixels) -> NDArray[np.uint8]:
        prepared = self._processor(
            np.moveaxis(_without_far_ends(pixels), 0, -1),
            input_data_format="channels_last",
            do_rescale=False,
            do_normalize=False,
            return_tensors="np",
        )
        values: NDArray[np.uint8] = prepared["pixel_values"][0].astype(np.uint8, copy=False)
        return values

    def _find_ready_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Return the shape of images that the processor leaves as they are; `None` if there is none.

        A processor may also resize an image of the model's size, to crop it then. Rather than to know every
        form that its configuration can have, this shows it an image.
        """
        sample = np.random.default_rng(0).integers(0, 256, input_shape, np.uint8)
        return input_shape if np.array_equal(self._resized(sample), sample) else None


class _ImageTower(nn.Module):
    """From 8-bit pixels (N, 3, side, side) to projected features (N, dimension), as float32.

    Normalises as the model's own configuration says, all images of a batch at once.
    """

    _scale: torch.Tensor
    _offset: torch.Tensor

    def __init__(self, model: CLIPModel, processor: CLIPImageProcessorPil, dtype: torch.dtype) -> None:
        super().__init__()
        self._model = model.to(dtype)
        self._dtype = dtype
        factor = processor.rescale_factor if processor.do_rescale else 1.0
        mean = torch.tensor(processor.image_mean if processor.do_normalize else [0.0] * 3)
        deviation = torch.tensor(processor.image_std if processor.do_normalize else [1.0] * 3)
        self.register_buffer("_scale", (factor / deviation).view(3, 1, 1), persistent=False)
        self.register_buffer("_offset", (-mean / deviation).view(3, 1, 1), persistent=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the features of images."""
        values = pixels.to(torch.float32).mul_(self._scale).add_(self._offset)
        features: torch.Tensor = self._model.get_image_features(values.to(self._dtype)).pooler_output
        return features.float()


def _load_model(directory: Path) -> CLIPModel:
    """Return the model, with every weight from its files: transformers would make missing ones up."""
    configuration = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    model_type = configuration.get("model_type") if isinstance(configuration, dict) else None
    if model_type != "clip":
        raise ValueError(f"config.json says that its model_type is {model_type}")
    model: CLIPModel
    model, loading = CLIPModel.from_pretrained(
        directory,
        dtype=torch.float32,  # also for weights stored in half precision, which CPUs compute slowly
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    if missing := sorted(loading["missing_keys"]):
        raise ValueError(f"its files lack {len(missing)} weights, the first of them {missing[0]}")
    return model


def _describe(
    reference: ModelReference, directory: Path, model: CLIPModel, placement: Placement
) -> ModelCard:
    digest = directory_digest(directory, _FILE_PATTERNS)
    side = model.config.vision_config.image_size
    return ModelCard(
        model_id=reference.name,
        digest=digest,
        description="The image tower of a CLIP: what an image shows, as one would say it in words.",
        license="see the model's own card",
        space=f"{reference.name}@{digest[:12]}",
        dimension=model.config.projection_dim,
        family="clip",
        properties={"input": f"{side} x {side} pixels, centre", "score": CosineScore.description}
        | placement.properties,
    )


def _without_far_ends(pixels: Pixels) -> Pixels:
    """Return a long image without the ends that the crop of its centre would drop anyway.

    Resizing the short side of an image of 4096 x 1 pixels to 224 would make one of 917,504 pixels' width.
    """
    height, width = pixels.shape[1:]
    limit = _MAX_ASPECT_RATIO * min(height, width)
    top, left = max(0, height - limit) // 2, max(0, width - limit) // 2
    return pixels[:, top : top + limit, left : left + limit]

"""The space of CLIP's image embeddings, named by the weights of the vision tower that makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from transformers import CLIPVisionModelWithProjection

from chladni_contract.weight_fingerprint import fingerprint
from chladni_image_generation.families.common.pipelines import quiet_libraries
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.interface import EmbeddingSpace

if TYPE_CHECKING:
    from chladni_image_generation.models.files import ModelFiles

IMAGE_ENCODER: Final = "image_encoder"
"""Subdirectory of a model that holds the vision tower."""

_TOWER: Final = ("vision_model.", "visual_projection.")


def clip_image_space(files: ModelFiles, *, owner: str) -> EmbeddingSpace:
    """Return the space of the image embeddings (projection_dim,) that a model was trained on.

    The vision tower is read only to learn its fingerprint and is then let go: embeddings come with the
    requests, so nothing here ever encodes an image. It is read in float32 whatever the model computes in,
    since the name must be the one that others give the same tower. Values may be any finite ones: models take
    the embeddings as the tower projects them, not normalised.

    Args:
        files: The files that hold the tower in ``image_encoder``.
        owner: Identifier of the model, for error messages.

    Raises:
        ModelFilesError: The tower is missing or damaged.
    """
    directory = files.directory / IMAGE_ENCODER
    if not (directory / "config.json").is_file():
        raise ModelFilesError(
            f"Model {owner!r} has no {IMAGE_ENCODER}/config.json: without CLIP's vision tower it is not "
            "known which embeddings it takes."
        )
    quiet_libraries()
    try:
        tower, loading = CLIPVisionModelWithProjection.from_pretrained(
            directory,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        # What a damaged file makes the library raise may be anything, and may contain paths.
        raise ModelFilesError(
            f"Model {owner!r}: {IMAGE_ENCODER} cannot be loaded as CLIP's vision tower with its projection "
            f"from safetensors ({type(error).__name__}). Install the model again."
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise ModelFilesError(
            f"Model {owner!r}: {IMAGE_ENCODER} lacks {len(missing)} of the weights of CLIP's vision tower, "
            f"such as {missing[0]}. Install the model again."
        )
    weights = {
        name: tensor.numpy()
        for name, tensor in tower.state_dict().items()
        if name.startswith(_TOWER) and tensor.is_floating_point()
    }
    return EmbeddingSpace(f"clip-{fingerprint(weights)}", tower.config.projection_dim)

"""CLAP's text branch: it embeds texts, and it names the space in which sounds are embedded too.

Wu et al. (2023), "Large-scale contrastive language-audio pretraining with feature fusion and
keyword-to-caption augmentation".
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from transformers import ClapTextModelWithProjection

from chladni_contract.weight_fingerprint import fingerprint
from chladni_image_generation.families.common.pipelines import quiet_libraries
from chladni_image_generation.models.files import ModelFiles, ModelFilesError
from chladni_image_generation.models.interface import EmbeddingSpace

_TENSORS: Final = ("text_model.", "text_projection.")
_UNUSED_POSITIONS: Final = 2
"""RoBERTa's positions begin after that of the padding, which is 1."""


def load_text_encoder(files: ModelFiles) -> ClapTextModelWithProjection:
    """Return the text branch that lies in a model's folder ``text_encoder``, in float32.

    Every weight is from the files: transformers would make missing ones up.

    Raises:
        ModelFilesError: Files are missing or damaged, or lack weights.
    """
    quiet_libraries()
    try:
        encoder, loading = ClapTextModelWithProjection.from_pretrained(
            files.directory,
            subfolder="text_encoder",
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    except Exception as error:
        # What a damaged file makes the libraries raise is anything from OSError to AttributeError.
        reason = str(error).partition("\n")[0].replace(str(files.directory), files.id)
        raise ModelFilesError(f"The text encoder of model {files.id!r} cannot be loaded: {reason}") from error
    if missing := sorted(loading["missing_keys"]):
        raise ModelFilesError(
            f"The text encoder of model {files.id!r} lacks {len(missing)} weights, the first of them "
            f"{missing[0]}. Install the model again."
        )
    loaded: ClapTextModelWithProjection = encoder.eval()
    return loaded


def space_of(encoder: ClapTextModelWithProjection) -> EmbeddingSpace:
    """Return the space of a CLAP's embeddings, known by the fingerprint of its text branch.

    Args:
        encoder: The text branch in the type in which it was saved, or a wider one: weights that were rounded
            have another fingerprint.
    """
    weights = {
        name: tensor.numpy()
        for name, tensor in encoder.state_dict().items()
        if name.startswith(_TENSORS) and tensor.is_floating_point()
    }
    return EmbeddingSpace(f"clap-{fingerprint(weights)}", encoder.config.projection_dim)


def max_text_tokens(encoder: ClapTextModelWithProjection, tokenizer: Any) -> int:
    """Return how many tokens of a text the branch reads."""
    positions = encoder.config.max_position_embeddings - _UNUSED_POSITIONS
    return int(min(tokenizer.model_max_length, positions))


def embed_text(encoder: ClapTextModelWithProjection, tokenizer: Any, text: str) -> Tensor:
    """Return the embedding of a text, (D,) of norm 1, where the encoder is and in its type.

    Args:
        encoder: The text branch.
        tokenizer: Its tokenizer.
        text: May be empty; what is too long is cut off.
    """
    tokens = tokenizer(
        text,
        padding="max_length",
        max_length=max_text_tokens(encoder, tokenizer),
        truncation=True,
        return_tensors="pt",
    )
    embedding: Tensor = encoder(
        tokens.input_ids.to(encoder.device), attention_mask=tokens.attention_mask.to(encoder.device)
    ).text_embeds[0]
    return torch.nn.functional.normalize(embedding, dim=-1)

"""Tiny decoders added to a model: previews at next to no cost, and images too where wanted.

Of the kind of TAESD (Ollin Boer Bohan, https://github.com/madebyollin/taesd): an autoencoder distilled from
the decoder of a model, for the same latents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from diffusers import AutoencoderTiny

from chladni_image_generation.families.common.pipelines import load_network, save_decoding_memory
from chladni_image_generation.families.common.vae import Vae, pixels_per_latent
from chladni_image_generation.models.files import ModelFilesError
from chladni_image_generation.models.references import PartKind

if TYPE_CHECKING:
    from chladni_image_generation.models.loading import LoadingOptions, ModelSource


def load_vae(autoencoder: Any, source: ModelSource, options: LoadingOptions) -> Vae:
    """Returns a model's way between pixels and latents, with the tiny decoder that is added to the model.

    Args:
        autoencoder: The model's own, in place.
        source: The model's files; the tiny decoder is among the additions, if there is one.
        options: Where and how it computes.

    Raises:
        ModelFilesError: The tiny decoder's files are damaged, or it is made for other latents.
    """
    files = source.additions.get(PartKind.TINY_DECODER)
    if files is None:
        return Vae(autoencoder, device=options.device)
    tiny: Any = load_network(AutoencoderTiny, files.directory, source.dtype)
    for meaning, of_tiny, of_model in (
        ("channels", tiny.config.latent_channels, autoencoder.config.latent_channels),
        ("pixels a side", pixels_per_latent(tiny), pixels_per_latent(autoencoder)),
    ):
        if of_tiny != of_model:
            raise ModelFilesError(
                f"{files.id!r} decodes latents of {of_tiny} {meaning}, those of the model have {of_model}; "
                "take a tiny decoder that was made for this model."
            )
    save_decoding_memory(tiny.to(options.device), options)
    return Vae(
        autoencoder,
        device=options.device,
        tiny_decoder=tiny,
        tiny_decodes_images=options.tiny_decoder_for_images,
    )

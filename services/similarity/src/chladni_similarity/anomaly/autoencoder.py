"""A convolutional autoencoder of spectrogram images; its encoder stands on its own.

The encoder is a module by itself and is kept by itself, so nobody has to cut it out of the autoencoder layer
by layer. It is trained to reproduce images of normal operation from 16 x 14 x 14 values, a sixteenth of the
pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from chladni_similarity.anomaly.encoders import AUTOENCODER

LATENT_CHANNELS: Final = 16

_CHANNELS: Final = (16, 32, 32)
_BATCH_SIZE: Final = 16


class SpectrogramEncoder(nn.Module):
    """From images to maps of features, a sixteenth of their height and width."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for wider in (*_CHANNELS, LATENT_CHANNELS):
            layers += [nn.Conv2d(channels, wider, 3, stride=2, padding=1), nn.ReLU()]
            channels = wider
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 16, 14, 14) of (N, 1, 224, 224) images in [0, 1]."""
        latents: Tensor = self.layers(images)
        return latents


class SpectrogramDecoder(nn.Module):
    """From maps of features back to images."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = LATENT_CHANNELS
        for narrower in (*reversed(_CHANNELS), 1):
            layers += [nn.ReLU(), nn.ConvTranspose2d(channels, narrower, 4, stride=2, padding=1)]
            channels = narrower
        self.layers = nn.Sequential(*layers[1:])

    def forward(self, latents: Tensor) -> Tensor:
        """Return (N, 1, 224, 224) images of (N, 16, 14, 14)."""
        images: Tensor = self.layers(latents)
        return images


class AutoencoderEncoder:
    """The frozen encoder of an autoencoder; an `Encoder`.

    A machine that runs steadily has no event at a certain time: an embedding holds mean and spread over time
    of each feature.

    Args:
        network: The encoder.
    """

    name = AUTOENCODER

    def __init__(self, network: SpectrogramEncoder) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)

    @classmethod
    def of_weights(cls, weights: Mapping[str, NDArray[np.float32]]) -> Self:
        """Return the encoder with weights, as `weights` gave them.

        Raises:
            ValueError: They are not those of this encoder.
        """
        network = SpectrogramEncoder()
        try:
            network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in weights.items()})
        except RuntimeError as error:
            raise ValueError("the weights are not those of the autoencoder's encoder") from error
        return cls(network)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return the weights by name."""
        return {name: value.numpy().copy() for name, value in self._network.state_dict().items()}

    def encode(self, images: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return (N, 448) embeddings of (N, 224, 224) images in [0, 1]."""
        pieces = []
        with torch.inference_mode():
            for batch in torch.split(torch.from_numpy(np.ascontiguousarray(images))[:, None], _BATCH_SIZE):
                latents = self._network(batch)
                pieces.append(torch.cat([latents.mean(dim=3), latents.std(dim=3)], dim=1).flatten(1))
        return torch.cat(pieces).numpy().astype(np.float64)

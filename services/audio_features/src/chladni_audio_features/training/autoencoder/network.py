"""The network in torch, what it learns, and its weights as the service takes them.

Four residual Conv1d layers take a mel spectrogram, whose bands are the channels, to a latent vector; the
decoder mirrors them. As a variational autoencoder (Kingma and Welling 2013, "Auto-encoding variational
Bayes") the encoder gives a mean and a variance, and the latent vectors follow a normal distribution, so that
new ones can be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from chladni_audio_features.reconstruction.network import LAYERS, LEAK
from chladni_audio_features.reconstruction.windows import WINDOW_FRAMES

DEFAULT_CHANNELS: Final = (96, 96, 128, 128)
_MOST_BINS: Final = 4
"""Bands by which training moves the pitch at most."""
_LOG_VARIANCES: Final = (-10.0, 4.0)
"""Beyond these the variance says nothing and its exponential may overflow."""


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=1)
        self.first_norm = nn.BatchNorm1d(channels)
        self.second = nn.Conv1d(channels, channels, 3, padding=1)
        self.second_norm = nn.BatchNorm1d(channels)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, C, T) of (B, C, T)."""
        inner = _activated(self.first_norm(self.first(hidden)))
        return _activated(hidden + self.second_norm(self.second(inner)))


class EncoderLayer(nn.Module):
    """A convolution that halves the frames, and a residual block.

    Args:
        inputs: Channels that come.
        outputs: Channels that go.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Conv1d(inputs, outputs, 4, stride=2, padding=1)
        self.norm = nn.BatchNorm1d(outputs)
        self.block = ResidualBlock(outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, T / 2) of (B, inputs, T)."""
        halved: Tensor = self.block(_activated(self.norm(self.down(hidden))))
        return halved


class DecoderLayer(nn.Module):
    """A residual block, and a transposed convolution that doubles the frames.

    Args:
        inputs: Channels that come.
        outputs: Channels that go.
        is_last: Whether what goes is the spectrogram, neither normalised nor activated.
    """

    def __init__(self, inputs: int, outputs: int, *, is_last: bool) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs)
        self.up = nn.ConvTranspose1d(inputs, outputs, 4, stride=2, padding=1)
        self.norm = None if is_last else nn.BatchNorm1d(outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, 2 T) of (B, inputs, T)."""
        doubled: Tensor = self.up(self.block(hidden))
        return doubled if self.norm is None else _activated(self.norm(doubled))


class AudioAutoencoder(nn.Module):
    """The autoencoder.

    Args:
        mel_bins: Mel bands.
        latent_dimension: Components of the latent vector.
        channels: Channels of the four layers.
        dropout: Share of the bottleneck's inputs that training drops.
        variational: Whether latent vectors are drawn while it is trained.
    """

    def __init__(
        self,
        mel_bins: int,
        latent_dimension: int,
        *,
        channels: Sequence[int] = DEFAULT_CHANNELS,
        dropout: float = 0.1,
        variational: bool = False,
    ) -> None:
        super().__init__()
        if len(channels) != LAYERS:
            raise ValueError(f"there are {LAYERS} layers, not {len(channels)}")
        widths = [mel_bins, *channels]
        flat = channels[-1] * (WINDOW_FRAMES >> LAYERS)
        self.encoder = nn.ModuleList(EncoderLayer(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.to_latent = nn.Linear(flat, latent_dimension)
        self.to_log_variance = nn.Linear(flat, latent_dimension) if variational else None
        self.from_latent = nn.Linear(latent_dimension, flat)
        widths.reverse()
        self.decoder = nn.ModuleList(
            DecoderLayer(widths[layer], widths[layer + 1], is_last=layer + 1 == LAYERS)
            for layer in range(LAYERS)
        )
        self._last_channels = channels[-1]

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return latents (B, D) of windows (B, mel bins, 256), and their log variances, if any."""
        hidden = windows
        for layer in self.encoder:
            hidden = layer(hidden)
        flat = self.dropout(hidden.flatten(1))
        if self.to_log_variance is None:
            return self.to_latent(flat), None
        return self.to_latent(flat), self.to_log_variance(flat).clamp(*_LOG_VARIANCES)

    def decode(self, latents: Tensor) -> Tensor:
        """Return windows (B, mel bins, 256) of latents (B, D)."""
        hidden = _activated(self.from_latent(latents)).reshape(len(latents), self._last_channels, -1)
        for layer in self.decoder:
            hidden = layer(hidden)
        windows: Tensor = hidden
        return windows

    def forward(self, windows: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return reconstructed windows, latents, and the logarithms of their variances, if any.

        Args:
            windows: (B, mel bins, 256) in [0, 1].
            noise: (B, D) standard normal, with which a variational one draws its latents; `None` means their
                means.
        """
        latents, log_variances = self.encode(windows)
        drawn = latents
        if noise is not None and log_variances is not None:
            drawn = latents + noise * torch.exp(0.5 * log_variances)
        return self.decode(drawn), latents, log_variances


class ReconstructionObjective:
    """Mean squared and mean absolute error of the mel spectrogram; of a variational one also the divergence.

    Args:
        l1_weight: Weight of the mean absolute error.
        divergence_weight: Weight of the divergence from the normal distribution, for each component.
    """

    def __init__(self, l1_weight: float, divergence_weight: float) -> None:
        self._l1_weight = l1_weight
        self._divergence_weight = divergence_weight

    def __call__(self, model: nn.Module, batch: Tensor, generator: torch.Generator) -> Mapping[str, Tensor]:
        """Return the terms of the loss for uint8 windows (B, mel bins, 256)."""
        windows = shifted(scaled(batch), generator)
        noise = torch.randn((len(batch), latent_dimension_of(model)), generator=generator).to(windows.device)
        decoded, latents, log_variances = model(windows, noise)
        terms = {
            "mse": functional.mse_loss(decoded, windows),
            "mel_l1": self._l1_weight * functional.l1_loss(decoded, windows),
        }
        if log_variances is not None:
            divergence = 0.5 * (latents.square() + log_variances.exp() - 1.0 - log_variances)
            terms["divergence"] = self._divergence_weight * divergence.mean()
        return terms


def latent_dimension_of(model: nn.Module) -> int:
    """Return the number of components of a latent vector, of a network that may be wrapped."""
    autoencoder: Any = getattr(model, "module", model)
    dimension: int = autoencoder.to_latent.out_features
    return dimension


def scaled(windows: Tensor) -> Tensor:
    """Return uint8 cells as numbers in [0, 1]."""
    return windows.float() / 255.0


def shifted(windows: Tensor, generator: torch.Generator) -> Tensor:
    """Return windows that begin at another time and whose pitch is a little higher or lower.

    What leaves at one side in time comes in at the other, and what leaves in pitch is gone. So the same clip
    is seldom the same window twice.

    Args:
        windows: (B, mel bins, 256).
        generator: Draws the shifts.
    """
    count, bins, frames = windows.shape
    starts = torch.randint(0, frames, (count, 1), generator=generator)
    order = (torch.arange(frames)[None] + starts) % frames
    moves = torch.randint(-_MOST_BINS, _MOST_BINS + 1, (count, 1), generator=generator)
    rows = torch.arange(bins)[None] + moves
    is_inside = ((rows >= 0) & (rows < bins)).to(windows.device)
    moved = windows.gather(2, order[:, None, :].expand(-1, bins, -1).to(windows.device))
    moved = moved.gather(1, rows.clamp(0, bins - 1)[:, :, None].expand(-1, -1, frames).to(windows.device))
    return moved * is_inside[:, :, None]


@torch.inference_mode()
def exported_weights(model: AudioAutoencoder) -> dict[str, npt.NDArray[np.float32]]:
    """Return the weights as the service takes them, with the normalisations folded into the convolutions."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {
        "to_latent": (model.to_latent.weight, _bias(model.to_latent)),
        "from_latent": (model.from_latent.weight, _bias(model.from_latent)),
    }
    for number, layer in enumerate(model.encoder):
        assert isinstance(layer, EncoderLayer)  # noqa: S101 - for the type checker
        pairs[f"encoder.{number}.down"] = _folded(layer.down, layer.norm)
        pairs.update(_block(f"encoder.{number}", layer.block))
    for number, layer in enumerate(model.decoder):
        assert isinstance(layer, DecoderLayer)  # noqa: S101 - for the type checker
        pairs.update(_block(f"decoder.{number}", layer.block))
        pairs[f"decoder.{number}.up"] = _folded(layer.up, layer.norm)
    return {
        f"{name}.{kind}": value.float().cpu().numpy().copy()
        for name, pair in pairs.items()
        for kind, value in zip(("weight", "bias"), pair, strict=True)
    }


def _block(name: str, block: ResidualBlock) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        f"{name}.first": _folded(block.first, block.first_norm),
        f"{name}.second": _folded(block.second, block.second_norm),
    }


def _folded(
    convolution: nn.Conv1d | nn.ConvTranspose1d, norm: nn.BatchNorm1d | None
) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution that does what it and the normalisation after it do."""
    weight, bias = convolution.weight, _bias(convolution)
    if norm is None:
        return weight, bias
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None and variance is not None  # noqa: S101, PT018 - for the type checker
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    shape = (1, -1, 1) if isinstance(convolution, nn.ConvTranspose1d) else (-1, 1, 1)
    return weight * scale.view(shape), (bias - mean) * scale + norm.bias


def _bias(layer: nn.Conv1d | nn.ConvTranspose1d | nn.Linear) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - for the type checker
    return layer.bias


def _activated(values: Tensor) -> Tensor:
    return functional.leaky_relu(values, LEAK)

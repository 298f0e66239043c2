"""The network in torch, what it learns, and its weights as the service takes them.

Principal components take each 16 frames of a mel spectrogram to a latent vector, and back. Beside them,
four residual Conv1d layers, whose channels begin as the mel bands, add to the latent vectors what
components alone do not say; the decoder mirrors them. They begin by adding nothing, so training begins
where components end. As a variational autoencoder (Kingma and Welling 2013, "Auto-encoding variational
Bayes") the encoder gives a mean and a variance, and the latent vectors follow a normal distribution, so
that new ones can be drawn.
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

from chladni_audio_features.reconstruction.network import LATENT_FRAMES, LAYERS, LEAK
from chladni_audio_features.reconstruction.windows import WINDOW_FRAMES

DEFAULT_CHANNELS: Final = (96, 96, 128, 128)
_FITTED_WINDOWS: Final = 1000
_LEAST_VARIANCE: Final = 1e-6
"""That of a component that the clips have not, so that it can be divided by."""
_MOST_BINS: Final = 4
"""Bands by which training moves the pitch at most."""
_LOG_VARIANCES: Final = (-10.0, 4.0)
"""Beyond these the variance says nothing and its exponential may overflow."""


class PrincipalComponents(nn.Module):
    """The linear part: latents are the largest principal components of 16 frames, each of variance 1.

    It is fitted at once and not trained, so that the layers beside it learn what it leaves.

    Args:
        mel_bins: Mel bands.
        count: Components of a latent vector.
    """

    analysis: Tensor
    offset: Tensor
    synthesis: Tensor
    mean: Tensor

    def __init__(self, mel_bins: int, count: int) -> None:
        super().__init__()
        if count > mel_bins * LATENT_FRAMES:
            raise ValueError(
                f"{LATENT_FRAMES} frames of {mel_bins} bands have {mel_bins * LATENT_FRAMES} components, "
                f"not {count}"
            )
        self.register_buffer("analysis", torch.zeros(count, mel_bins, LATENT_FRAMES))
        self.register_buffer("offset", torch.zeros(count))
        self.register_buffer("synthesis", torch.zeros(count, mel_bins, LATENT_FRAMES))
        self.register_buffer("mean", torch.zeros(mel_bins, LATENT_FRAMES))

    def fit(self, windows: npt.NDArray[np.uint8]) -> None:
        """Take the components of windows (N, mel bins, 256), of a thousand of them if there are more."""
        some = windows[:: -(-len(windows) // _FITTED_WINDOWS)].astype(np.float32) / np.float32(255.0)
        count, bins, _ = some.shape
        blocks = some.reshape(count, bins, -1, LATENT_FRAMES).swapaxes(1, 2).reshape(-1, bins * LATENT_FRAMES)
        mean = blocks.mean(axis=0)
        centred = blocks - mean
        variances, vectors = np.linalg.eigh((centred.T @ centred / len(centred)).astype(np.float64))
        largest = slice(None, -len(self.offset) - 1, -1)
        deviations = np.sqrt(np.maximum(variances[largest], _LEAST_VARIANCE))
        components = vectors[:, largest].T
        shape = self.analysis.shape
        analysis = components / deviations[:, None]
        self.analysis.copy_(torch.from_numpy(analysis.reshape(shape)))
        self.offset.copy_(torch.from_numpy(-analysis @ mean))
        self.synthesis.copy_(torch.from_numpy((components * deviations[:, None]).reshape(shape)))
        self.mean.copy_(torch.from_numpy(mean.reshape(bins, LATENT_FRAMES)))

    def encode(self, windows: Tensor) -> Tensor:
        """Return (B, D, T / 16) of windows (B, mel bins, T)."""
        return functional.conv1d(windows, self.analysis, self.offset, stride=LATENT_FRAMES)

    def decode(self, latents: Tensor) -> Tensor:
        """Return windows (B, mel bins, T) of (B, D, T / 16)."""
        windows = functional.conv_transpose1d(latents, self.synthesis, stride=LATENT_FRAMES)
        return windows + self.mean.repeat(1, latents.shape[2])


class ResidualBlock(nn.Module):
    """Two convolutions beside the identity.

    Args:
        channels: Channels.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(channels, channels, 3, padding=1)
        self.second = nn.Conv1d(channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, C, T) of (B, C, T)."""
        return _activated(hidden + self.second(_activated(self.first(hidden))))


class EncoderLayer(nn.Module):
    """A convolution that halves the frames, and a residual block.

    Args:
        inputs: Channels that come.
        outputs: Channels that go.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Conv1d(inputs, outputs, 4, stride=2, padding=1)
        self.block = ResidualBlock(outputs)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, T / 2) of (B, inputs, T)."""
        halved: Tensor = self.block(_activated(self.down(hidden)))
        return halved


class DecoderLayer(nn.Module):
    """A residual block, and a transposed convolution that doubles the frames.

    Args:
        inputs: Channels that come.
        outputs: Channels that go.
        is_last: Whether what goes is added to the spectrogram: not activated, and nothing at first.
    """

    def __init__(self, inputs: int, outputs: int, *, is_last: bool) -> None:
        super().__init__()
        self.block = ResidualBlock(inputs)
        self.up = nn.ConvTranspose1d(inputs, outputs, 4, stride=2, padding=1)
        self._is_last = is_last
        if is_last:
            _fill_with_zeros(self.up)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return (B, outputs, 2 T) of (B, inputs, T)."""
        doubled: Tensor = self.up(self.block(hidden))
        return doubled if self._is_last else _activated(doubled)


class AudioAutoencoder(nn.Module):
    """The autoencoder.

    Args:
        mel_bins: Mel bands.
        latent_dimension: Components of a latent vector.
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
        self.principal = PrincipalComponents(mel_bins, latent_dimension)
        self.encoder = nn.ModuleList(EncoderLayer(inputs, outputs) for inputs, outputs in pairwise(widths))
        self.dropout = nn.Dropout(dropout)
        self.to_latent = nn.Conv1d(channels[-1], latent_dimension, 1)
        _fill_with_zeros(self.to_latent)
        self.to_log_variance = nn.Conv1d(channels[-1], latent_dimension, 1) if variational else None
        self.from_latent = nn.Conv1d(latent_dimension, channels[-1], 1)
        widths.reverse()
        self.decoder = nn.ModuleList(
            DecoderLayer(widths[layer], widths[layer + 1], is_last=layer + 1 == LAYERS)
            for layer in range(LAYERS)
        )

    def encode(self, windows: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return latents (B, D, T / 16) of windows (B, mel bins, T), and their log variances, if any."""
        hidden = windows
        for layer in self.encoder:
            hidden = layer(hidden)
        hidden = self.dropout(hidden)
        latents = self.principal.encode(windows) + self.to_latent(hidden)
        if self.to_log_variance is None:
            return latents, None
        return latents, self.to_log_variance(hidden).clamp(*_LOG_VARIANCES)

    def decode(self, latents: Tensor) -> Tensor:
        """Return windows (B, mel bins, T) of latents (B, D, T / 16)."""
        hidden = _activated(self.from_latent(latents))
        for layer in self.decoder:
            hidden = layer(hidden)
        return self.principal.decode(latents) + hidden

    def forward(self, windows: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return reconstructed windows, latents, and the logarithms of their variances, if any.

        Args:
            windows: (B, mel bins, 256) in [0, 1].
            noise: (B, D, 16) standard normal, with which a variational one draws its latents; `None` means
                their means.
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
        count = WINDOW_FRAMES // LATENT_FRAMES
        noise = torch.randn((len(batch), latent_dimension_of(model), count), generator=generator)
        decoded, latents, log_variances = model(windows, noise.to(windows.device))
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
    dimension: int = autoencoder.to_latent.out_channels
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
    """Return the weights as the service takes them."""
    pairs: dict[str, tuple[Tensor, Tensor]] = {
        "principal.analysis": (model.principal.analysis, model.principal.offset),
        "principal.synthesis": (model.principal.synthesis, model.principal.mean),
        "to_latent": (model.to_latent.weight[:, :, 0], _bias(model.to_latent)),
        "from_latent": (model.from_latent.weight[:, :, 0], _bias(model.from_latent)),
    }
    for number, layer in enumerate(model.encoder):
        assert isinstance(layer, EncoderLayer)  # noqa: S101 - for the type checker
        pairs[f"encoder.{number}.down"] = (layer.down.weight, _bias(layer.down))
        pairs.update(_block(f"encoder.{number}", layer.block))
    for number, layer in enumerate(model.decoder):
        assert isinstance(layer, DecoderLayer)  # noqa: S101 - for the type checker
        pairs.update(_block(f"decoder.{number}", layer.block))
        pairs[f"decoder.{number}.up"] = (layer.up.weight, _bias(layer.up))
    return {
        f"{name}.{kind}": value.float().cpu().numpy().copy()
        for name, pair in pairs.items()
        for kind, value in zip(("weight", "bias"), pair, strict=True)
    }


def _block(name: str, block: ResidualBlock) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        f"{name}.first": (block.first.weight, _bias(block.first)),
        f"{name}.second": (block.second.weight, _bias(block.second)),
    }


def _fill_with_zeros(layer: nn.Conv1d | nn.ConvTranspose1d) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(_bias(layer))


def _bias(layer: nn.Conv1d | nn.ConvTranspose1d) -> Tensor:
    assert layer.bias is not None  # noqa: S101 - for the type checker
    return layer.bias


def _activated(values: Tensor) -> Tensor:
    return functional.leaky_relu(values, LEAK)

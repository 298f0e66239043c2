"""Two towers that bring audio and images into one space.

The design is CLIP's (Radford et al. 2021, "Learning transferable visual models from natural language
supervision"): each tower ends in a projection to a vector of length 1, and a learnt temperature scales their
cosines during training. Both towers are small, for what they see is of one kind: images painted by
Chladni's image models, and embeddings of audio in `chladni-descriptors-v2`.

The model is a transformers one, saved and loaded by `save_pretrained` and `from_pretrained`; those of earlier
versions need the latter's `key_mapping`.
"""

from __future__ import annotations

import math
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel, ResNetConfig, ResNetModel

MODEL_TYPE: Final = "chladni-alignment"

_PIXEL_MEAN: Final = 0.5
_PIXEL_DEVIATION: Final = 0.25
_FIRST_TEMPERATURE: Final = 0.07  # CLIP's, and so is the limit.
_MAX_SCALE: Final = 100.0
_STRIDE: Final = 32
"""How many pixels of the image one cell of the last feature map covers, each way."""


WEIGHT_PREFIXES: Final = {"picture_tower": "image_tower", "sound_tower": "audio_tower"}
"""First parts of the names of weights: in models of earlier versions, such as the shipped one, and here."""

_CONFIG_NAMES: Final = {
    f"sound_{name}": f"audio_{name}" for name in ("dimension", "harmonics", "width", "blocks", "dropout")
}
"""Names of settings: in models of earlier versions, and here."""


class AlignmentConfig(PretrainedConfig):  # type: ignore[misc]  # transformers' classes are untyped
    """Sizes of the towers.

    Attributes:
        audio_dimension: Components of an embedding of audio.
        audio_harmonics: Sines and cosines taken of each component.
        audio_width: Width of the audio tower.
        audio_blocks: Residual blocks of the audio tower.
        audio_dropout: Share of the values that a block drops in training.
        image_side_pixels: Side of the images.
        stem_channels: Channels after the first convolution of the image tower.
        stage_channels: Channels of its four stages.
        stage_blocks: Residual blocks of each stage.
        layout_channels: Channels kept of each cell of the last feature map.
        projection_dimension: Dimension of the shared space.
    """

    model_type = MODEL_TYPE
    attribute_map = _CONFIG_NAMES

    audio_dimension: int = 152
    audio_harmonics: int = 2
    audio_width: int = 384
    audio_blocks: int = 2
    audio_dropout: float = 0.1
    image_side_pixels: int = 128
    stem_channels: int = 32
    stage_channels: tuple[int, ...] | list[int] = (32, 64, 128, 224)
    stage_blocks: tuple[int, ...] | list[int] = (1, 1, 2, 1)
    layout_channels: int = 48
    projection_dimension: int = 256


class ResidualBlock(nn.Module):
    """x + MLP(LayerNorm(x)), as in transformers' feed-forward parts.

    Args:
        width: Size of its input and output, and of the layer between.
        dropout: Share of the values dropped in training.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, width)
        self.contract = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (N, width)."""
        hidden = self.contract(self.dropout(F.gelu(self.expand(self.norm(inputs)))))
        outputs: Tensor = inputs + self.dropout(hidden)
        return outputs


class AudioTower(nn.Module):
    """From embeddings of audio to the shared space.

    Beside its value, each component enters as sines and cosines of multiples of it, so that the network can
    separate near values (Tancik et al. 2020, "Fourier features let networks learn high frequency functions
    in low dimensional domains").
    """

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.harmonics = config.audio_harmonics
        views = 1 + 2 * config.audio_harmonics
        self.entry = nn.Linear(config.audio_dimension * views, config.audio_width)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.audio_width, config.audio_dropout) for _ in range(config.audio_blocks))
        )
        self.norm = nn.LayerNorm(config.audio_width)
        self.projection = nn.Linear(config.audio_width, config.projection_dimension, bias=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Return (N, projection dimension) of embeddings of audio (N, 152) in [0, 1]."""
        views = [2 * audio - 1]
        for harmonic in range(1, self.harmonics + 1):
            angles = harmonic * math.pi * audio
            views += [angles.sin(), angles.cos()]
        features: Tensor = self.projection(self.norm(self.blocks(self.entry(torch.cat(views, dim=1)))))
        return features


class ImageTower(nn.Module):
    """From images to the shared space: a residual network (He et al. 2016) with two ways out of it.

    The mean of the last feature map shows what is in the image, a few channels of each of its cells show
    where it is: the course of a sound shows in the layout of its image.
    """

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.backbone = ResNetModel(
            ResNetConfig(
                embedding_size=config.stem_channels,
                hidden_sizes=list(config.stage_channels),
                depths=list(config.stage_blocks),
                layer_type="basic",
            )
        )
        self.backbone.loss_function = None  # Tracing asks for it, and transformers warns if there is none.
        channels = config.stage_channels[-1]
        cells = (config.image_side_pixels // _STRIDE) ** 2
        width = channels + cells * config.layout_channels
        self.layout = nn.Conv2d(channels, config.layout_channels, 1)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, config.projection_dimension)
        self.projection = nn.Linear(config.projection_dimension, config.projection_dimension, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (N, projection dimension) of images (N, 3, side, side), RGB in [0, 1]."""
        cells = self.backbone((pixels - _PIXEL_MEAN) / _PIXEL_DEVIATION).last_hidden_state
        parts = torch.cat([cells.mean(dim=(2, 3)), self.layout(cells).flatten(1)], dim=1)
        features: Tensor = self.projection(F.gelu(self.mix(self.norm(parts))))
        return features


class AlignmentModel(PreTrainedModel):  # type: ignore[misc]  # transformers' classes are untyped
    """Both towers, and the temperature between them."""

    config_class = AlignmentConfig
    base_model_prefix = "alignment"
    main_input_name = "audio"

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__(config)
        self.audio_tower = AudioTower(config)
        self.image_tower = ImageTower(config)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(_FIRST_TEMPERATURE)))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Leave each layer as its own class initialises it, which suits both towers."""

    @property
    def scale(self) -> Tensor:
        """By what cosines are multiplied in training: one over the temperature, at most 100."""
        return self.log_scale.exp().clamp(max=_MAX_SCALE)

    def forward(self, audio: Tensor, pixels: Tensor, **_: Any) -> Tensor:
        """Return the scaled cosines (N, M) of N embeddings of audio with M images."""
        audio_vectors = F.normalize(self.audio_tower(audio), dim=1)
        image_vectors = F.normalize(self.image_tower(pixels), dim=1)
        logits: Tensor = self.scale * (audio_vectors @ image_vectors.T)
        return logits

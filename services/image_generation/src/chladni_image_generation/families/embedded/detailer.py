"""A network that draws into a decoded image what the latents cannot hold.

The latents' cells are eight pixels wide, and so is the finest thing that a decoder makes of them. The
detailer sees the decoded image and the planes of its scene at full size (`detail_planes`), four pixels of
each folded into channels (`pixel_unshuffle`), and adds what six convolutions make of them: edges and lines.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from chladni_image_generation.families.embedded.detail_planes import DETAIL_PLANES

DETAILER_FOLDER: Final = "detailer"
"""Where a model directory holds its detailer."""

CONFIG_NAME: Final = "config.json"
WEIGHTS_NAME: Final = "model.safetensors"
FOLD: Final = 2
"""Pixels along an axis that share a place in the detailer's layers."""


@dataclass(frozen=True, slots=True)
class DetailerConfig:
    """Sizes of a detailer.

    Attributes:
        planes: Planes of the scene at full size.
        hidden_channels: Channels between its convolutions.
        blocks: Pairs of convolutions between the first and the last.
    """

    planes: int = DETAIL_PLANES
    hidden_channels: int = 40
    blocks: int = 2


class Detailer(nn.Module):
    """A small residual network on folded pixels; a fresh one changes nothing.

    Args:
        config: Its sizes.
    """

    def __init__(self, config: DetailerConfig) -> None:
        super().__init__()
        self.config = config
        hidden, colours = config.hidden_channels, 3 * FOLD**2
        self.enter = nn.Conv2d(colours + config.planes * FOLD**2, hidden, 3, padding=1)
        self.first = nn.ModuleList(nn.Conv2d(hidden, hidden, 3, padding=1) for _ in range(config.blocks))
        self.second = nn.ModuleList(nn.Conv2d(hidden, hidden, 3, padding=1) for _ in range(config.blocks))
        self.leave = nn.Conv2d(hidden, colours, 3, padding=1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, images: Tensor, planes: Tensor) -> Tensor:
        """Return images (B, 3, H, W), about in [-1, 1].

        Args:
            images: (B, 3, H, W) decoded images, about in [-1, 1]; sides are even.
            planes: (B, P, H, W) of the scene.
        """
        hidden = self.enter(functional.pixel_unshuffle(torch.cat([images, planes], dim=1), FOLD))
        for first, second in zip(self.first, self.second, strict=True):
            hidden = hidden + second(functional.silu(first(functional.silu(hidden))))
        return images + functional.pixel_shuffle(self.leave(functional.silu(hidden)), FOLD)

    @property
    def reach_pixels(self) -> int:
        """How many rows away a pixel of its images depends on the scene, whose slopes look a row further."""
        convolutions = 2 + 2 * self.config.blocks
        return FOLD * (convolutions + 1)

    def save(self, folder: Path) -> None:
        """Write the configuration and the weights, in half precision."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG_NAME).write_text(json.dumps(asdict(self.config), indent=2) + "\n")
        weights = {name: value.half().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / WEIGHTS_NAME)
        (folder / WEIGHTS_NAME).chmod(0o644)  # safetensors writes files for their owner alone

    @classmethod
    def load(cls, folder: Path, *, dtype: torch.dtype) -> Self:
        """Return the detailer of a folder, in evaluation mode.

        Raises:
            OSError: A file is missing or cannot be read.
            ValueError: The configuration or the weights are no detailer's.
        """
        try:
            config = DetailerConfig(**json.loads((folder / CONFIG_NAME).read_text()))
            detailer = cls(config)
            detailer.load_state_dict(load_file(folder / WEIGHTS_NAME))
        except (TypeError, ValueError, RuntimeError, SafetensorError) as error:
            raise ValueError(f"{folder.name} holds no detailer: {error}") from error
        if config.planes != DETAIL_PLANES:
            raise ValueError(
                f"{folder.name} holds a detailer of {config.planes} planes, this version draws "
                f"{DETAIL_PLANES}"
            )
        return detailer.to(dtype).eval().requires_grad_(requires_grad=False)

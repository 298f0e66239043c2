"""Which numeric type a model computes in: what the device does fast, if images stay as good.

A type with fewer bits is worth taking only if the processor multiplies it faster, and only for a model
whose manifest says that its images hardly change. `tools.measure_precision` measures that and writes
the manifest's section ``precision``: the PSNR to the images of float32 that a type must reach
(``min_psnr_db``), and for each type what it reached (``dtypes.<name>.psnr_db_min``).

Public checkpoints have no such manifest. They are trained and published for half precision on a GPU, so there
they get the type that it does fast; on a CPU they get float32.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

AUTO: Final = "auto"
"""The request for `choose_dtype` to decide."""

_BFLOAT16_INSTRUCTIONS: Final = ("avx512_bf16", "amx_bf16")
_OWN_SECTIONS: Final = frozenset({"conditioning", "precision"})
"""Sections that the manifest of a model of this project has, and what comes with a public one lacks."""

_AMPERE: Final = 8
_VOLTA: Final = 7

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a device can do.

    Attributes:
        device_type: As in `torch.device`.
        has_bfloat16_products: Whether a CPU has instructions for products of bfloat16.
        compute_capability: Version of a CUDA device's instructions; `None` elsewhere.
    """

    device_type: str
    has_bfloat16_products: bool = False
    compute_capability: tuple[int, int] | None = None

    @property
    def fast_dtypes(self) -> tuple[torch.dtype, ...]:
        """The types that are faster than float32 here, the best one first."""
        if self.device_type == "cpu" and self.has_bfloat16_products:
            return (torch.bfloat16,)
        if self.device_type == "cuda" and self.compute_capability is not None:
            generation = self.compute_capability[0]
            if generation >= _AMPERE:
                return (torch.bfloat16, torch.float16)
            if generation == _VOLTA:
                return (torch.float16,)
        return ()


def capabilities_of(device: torch.device) -> Capabilities:
    """Return what a device of this machine can do."""
    if device.type == "cuda":
        return Capabilities("cuda", compute_capability=torch.cuda.get_device_capability(device))
    flags = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return Capabilities(device.type, any(flags.get(name, False) for name in _BFLOAT16_INSTRUCTIONS))


def choose_dtype(requested: str, *, manifest: Mapping[str, Any], capabilities: Capabilities) -> torch.dtype:
    """Return the type to compute in, and log why.

    Args:
        requested: Name of one of torch's floating-point types, which is obeyed, or `AUTO`.
        manifest: The model's manifest; if that of a model of this project has no measurement of a type,
            that type is not taken.
        capabilities: What the device can do.
    """
    is_published = not manifest.keys() & _OWN_SECTIONS
    dtype, reason = _decide(requested, manifest.get("precision", {}), capabilities, is_published=is_published)
    _log.info("the model computes in %s: %s", _name_of(dtype), reason)
    return dtype


def _decide(
    requested: str, precision: Mapping[str, Any], capabilities: Capabilities, *, is_published: bool
) -> tuple[torch.dtype, str]:
    if requested != AUTO:
        dtype: torch.dtype = getattr(torch, requested)
        return dtype, "it is configured so"
    if is_published and capabilities.device_type == "cuda" and capabilities.fast_dtypes:
        return capabilities.fast_dtypes[0], "such checkpoints are published for it, and the GPU does it fast"
    refusals = []
    for dtype in capabilities.fast_dtypes:
        reached = precision.get("dtypes", {}).get(_name_of(dtype), {}).get("psnr_db_min")
        needed = precision.get("min_psnr_db")
        if reached is None or needed is None:
            refusals.append(f"the model's manifest has no measurement of {_name_of(dtype)}")
        elif reached < needed:
            refusals.append(f"{_name_of(dtype)} reaches {reached} dB and must reach {needed} dB")
        else:
            return dtype, f"the device does it fast, and it reaches {reached} dB of the {needed} dB it must"
    return torch.float32, "; ".join(refusals) or "the device does no other type faster"


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

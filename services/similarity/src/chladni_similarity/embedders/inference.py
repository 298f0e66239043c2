"""How networks run: traced, so without the interpreter, and with one exception for too little memory."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor, nn

_log = logging.getLogger(__name__)

_TRACED_BATCH_SIZE: Final = 4
_CHECKED_BATCH_SIZE: Final = 3
_TOLERANCE: Final = 1e-4
_HALF_TOLERANCE: Final = 0.05
_CPU_ALLOCATOR: Final = "DefaultCPUAllocator"
"""Begins the only sign that distinguishes torch's RuntimeError for lack of main memory from others."""

Network: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where networks run, and in which numbers.

    Attributes:
        device: Name of the device, as torch has it.
        dtype: Type of the weights and of what is computed between input and result.
    """

    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    @property
    def is_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device != "cpu"

    @property
    def properties(self) -> dict[str, str]:
        """What distinguishes its results from those of float32 on a CPU, for people; empty if nothing."""
        if self == CPU:
            return {}
        return {"device": self.device, "dtype": str(self.dtype).removeprefix("torch.")}


CPU: Final = Placement()


def place(device: str, dtype: str) -> Placement:
    """Return a placement.

    Args:
        device: Name of the device, as torch has it.
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto``, which is float32: cosines of the same
            images then are the same on every device, but for rounding.
    """
    return Placement(device, torch.float32 if dtype == "auto" else getattr(torch, dtype))


def traced(network: nn.Module, input_shape: tuple[int, ...], placement: Placement = CPU) -> Network:
    """Return what computes the same as a network, bit for bit, as one call into torch.

    A module's forward is Python, which takes the interpreter's lock between any two of its some hundred
    operations, and each time has to win it from the event loop, which receives the next images meanwhile. A
    traced network takes it once a batch. With a small CLIP and 32 requests in flight that saves 0.2 CPU-ms of
    the 0.5 that a request costs above the model; and of the 7 that an image alone takes, 0.5.

    torch would rather have `torch.compile` or `torch.export`; but the one needs a C++ compiler where the
    service runs, the other runs in Python again. Should torch drop tracing, the network itself does as well.

    Args:
        network: Takes uint8 pixels (N, *input_shape) with any N; ready for inference.
        input_shape: Shape of one input.
        placement: Where it runs. It is moved there, and takes and returns tensors of main memory.
    """
    network.to(placement.device)
    pixels = torch.arange(_TRACED_BATCH_SIZE * math.prod(input_shape)) % 251
    inputs = pixels.to(torch.uint8).view(_TRACED_BATCH_SIZE, *input_shape).to(placement.device)
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecation, and of checks of shapes, which a trace leaves out
        trace: Network = torch.jit.trace(network, inputs, check_trace=False)  # type: ignore[no-untyped-call]
        sample = inputs[-_CHECKED_BATCH_SIZE:]
        tolerance = _TOLERANCE if placement.dtype is torch.float32 else _HALF_TOLERANCE
        if torch.allclose(trace(sample), network(sample), rtol=tolerance, atol=tolerance):
            return _from_main_memory(trace, placement)
    _log.warning("a network computes something else when it is traced; it runs untraced")
    return _from_main_memory(network, placement)


def _from_main_memory(network: Network, placement: Placement) -> Network:
    """Return what moves inputs to the device of a network, and its results back."""
    if not placement.is_gpu:
        return network
    return lambda inputs: network(inputs.to(placement.device, non_blocking=True)).cpu()


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise MemoryError if memory runs out on any device.

    Raises:
        MemoryError: The work inside had too little memory.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from None
    except RuntimeError as error:
        if _CPU_ALLOCATOR in str(error):
            raise MemoryError(str(error)) from None
        raise

"""Devices that settings name: found, or refused in a sentence before anything is loaded."""

from __future__ import annotations

from chladni_runtime.settings import ConfigurationError

DEVICE_PATTERN = r"^(auto|cpu|cuda(:\d{1,3})?)$"
"""What a setting of a device may hold."""


def choose_device(device: str, *, variable: str, gpu_count: int) -> str:
    """Return the device that a setting means: ``cpu``, ``cuda`` or ``cuda:1``.

    Args:
        device: What the setting holds.
        variable: Name of the setting's variable, for the error.
        gpu_count: GPUs that can be used, as `torch.cuda.device_count` has it.

    Raises:
        ConfigurationError: There is no such device here.
    """
    if device == "auto":
        return "cuda" if gpu_count else "cpu"
    kind, _, number = device.partition(":")
    if kind == "cpu" or int(number or 0) < gpu_count:
        return device
    if not gpu_count:
        raise ConfigurationError(
            f"{variable}={device!r} cannot be used: PyTorch finds no GPU here. Set it to cpu or auto, or "
            "install an NVIDIA driver and a CUDA build of PyTorch."
        )
    raise ConfigurationError(
        f"{variable}={device!r} cannot be used: PyTorch finds {gpu_count} GPU(s) here, of which the last is "
        f"cuda:{gpu_count - 1}. Set it to one of them, to cpu or to auto."
    )

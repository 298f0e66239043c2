"""The device that a job computes on."""

from __future__ import annotations

import torch

from chladni_training.errors import TrainingError


def find_device(name: str) -> torch.device:
    """Return a device by its name; a GPU if there is one for ``auto``, else the CPU.

    Raises:
        TrainingError: There is none of this name here.
    """
    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda") or (device.type == "cuda" and not has_gpu):
        raise TrainingError(f"there is no device {name!r} here; give --device cpu or auto")
    return device

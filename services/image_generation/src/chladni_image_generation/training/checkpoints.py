"""Checkpoints of a training run: written whole or not at all, found again by their stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from chladni_runtime.files import FOR_ALL, whole_file


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, mode=FOR_ALL) as file:
        torch.save(state, file)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Load the checkpoint at this path; None if the stage has not been started."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True)
    return state

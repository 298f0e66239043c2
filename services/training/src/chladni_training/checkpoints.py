"""Checkpoints: everything that a run needs to go on as if it had never stopped."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from chladni_training.errors import CheckpointError
from chladni_training.files import write_whole

_FORMAT: Final = 1
_MAX_DIFFERENCES: Final = 4
_DAMAGE: Final = (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, pickle.UnpicklingError)
"""What reading a file that is no checkpoint raises."""


def save_checkpoint(path: Path, identity: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: The file.
        identity: What makes the run this one: settings and data, as numbers, texts and lists of them.
        state: Tensors and plain values by name, nested as they may be.

    Raises:
        StorageError: It cannot be written; the one before is intact.
    """
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, "identity": dict(identity), "state": dict(state)}, buffer)
    write_whole(path, buffer.getvalue())


def load_checkpoint(path: Path, identity: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the state of a checkpoint, on the CPU; `None` if there is none.

    Args:
        path: The file.
        identity: What makes the run this one; a checkpoint of another is refused. `None` takes any.

    Raises:
        CheckpointError: It is damaged or belongs to another run.
    """
    if not path.exists():
        return None
    advice = "give another --output, or start again with --fresh"
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        version, found, state = content["format"], content["identity"], content["state"]
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is damaged, or no checkpoint ({reason}); {advice}") from error
    if version != _FORMAT:
        raise CheckpointError(f"{path} has format {version}, must be {_FORMAT}; {advice}")
    if identity is not None and (differences := _differences(found, identity)):
        raise CheckpointError(f"{path} was made with {differences}; repeat those settings, or {advice}")
    loaded: dict[str, Any] = state
    return loaded


def random_states() -> dict[str, Any]:
    """Return the states of all random numbers of this process, as a checkpoint can hold them."""
    version, words, gauss = random.getstate()
    numpy_state: dict[str, Any] = np.random.get_state(legacy=False)
    words_of_numpy = numpy_state["state"]["key"].tolist()
    states: dict[str, Any] = {
        "python": [version, list(words), gauss],
        "numpy": {**numpy_state, "state": {**numpy_state["state"], "key": words_of_numpy}},
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state_all()
    return states


def restore_random_states(states: Mapping[str, Any]) -> None:
    """Set the states of all random numbers of this process."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    numpy_state = states["numpy"]
    key = np.asarray(numpy_state["state"]["key"], np.uint32)
    np.random.set_state({**numpy_state, "state": {**numpy_state["state"], "key": key}})
    torch.set_rng_state(states["torch"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"])


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return in which settings two runs differ; empty if in none."""
    names = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
    parts = [f"{name} {found.get(name)}, not {wanted.get(name)}" for name in names[:_MAX_DIFFERENCES]]
    return "; ".join(parts)

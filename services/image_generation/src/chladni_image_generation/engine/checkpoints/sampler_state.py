"""What a sampler needs to go on later, and the same as bytes.

The bytes are read without running anything that they name: they hold tensors, numbers and texts alone.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from types import FunctionType, MethodType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

_CONFIGURATION: Final = "_internal_dict"
"""Where diffusers keeps a scheduler's configuration, which never changes."""
_ARRAY: Final = "numpy"
_NESTED: Final = "scheduler"
_PLAIN: Final = (type(None), bool, int, float, str, Tensor)


class UnknownStateError(Exception):
    """A scheduler keeps something between its steps that cannot be written down."""


@dataclass(frozen=True, slots=True, eq=False)
class StageEntry:
    """With what a sampler entered a stage after the first.

    Attributes:
        latents: (C, H, W) with which the stage before ended.
        generator_state: State of the generator then.
    """

    latents: Tensor
    generator_state: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class SamplerState:
    """A sampler between two steps.

    Attributes:
        latents: (C, H, W) so far.
        steps_done: Steps taken.
        steps_of_stage: Steps taken of the stage in progress.
        generator_state: State of the generator.
        entries: How the stages before led to the one in progress.
        scheduler: What the scheduler of the stage in progress keeps between steps, by attribute.
    """

    latents: Tensor
    steps_done: int
    steps_of_stage: int
    generator_state: Tensor
    entries: tuple[StageEntry, ...]
    scheduler: dict[str, Any]


def scheduler_state(scheduler: Any) -> dict[str, Any]:
    """Return what a scheduler keeps, by attribute: all but its configuration and its functions.

    Raises:
        UnknownStateError: It keeps something else than tensors, arrays, numbers and texts.
    """
    return {
        name: _written(value, name)
        for name, value in vars(scheduler).items()
        if name != _CONFIGURATION and not isinstance(value, FunctionType | MethodType)
    }


def set_scheduler_state(scheduler: Any, state: dict[str, Any]) -> None:
    """Make a scheduler of the same configuration go on as the one that `scheduler_state` read."""
    for name, value in state.items():
        if isinstance(value, tuple) and value and value[0] == _NESTED:
            set_scheduler_state(getattr(scheduler, name), value[1])
        else:
            setattr(scheduler, name, _read(value))


def encode_state(state: SamplerState, facts: dict[str, Any]) -> bytes:
    """Return a state, and some facts of plain values beside it, as bytes."""
    buffer = io.BytesIO()
    # `asdict` copies tensors, so that the file holds no more of a storage than it needs.
    torch.save({"state": asdict(state), "facts": facts}, buffer)
    return buffer.getvalue()


def decode_state(content: bytes) -> tuple[SamplerState, dict[str, Any]]:
    """Return what `encode_state` encoded.

    Raises:
        Exception: The bytes are something else, of whatever kind torch raises.
    """
    held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    fields = held["state"]
    fields["entries"] = tuple(StageEntry(**entry) for entry in fields["entries"])
    return SamplerState(**fields), held["facts"]


def _written(value: Any, name: str) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return (_ARRAY, torch.from_numpy(np.array(value)), isinstance(value, np.generic))
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return type(value)(_written(item, name) for item in value)
    if hasattr(value, "step"):
        return (_NESTED, scheduler_state(value))
    raise UnknownStateError(f"{name} is a {type(value).__name__}")


def _read(value: Any) -> Any:
    if isinstance(value, tuple) and value and value[0] == _ARRAY:
        array = value[1].numpy()
        return array[()] if value[2] else array
    if isinstance(value, list | tuple):
        return type(value)(_read(item) for item in value)
    return value

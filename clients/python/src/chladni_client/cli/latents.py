"""Files of initial latents."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni_client.errors import InvalidInputError

SUFFIXES: Final = (".npy", ".safetensors")

_TENSOR: Final = "latents"
_LENGTH_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 100_000_000
_DTYPES: Final = {"F32": "<f4", "F16": "<f2", "F64": "<f8"}
_RANKS: Final = range(1, 5)


def read_latents(path: Path, subject: int) -> NDArray[np.float32]:
    """Return the initial latents of one subject of a file, without reading the others.

    A file holds one, of shape (values,) or (C, H, W), or many, of shape (N, values) or (N, C, H, W).

    Args:
        path: A .npy file, or a .safetensors file with the tensor ``latents``.
        subject: Which of many; the first is 0.

    Raises:
        InvalidInputError: It is no such file, or has no such subject.
        OSError: It cannot be read.
    """
    array = _read_safetensors(path) if path.suffix.lower() == ".safetensors" else _read_npy(path)
    if array.ndim not in _RANKS or array.dtype.kind != "f" or array.size == 0:
        raise _invalid(path, f"it holds {array.dtype} of shape {array.shape}")
    if array.ndim % 2 == 0:
        if subject >= len(array):
            last = len(array) - 1
            raise InvalidInputError(
                f"{path.name} has no --subject {subject}; its last one is {last}.", reason="INVALID_FIELD"
            )
        array = array[subject]
    elif subject:
        raise _invalid(path, "it holds one, which is --subject 0")
    values = np.array(array, dtype=np.float32)
    if not np.isfinite(values).all():
        raise _invalid(path, "it holds values that are not finite")
    return values


def _read_npy(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _invalid(path, "it is no .npy file of numbers") from error
    if not isinstance(array, np.ndarray):
        raise _invalid(path, "it is no .npy file of numbers")
    return array


def _read_safetensors(path: Path) -> NDArray[Any]:
    """Return a view of the tensor ``latents``.

    The format: the length of the header in 8 bytes, the header in JSON, the tensors.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 0 < length <= min(_MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise _invalid(path, "it is no .safetensors file")
        header = file.read(length)
    try:
        entry = json.loads(header)[_TENSOR]
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(map(int, entry["shape"]))
        begin, end = map(int, entry["data_offsets"])
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid(path, f"it is no .safetensors file with a tensor {_TENSOR!r} of floats") from error
    begin, end = begin + _LENGTH_BYTES + length, end + _LENGTH_BYTES + length
    if (
        min(shape, default=0) < 1
        or end - begin != prod(shape) * dtype.itemsize
        or not 0 < begin < end <= size
    ):
        raise _invalid(path, "it is cut short or damaged")
    return np.memmap(path, dtype, "r", begin, shape)


def _invalid(path: Path, finding: str) -> InvalidInputError:
    return InvalidInputError(
        f"{path.name} holds no initial latents: {finding}. Give a {' or '.join(SUFFIXES)} file of "
        "shape (values,), (C, H, W), (N, values) or (N, C, H, W).",
        reason="INVALID_FIELD",
    )

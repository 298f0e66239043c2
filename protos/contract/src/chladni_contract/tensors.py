"""Tensors on the wire: `chladni.tensor.v1.Tensor` to NumPy and back, without copying elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import InvalidInputError, MetadataValue, Reason

_DTYPES: Final[Mapping[tensor_pb2.DataType, np.dtype[Any]]] = {
    tensor_pb2.DATA_TYPE_FLOAT32: np.dtype("<f4"),
    tensor_pb2.DATA_TYPE_FLOAT16: np.dtype("<f2"),
    tensor_pb2.DATA_TYPE_UINT8: np.dtype("u1"),
    tensor_pb2.DATA_TYPE_INT16: np.dtype("<i2"),
    tensor_pb2.DATA_TYPE_INT64: np.dtype("<i8"),
}
_DATA_TYPES: Final = {dtype: data_type for data_type, dtype in _DTYPES.items()}


def to_tensor(array: NDArray[Any]) -> tensor_pb2.Tensor:
    """Return a message with the elements of an array in row-major order.

    Raises:
        ValueError: The array's element type is not one that travels.
    """
    dtype = array.dtype.newbyteorder("<")
    if dtype not in _DATA_TYPES:
        raise ValueError(f"arrays of {array.dtype} do not travel")
    return tensor_pb2.Tensor(
        dtype=_DATA_TYPES[dtype],
        shape=array.shape,
        data=np.ascontiguousarray(array, dtype=dtype).tobytes(),
    )


def dtype_of(tensor: tensor_pb2.Tensor) -> np.dtype[Any] | None:
    """Return the element type of a message; `None` if this version does not know it."""
    return _DTYPES.get(tensor.dtype)


def to_array(
    tensor: tensor_pb2.Tensor,
    *,
    field: str,
    dtype: type[np.generic],
    shape: Sequence[int | None],
) -> NDArray[Any]:
    """Return a read-only view of a message's elements.

    Args:
        tensor: The message.
        field: Path of the field, for error messages.
        dtype: Element type that it must have.
        shape: Shape that it must have; `None` matches any size.

    Raises:
        InvalidInputError: Element type, shape or number of bytes is wrong, or a float is not finite.
    """
    wanted = np.dtype(dtype).newbyteorder("<")
    if dtype_of(tensor) != wanted:
        name = tensor_pb2.DataType.Name(_DATA_TYPES[wanted])
        raise _invalid(f"{field}.dtype", f"must be {name}.")
    sizes = tuple(tensor.shape)
    if len(sizes) != len(shape) or not all(map(_fits, sizes, shape)):
        expected = ", ".join("any" if size is None else str(size) for size in shape)
        found = _brief(sizes)
        raise _invalid(
            f"{field}.shape", f"is {found}, must be ({expected}).", value=found, allowed=f"({expected})"
        )
    data = tensor.data  # read once: protobuf copies the bytes at every access
    expected_bytes = prod(sizes) * wanted.itemsize
    if len(data) != expected_bytes:
        raise _invalid(
            f"{field}.data",
            f"holds {len(data)} bytes; shape and dtype need {expected_bytes}.",
            value=len(data),
            allowed=expected_bytes,
        )
    array: NDArray[Any] = np.frombuffer(data, dtype=wanted).reshape(sizes)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _invalid(f"{field}.data", "holds NaN or infinite values; send finite ones.")
    return array


def _fits(size: int, limit: int | None) -> bool:
    return size >= 0 and limit in (None, size)


def _brief(sizes: tuple[int, ...], limit: int = 8) -> str:
    shown = ", ".join(map(str, sizes[:limit]))
    return f"({shown}, ...)" if len(sizes) > limit else f"({shown})"


def _invalid(field: str, description: str, **metadata: MetadataValue) -> InvalidInputError:
    return InvalidInputError(Reason.INVALID_FIELD, f"{field} {description}", field=field, metadata=metadata)

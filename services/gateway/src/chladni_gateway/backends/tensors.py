"""Tensors on the wire, to rows of plain numbers: the gateway does too little arithmetic to need NumPy."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import FaultError, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_RANK = 2
_FLOAT_BYTES = 4


def to_rows(tensor: tensor_pb2.Tensor, *, sender: str) -> Sequence[tuple[float, ...]]:
    """Returns the rows of a float32 tensor of shape (N, M).

    Args:
        tensor: The message.
        sender: Name of the service that sent it, for the error.

    Raises:
        FaultError: It is no such tensor, or holds NaN or infinite values.
    """
    data = tensor.data
    shape = tuple(tensor.shape)
    is_matrix = tensor.dtype == tensor_pb2.DATA_TYPE_FLOAT32 and len(shape) == _RANK and min(shape) >= 0
    if not is_matrix or len(data) != _FLOAT_BYTES * math.prod(shape):
        raise _unusable(sender)
    row_count, width = shape
    row_bytes = _FLOAT_BYTES * width
    rows = [struct.unpack_from(f"<{width}f", data, row_bytes * index) for index in range(row_count)]
    if not all(map(math.isfinite, (value for row in rows for value in row))):
        raise _unusable(sender)
    return rows


def _unusable(sender: str) -> FaultError:
    return FaultError(Reason.INTERNAL, f"The service {sender} sent numbers that cannot be used.")

"""A short name for the weights of a network, equal in every process that loads them.

Two services that must have the same network, such as the text branch by which a space of embeddings is
known, need not see each other's files: they compare fingerprints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LENGTH = 16


def fingerprint(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 over names and values, in the order of the names.

    Values count rounded to float16, so that a checkpoint saved in half precision and the one that it was
    made from have the same fingerprint.

    Args:
        tensors: Arrays of floats by name.

    Raises:
        ValueError: There are no tensors, so that the fingerprint would say nothing.
    """
    if not tensors:
        raise ValueError("a fingerprint needs at least one tensor")
    digest = hashlib.sha256()
    for name in sorted(tensors):
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(tensors[name], dtype="<f2")
        digest.update(f"{name} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:_LENGTH]

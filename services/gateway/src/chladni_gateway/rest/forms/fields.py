"""Types of form fields, which read their texts: numbers, choices, and NumPy files."""

from __future__ import annotations

import ast
import itertools
import math
import re
import struct
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, InstanceOf, WithJsonSchema

from chladni_gateway.domain.audio import InitialLatents
from chladni_gateway.domain.request import MAX_LATENT_VALUES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from enum import StrEnum

_SHOWN_CHARACTERS: Final = 32
_NPY_PREFIX_BYTES: Final = 8
_MAX_NPY_HEADER_BYTES: Final = 4096
_NPY_MAGIC: Final = b"\x93NUMPY"
_NPY_CODES: Final = {"<f2": "<e", ">f2": ">e", "<f4": "<f", ">f4": ">f", "<f8": "<d", ">f8": ">d"}
_UNREADABLE: Final = (
    struct.error, IndexError, ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError,
)  # fmt: skip
_LARGEST_FLOAT32: Final = (2 - 2**-23) * 2.0**127
MAX_ARRAY_FILE_BYTES: Final = MAX_LATENT_VALUES * 8 + 2 * _MAX_NPY_HEADER_BYTES
"""Longest NumPy file, its header included."""


def _written_as(pattern: str, meaning: str) -> BeforeValidator:
    """Return a check that all of a text matches a pattern, which `meaning` describes in words."""
    expression = re.compile(pattern, re.ASCII | re.IGNORECASE)

    def check(text: str) -> str:
        if not expression.fullmatch(text):
            raise ValueError(f"is {text[:_SHOWN_CHARACTERS]!r}, must be {meaning}.")
        return text

    return BeforeValidator(check)


def one_of(choices: Iterable[StrEnum]) -> BeforeValidator:
    """Return a check that a text is one of some values of an enumeration, or of all."""
    values = tuple(choices)

    def check(text: str) -> str:
        if text not in values:
            raise ValueError(f"is {text[:_SHOWN_CHARACTERS]!r}, must be {' or '.join(values)}.")
        return text

    return BeforeValidator(check)


# A field that did not come, or came empty, has the default of the model.
WholeNumber = Annotated[
    int | None, _written_as(r"[+-]?\d{1,20}", "a whole number"), WithJsonSchema({"type": "integer"})
]
Number = Annotated[
    float | None,
    _written_as(r"[+-]?(\d{1,20}(\.\d{0,20})?|\.\d{1,20})", "a decimal number"),
    WithJsonSchema({"type": "number"}),
]
TrueOrFalse = Annotated[bool, _written_as("true|false", "true or false")]


def read_npy(content: bytes) -> InitialLatents:
    """Return the floats of a NumPy file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

    Raises:
        ValueError: It is no such file, holds too many values, or one that is not finite.
    """
    shape, code, is_fortran, offset = _read_npy_header(content)
    count = math.prod(shape)
    if not 0 < count <= MAX_LATENT_VALUES:
        raise ValueError(f"holds {count} values, must hold 1 to {MAX_LATENT_VALUES}.")
    if len(content) - offset != struct.calcsize(f"{code[0]}{count}{code[1]}"):
        raise ValueError("is cut off, or goes on after its values.")
    values: Sequence[float] = struct.unpack_from(f"{code[0]}{count}{code[1]}", content, offset)
    if is_fortran:
        values = _in_row_major_order(values, shape)
    largest = max(map(abs, values))
    if not largest <= _LARGEST_FLOAT32 or not all(map(math.isfinite, values)):
        raise ValueError("holds values that are not finite in single precision.")
    return InitialLatents(shape, struct.pack(f"<{count}f", *values))


def _read_npy_header(content: bytes) -> tuple[tuple[int, ...], str, bool, int]:
    """Return the shape, the code of the values for `struct`, whether columns come first, and the offset."""
    try:
        version = content[len(_NPY_MAGIC)]
        length_code = "<H" if version == 1 else "<I"
        (length,) = struct.unpack_from(length_code, content, _NPY_PREFIX_BYTES)
        begin = _NPY_PREFIX_BYTES + struct.calcsize(length_code)
        header = ast.literal_eval(content[begin : begin + min(length, _MAX_NPY_HEADER_BYTES)].decode("ascii"))
        kind, is_fortran, shape = str(header["descr"]), bool(header["fortran_order"]), tuple(header["shape"])
        sizes_are_right = all(type(size) is int and size >= 0 for size in shape)
    except _UNREADABLE:
        sizes_are_right = False
    if not sizes_are_right or not content.startswith(_NPY_MAGIC):
        raise ValueError("is no NumPy file; write it with numpy.save.")
    if kind not in _NPY_CODES:
        raise ValueError(f"holds values of the type {kind[:32]}, must be float16, float32 or float64.")
    return shape, _NPY_CODES[kind], is_fortran, begin + length


def _in_row_major_order(values: Sequence[float], shape: tuple[int, ...]) -> list[float]:
    axes = (range(0, math.prod(shape[: axis + 1]), math.prod(shape[:axis])) for axis in range(len(shape)))
    return [values[sum(place)] for place in itertools.product(*axes)]


ArrayFile = Annotated[
    InstanceOf[InitialLatents] | None,
    BeforeValidator(read_npy),
    WithJsonSchema({"type": "string", "format": "binary"}),
]

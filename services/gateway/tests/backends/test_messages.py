"""Rows of numbers from the tensors of messages."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import FaultError, Reason
from chladni_gateway.backends.messages import to_rows

ROWS = st.integers(0, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=width, max_size=width),
        max_size=4,
    ).map(lambda rows: (width, rows))
)


@settings(max_examples=100)
@given(case=ROWS)
def test_rows_of_numbers_come_as_they_were_sent(case):
    width, rows = case
    data = b"".join(struct.pack(f"<{width}f", *row) for row in rows)
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=[len(rows), width], data=data)
    assert [list(row) for row in to_rows(tensor, sender="ear")] == rows


@pytest.mark.parametrize(
    "facts",
    [
        {"shape": [1]},
        {"shape": [2, 1]},
        {"shape": [-1, -1]},
        {"shape": [1, 1, 1]},
        {"dtype": tensor_pb2.DATA_TYPE_INT64},
        {"data": b"\0\0\0"},
        {"data": struct.pack("<f", float("nan"))},
        {"data": struct.pack("<f", float("inf"))},
    ],
)
def test_numbers_that_cannot_be_used_are_the_fault_of_who_sent_them(facts):
    sound = {"dtype": tensor_pb2.DATA_TYPE_FLOAT32, "shape": [1, 1], "data": struct.pack("<f", 1.0)}
    with pytest.raises(FaultError, match="The service ear sent") as caught:
        to_rows(tensor_pb2.Tensor(**(sound | facts)), sender="ear")
    assert caught.value.reason is Reason.INTERNAL

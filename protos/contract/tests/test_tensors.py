"""Tensors survive the wire, and malformed ones are refused with the field that is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import InvalidInputError
from chladni_contract.tensors import dtype_of, to_array, to_tensor

FINITE = {"allow_nan": False, "allow_infinity": False}
DTYPES = [np.float32, np.float16, np.uint8, np.int16, np.int64]


@given(
    st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(
            dtype,
            hnp.array_shapes(min_dims=0, max_dims=4, max_side=5),
            elements={"allow_nan": False, "allow_infinity": False}
            if dtype in (np.float32, np.float16)
            else None,
        )
    )
)
def test_arrays_come_back_as_they_went(array):
    message = tensor_pb2.Tensor.FromString(to_tensor(array).SerializeToString())
    back = to_array(message, field="t", dtype=array.dtype.type, shape=[None] * array.ndim)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_a_strided_and_a_big_endian_array_travel_by_value():
    strided = np.arange(12, dtype=">i2").reshape(3, 4).T
    back = to_array(to_tensor(strided), field="t", dtype=np.int16, shape=(4, 3))
    assert np.array_equal(back, strided)


def test_elements_are_not_copied_and_cannot_be_written():
    message = to_tensor(np.zeros((2, 3), np.float32))
    back = to_array(message, field="t", dtype=np.float32, shape=(2, 3))
    assert not back.flags.writeable
    assert not back.flags.owndata


GOOD = to_tensor(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dtype": tensor_pb2.DATA_TYPE_UINT8}, "t.dtype"),
        ({"dtype": tensor_pb2.DATA_TYPE_UNSPECIFIED}, "t.dtype"),
        ({"shape": [3, 2]}, "t.shape"),
        ({"shape": [2]}, "t.shape"),
        ({"shape": [2, -3]}, "t.shape"),
        ({"shape": list(range(1000))}, "t.shape"),
        ({"data": b"123"}, "t.data"),
        ({"data": np.full(6, np.nan, np.float32).tobytes()}, "t.data"),
    ],
)
def test_what_is_wrong_is_named(change, field):
    message = tensor_pb2.Tensor(dtype=GOOD.dtype, shape=GOOD.shape, data=GOOD.data)
    for name, value in change.items():
        message.ClearField(name)
        if name == "shape":
            message.shape.extend(value)
        else:
            setattr(message, name, value)
    with pytest.raises(InvalidInputError) as caught:
        to_array(message, field="t", dtype=np.float32, shape=(2, 3))
    assert caught.value.violations[0].field == field
    assert len(caught.value.message) < 200


def test_types_that_do_not_travel_are_refused():
    with pytest.raises(ValueError, match="complex"):
        to_tensor(np.zeros(2, np.complex64))


def test_the_element_type_of_a_later_version_is_not_known():
    assert dtype_of(GOOD) == np.float32
    assert dtype_of(tensor_pb2.Tensor(dtype=99)) is None

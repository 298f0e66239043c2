"""Tensors as arrays."""

from __future__ import annotations

import numpy as np
import pytest

import chladni_client as chladni

TENSOR = chladni.Tensor("<f4", (2, 3), np.arange(6, dtype="<f4").tobytes())


def test_a_tensor_is_an_array_without_a_copy():
    array = np.asarray(TENSOR)
    assert (array.dtype, array.shape) == (np.float32, (2, 3))
    assert array.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert not array.flags.writeable
    assert np.shares_memory(array, np.frombuffer(TENSOR.data, np.float32))


def test_copies_can_be_written():
    array = np.array(TENSOR)
    array[0, 0] = 9
    assert TENSOR.values[0] == 0
    assert np.asarray(TENSOR, np.float64).dtype == np.float64
    assert np.mean(TENSOR) == 2.5


def test_a_copy_is_not_made_where_none_is_allowed():
    assert np.array(TENSOR, copy=False).shape == (2, 3)
    with pytest.raises(ValueError, match="copy"):
        np.array(TENSOR, np.float64, copy=False)


async def test_features_are_arrays(async_client):
    features = await async_client.extract_features(b"sound", features=[chladni.Feature.LOG_MEL])
    assert np.asarray(features.log_mel).tolist() == [[0, 0.5], [1, 0]]

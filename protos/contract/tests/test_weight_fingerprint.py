"""The fingerprint tells networks apart and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_contract.weight_fingerprint import fingerprint


def weights(seed=0):
    rng = np.random.default_rng(seed)
    return {"a.weight": rng.normal(size=(3, 4)), "a.bias": rng.normal(size=4)}


def test_it_is_the_same_in_every_order_and_in_half_precision():
    expected = fingerprint(weights())
    assert len(expected) == 16
    assert fingerprint(dict(reversed(weights().items()))) == expected
    for dtype in (np.float32, np.float16):
        assert fingerprint({name: values.astype(dtype) for name, values in weights().items()}) == expected


@pytest.mark.parametrize("change", ["value", "name", "shape", "more"])
def test_it_changes_with_values_names_and_shapes(change):
    changed = weights()
    match change:
        case "value":
            changed["a.bias"][0] += 0.01
        case "name":
            changed["b.bias"] = changed.pop("a.bias")
        case "shape":
            changed["a.weight"] = changed["a.weight"].T.reshape(4, 3)
        case "more":
            changed["c"] = np.zeros(1)
    assert fingerprint(changed) != fingerprint(weights())


def test_nothing_has_no_fingerprint():
    with pytest.raises(ValueError, match="at least one"):
        fingerprint({})

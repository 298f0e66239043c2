"""The noise that an image starts from, and its blend with given latents."""

from __future__ import annotations

import math

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from chladni_image_generation.families.common.latents import initial_noise
from chladni_image_generation.generation import Conditioning

SHAPE = (4, 32, 32)


def noise_of(seed=3, **conditioning):
    return initial_noise(Conditioning(**conditioning), SHAPE, torch.Generator().manual_seed(seed))


def white_latents(seed=1):
    return np.random.default_rng(seed).standard_normal(SHAPE).astype(np.float32)


def test_without_latents_the_noise_is_that_of_the_seed():
    assert torch.equal(noise_of(), torch.randn(SHAPE, generator=torch.Generator().manual_seed(3)))


def test_the_ends_of_the_blend_are_the_noise_and_the_latents():
    latents = white_latents()
    assert torch.equal(noise_of(initial_latents=latents, initial_latents_weight=0.0), noise_of())
    raw = noise_of(initial_latents=latents, initial_latents_weight=1.0)
    assert torch.equal(raw, torch.from_numpy(latents))


@given(weight=st.floats(0, 1))
def test_a_blend_of_white_latents_has_unit_variance_and_holds_as_much_of_them_as_asked(weight):
    latents = white_latents()
    blend = noise_of(initial_latents=latents, initial_latents_weight=weight)
    assert abs(blend.var().item() - 1) < 0.1
    correlation = np.corrcoef(blend.numpy().ravel(), latents.ravel())[0, 1]
    assert math.isclose(correlation, weight, abs_tol=0.06)

"""Numbers that recipes work out: steps for a strength, and the shape of latents for a size."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.domain.generation import GenerationSettings
from chladni_gateway.domain.models import ModelSummary
from chladni_gateway.recipes.latent_noise import latent_shape
from chladni_gateway.recipes.refinement import fewest_steps


@settings(max_examples=500, deadline=None)
@given(strength=st.floats(1e-4, 1))
def test_the_fewest_steps_leave_one_and_fewer_leave_none(strength):
    steps = fewest_steps(strength)
    assert int(steps * strength) >= 1
    assert steps == 1 or int((steps - 1) * strength) < 1


@settings(max_examples=200, deadline=None)
@given(strength=st.floats(0, 1e-4, exclude_min=True))
def test_of_the_smallest_strengths_no_number_of_steps_that_can_be_asked_for_leaves_one(strength):
    assert fewest_steps(strength) >= 10_000


def model(shape=(4, 64, 64), size=(512, 512), **properties):
    return ModelSummary(name="m", latent_shape=shape, native_size_pixels=size, **properties)


@settings(max_examples=200, deadline=None)
@given(
    factor=st.sampled_from([4, 8, 16]),
    native=st.integers(1, 16),
    side=st.integers(1, 32) | st.none(),
    channels=st.sampled_from([1, 4, 9, 16]),
)
def test_latents_have_the_shape_of_the_size_that_is_asked_for(factor, native, side, channels):
    able = model((channels, native, native), (native * factor, native * factor))
    wanted = None if side is None else side * factor
    asked = GenerationSettings(width_pixels=wanted, height_pixels=wanted)
    length = native if side is None else side
    assert latent_shape(asked, able) == (channels, length, length)


@pytest.mark.parametrize(("upscaling", "length"), [({"upscales_by_latents": True}, 128), ({}, 64)])
def test_a_model_that_enlarges_by_its_latents_begins_with_larger_ones(upscaling, length):
    assert latent_shape(GenerationSettings(), model(**upscaling), upscale=2) == (4, length, length)
    assert latent_shape(GenerationSettings(), model(**upscaling)) == (4, 64, 64)


@settings(max_examples=200, deadline=None)
@given(width=st.integers(2, 128), height=st.integers(2, 128))
def test_a_number_of_latents_that_is_no_square_is_refused(width, height):
    asked = GenerationSettings(width_pixels=8 * width, height_pixels=8 * height)
    count = 4 * width * height
    if math.isqrt(count) ** 2 == count:
        assert latent_shape(asked, model()) == (4, height, width)
        return
    with pytest.raises(ChladniError) as caught:
        latent_shape(asked, model())
    assert caught.value.reason is Reason.INVALID_FIELD
    assert f"{height} x {width}" in caught.value.message


@pytest.mark.parametrize("shape", [(), (4, 64), (4, 64, 64, 1), (0, 64, 64)])
def test_a_model_that_does_not_tell_its_shape_cannot_be_used(shape):
    with pytest.raises(ChladniError) as caught:
        latent_shape(GenerationSettings(), model(shape))
    assert caught.value.reason is Reason.RECIPE_UNAVAILABLE


@pytest.mark.parametrize(
    ("properties", "is_few_step"),
    [
        ({}, False),
        ({"default_steps": 50, "default_guidance_scale": 7.5}, False),
        ({"default_steps": 8, "default_guidance_scale": 7.5}, True),
        ({"default_steps": 9, "default_guidance_scale": 1.0}, True),
    ],
)
def test_models_of_few_steps_are_known_by_their_defaults(properties, is_few_step):
    assert model(**properties).is_few_step is is_few_step

"""What a model makes on a server that limits the sides of images."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chladni_image_generation.models.interface import ImageSizes

SETTING = "MAX_SIDE"


@pytest.fixture
def description(load_tiny_model):
    return replace(load_tiny_model().description, sizes=ImageSizes(64, 256, 64), upscales=(1, 2))


def test_a_limit_beyond_the_model_changes_nothing(description):
    assert description.limited_to(256, setting=SETTING) == description
    assert description.limited_to(8192, setting=SETTING) == description


def test_a_limit_below_it_is_a_multiple_and_names_its_setting(description):
    limited = description.limited_to(200, setting=SETTING)
    assert limited.sizes == ImageSizes(64, 192, 64, limited_by=SETTING)
    assert limited.upscales == (1, 2)
    assert 192 in limited.sizes
    assert 256 not in limited.sizes


def test_the_native_size_is_made_in_any_case_and_not_enlarged_beyond_the_limit(description):
    limited = description.limited_to(16, setting=SETTING)
    assert limited.sizes == ImageSizes(64, 64, 64, limited_by=SETTING)
    assert limited.upscales == (1,)
    with_upscaler = replace(description, has_upscaler=True).limited_to(16, setting=SETTING)
    assert with_upscaler.upscales == (1, 2)

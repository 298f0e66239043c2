"""What images are made from: digests, blends with given latents, files of callers."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from chladni_contract.errors import InvalidInputError, Reason
from chladni_image_generation.families.common.latents import initial_noise
from chladni_image_generation.generation import Conditioning
from chladni_image_generation.image_codec import decode_initial_image

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


CHANGES = [
    {"audio_embedding": np.ones(3, np.float32)},
    {"prompt": "a cat"},
    {"negative_prompt": "a cat"},
    {"initial_latents": np.ones((1, 2, 2), np.float32)},
    {"initial_latents": np.ones((2, 1, 2), np.float32)},
    {"initial_latents": np.ones((1, 2, 2), np.float32), "initial_latents_weight": 0.3},
    {"initial_image": np.ones((2, 2, 3), np.uint8)},
    {"initial_image": np.ones((2, 2, 3), np.uint8), "strength": 0.5},
    {},
]


def test_every_part_of_a_conditioning_changes_its_digest():
    digests = [Conditioning(**change).digest() for change in CHANGES]
    assert len(set(digests)) == len(digests)
    assert [Conditioning(**change).digest() for change in CHANGES] == digests


def file_of(size=(32, 16), mode="RGB", **options):
    output = io.BytesIO()
    colour = (200, 100, 50) if mode == "RGB" else 0
    Image.new(mode, size, colour).save(output, **({"format": "PNG"} | options))
    return output.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_an_image_of_any_mode_becomes_rgb(mode):
    assert decode_initial_image(file_of(mode=mode), field="image").shape == (16, 32, 3)


def test_a_photograph_is_turned_as_its_exif_data_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = file_of(format="JPEG", exif=exif)
    assert decode_initial_image(content, field="image").shape == (32, 16, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "PNG or JPEG"),
        (b"\x89PNG but no more", "PNG or JPEG"),
        (file_of()[:60], "PNG or JPEG"),
        (file_of(format="GIF"), "PNG or JPEG"),
        (file_of(size=(4, 4)), "at least 8"),
        (file_of(size=(8192, 4096), mode="1"), "at most"),
    ],
    ids=["empty", "no-image", "cut-off", "gif", "tiny", "huge"],
)
def test_an_image_that_cannot_be_used_is_refused_with_its_field(content, words):
    with pytest.raises(InvalidInputError, match=words) as caught:
        decode_initial_image(content, field="conditioning.initial_image")
    assert caught.value.reason is Reason.INVALID_IMAGE
    assert [violation.field for violation in caught.value.violations] == ["conditioning.initial_image"]

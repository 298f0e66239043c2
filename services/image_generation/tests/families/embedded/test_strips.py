"""Large images are computed in strips, and are what they would be in one piece."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import chladni_image_generation
from chladni_image_generation.families.embedded import model as embedded_model
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import draw_detail_planes
from chladni_image_generation.families.embedded.detailer import Detailer, DetailerConfig
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.families.embedded.strips import decoder_reach, strips_of
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

MODEL = Path(chladni_image_generation.__file__).parent / "models" / "embedded"


@given(
    height=st.integers(1, 600),
    width=st.integers(1, 300),
    max_area=st.integers(1, 100_000),
    steps=st.integers(0, 20),
    multiple=st.sampled_from([1, 2]),
)
def test_strips_are_all_rows_once_with_as_many_around_as_there_are(height, width, max_area, steps, multiple):
    margin = steps * multiple
    strips = strips_of(height, width, max_area=max_area, margin=margin, multiple=multiple)
    rows = np.arange(height)
    assert np.array_equal(np.concatenate([rows[strip.rows] for strip in strips]), rows)
    for strip in strips:
        around = rows[strip.around]
        assert np.array_equal(around[strip.inner], rows[strip.rows])
        assert strip.rows.start % multiple == 0
        if len(strips) > 1:
            assert around[0] == max(0, strip.rows.start - margin)
            assert around[-1] == min(height, strip.rows.stop + margin) - 1
    if height * width <= max_area:
        assert len(strips) == 1


def test_strips_fit_into_their_area():
    strips = strips_of(256, 256, max_area=160 * 160, margin=9)
    assert len(strips) > 1
    assert all((strip.around.stop - strip.around.start) * 256 <= 160 * 160 for strip in strips)
    heights = [strip.rows.stop - strip.rows.start for strip in strips]
    assert max(heights) - min(heights) < len(strips)


def test_the_shipped_decoder_looks_at_what_is_near_and_others_may_look_at_all():
    config = json.loads((MODEL / "vae" / "config.json").read_text())
    assert decoder_reach(config) == 9
    assert decoder_reach(config | {"decoder_block_types": ["ResBlock"] * 4}) == 9
    assert decoder_reach(config | {"decoder_block_types": "EfficientViTBlock"}) is None
    assert decoder_reach(config | {"decoder_block_types": ["ResBlock", "EfficientViTBlock"]}) is None


@pytest.mark.parametrize("rows", [slice(0, 40), slice(30, 90), slice(60, 96)])
def test_planes_of_some_rows_are_those_of_the_whole(rows):
    parameters, grids = parameters_from_descriptors(sample_descriptors(1, seed=2)), draw_grids([1])
    whole = draw_detail_planes(parameters, grids, height=96, width=64)
    part = draw_detail_planes(parameters, grids, height=96, width=64, rows=rows)
    inner = slice(1, -1)  # slopes look to one side at the edges
    torch.testing.assert_close(part[:, :, inner], whole[:, :, rows][:, :, inner], rtol=1e-4, atol=1e-4)


def test_an_image_in_strips_is_what_it_is_in_one_piece(load_tiny_model, monkeypatch):
    model = load_tiny_model()
    detailer = Detailer(DetailerConfig(hidden_channels=8))
    torch.nn.init.normal_(detailer.leave.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    model._detailer = detailer.eval().requires_grad_(requires_grad=False)
    latents = torch.randn(1, 4, 64, 16, generator=torch.Generator().manual_seed(2))
    embedding, grids = sample_descriptors(1, seed=2)[0], draw_grids([1])[0]

    def image():
        with torch.inference_mode():
            pixels = model.decode(latents)
            return pixels, model._detailed(
                torch.from_numpy(pixels[0]).permute(2, 0, 1) / 255, embedding, grids
            )

    pixels, detailed = image()
    monkeypatch.setattr(embedded_model, "_STRIP_LATENTS", 16 * 40)
    monkeypatch.setattr(embedded_model, "_STRIP_PIXELS", 128 * 100)
    pixels_of_strips, detailed_of_strips = image()
    assert pixels_of_strips.shape == (1, 512, 128, 3)
    assert np.abs(pixels_of_strips.astype(int) - pixels).max() <= 1  # of rounding
    torch.testing.assert_close(detailed_of_strips, detailed, rtol=0, atol=1e-2)
    assert (detailed_of_strips - detailed).abs().mean() < 1e-4

"""The detailer, and the planes that it sees."""

from __future__ import annotations

import pytest
import torch

from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.detail_planes import DETAIL_PLANES, draw_detail_planes
from chladni_image_generation.families.embedded.detailer import Detailer, DetailerConfig
from chladni_image_generation.families.embedded.fields import gradient, pixel_grid
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.families.embedded.palette import srgb_from_oklab
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

TINY = DetailerConfig(hidden_channels=8)


def planes_of(size_pixels, width_pixels=None):
    parameters = parameters_from_descriptors(sample_descriptors(1, seed=2))
    return draw_detail_planes(
        parameters, draw_grids([1]), height=size_pixels, width=width_pixels or size_pixels
    )


def test_planes_are_those_of_the_scene_at_any_size():
    large, small = planes_of(256), planes_of(128)
    assert large.shape == (1, DETAIL_PLANES, 256, 256)
    assert torch.isfinite(large).all()
    assert large.abs().max() <= 2
    shrunk = torch.nn.functional.avg_pool2d(large, 2)
    assert (shrunk - small).abs().mean() < 0.02
    assert planes_of(64, 128).shape == (1, DETAIL_PLANES, 64, 128)


def test_the_nearest_things_hide_those_behind_them():
    sound = sample_descriptors(1, seed=2)
    parameters = parameters_from_descriptors(sound)
    planes = draw_detail_planes(parameters, draw_grids([1]), height=96, width=96)[0]
    sand, ridges, bodies = planes[4], planes[10:14], planes[18]
    behind = 1 - ridges.sum(dim=0) - bodies
    assert ridges.min() >= 0
    assert behind.min() > -1e-5
    assert (sand <= behind + 1e-5).all()
    assert bodies.max() > 0.9
    assert ridges.amax(dim=(1, 2)).min() > 0.9


def test_sand_and_bodies_have_the_colours_of_the_sound():
    parameters = parameters_from_descriptors(sample_descriptors(1, seed=2))
    planes = draw_detail_planes(parameters, draw_grids([1]), height=96, width=96)[0]
    accent = srgb_from_oklab(parameters.accent[:, :, None, None])[0] * 2 - 1
    torch.testing.assert_close(planes[20:23], planes[18] * accent)
    sand = parameters.palette[:, -1] + torch.tensor([0.10, 0.0, 0.0])
    colour = srgb_from_oklab(sand[:, :, None, None])[0] * 2 - 1
    torch.testing.assert_close(planes[5:8], planes[4] * colour)


def test_a_fresh_detailer_changes_nothing_and_a_trained_one_uses_its_planes():
    detailer, images = Detailer(TINY), torch.rand(1, 3, 64, 64)
    planes = planes_of(64)
    assert torch.equal(detailer(images, planes), images)
    torch.nn.init.normal_(detailer.leave.weight, generator=torch.Generator().manual_seed(1))
    assert not torch.allclose(detailer(images, planes), detailer(images, torch.zeros_like(planes)))


def test_a_detailer_survives_its_files(tmp_path):
    detailer = Detailer(TINY)
    torch.nn.init.normal_(detailer.leave.weight, generator=torch.Generator().manual_seed(1))
    detailer.save(tmp_path)
    loaded = Detailer.load(tmp_path, dtype=torch.float32)
    assert loaded.config == TINY
    torch.testing.assert_close(
        loaded.leave.weight, detailer.leave.weight.half().float(), rtol=0, atol=0, check_stride=False
    )


@pytest.mark.parametrize("content", ['{"planes": 3}', '{"other": 1}', "{}", "[1]", "none"])
def test_files_of_something_else_are_no_detailer(tmp_path, content):
    Detailer(TINY).save(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="no detailer"):
        Detailer.load(tmp_path, dtype=torch.float32)


def test_weights_that_cannot_be_read_and_planes_of_another_version_are_no_detailer(tmp_path):
    Detailer(TINY).save(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"none")
    with pytest.raises(ValueError, match="no detailer"):
        Detailer.load(tmp_path, dtype=torch.float32)
    Detailer(DetailerConfig(planes=DETAIL_PLANES + 1, hidden_channels=8)).save(tmp_path)
    with pytest.raises(ValueError, match=f"of {DETAIL_PLANES + 1} planes"):
        Detailer.load(tmp_path, dtype=torch.float32)


@pytest.mark.parametrize(("height", "width"), [(64, 128), (128, 64)])
def test_slopes_are_those_of_the_plane_in_every_shape(height, width):
    x, y = pixel_grid(1, height, width)
    slope_x, slope_y = gradient(3 * x - 2 * y)
    torch.testing.assert_close(slope_x, torch.full_like(x, 3.0))
    torch.testing.assert_close(slope_y, torch.full_like(y, -2.0))

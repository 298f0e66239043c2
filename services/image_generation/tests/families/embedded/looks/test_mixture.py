"""Looks: what each renderer shows, how they mix, and which of them a sound gets by its kind."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from chladni_image_generation.families.embedded.looks.mixture import (
    LANDSCAPE,
    LOOKS,
    RENDERERS,
    needs_denoiser,
    render_looks,
    shares_of_audio,
)
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

SOUNDS = sample_descriptors(24, seed=5)
GRIDS = draw_grids([1, 2])


def rendered(shares, *, sound=SOUNDS[0], grids=GRIDS[0], height=64, width=64, landscape=None):
    landscape = torch.full((3, height, width), 0.5) if landscape is None else landscape
    return render_looks(shares, sound, grids, height=height, width=width, landscape=landscape)


@pytest.mark.parametrize("name", list(RENDERERS))
@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (96, 64)])
def test_a_look_fills_an_image_of_any_shape_the_same_each_time(name, height, width):
    image = rendered({name: 1.0}, height=height, width=width)
    assert image.shape == (3, height, width)
    assert torch.isfinite(image).all()
    assert 0 <= image.min() <= image.max() <= 1
    assert image.std() > 0.02
    assert torch.equal(image, rendered({name: 1.0}, height=height, width=width))


@pytest.mark.parametrize("name", list(RENDERERS))
def test_another_seed_and_another_sound_are_other_images(name):
    image = rendered({name: 1.0})
    assert (image - rendered({name: 1.0}, grids=GRIDS[1])).abs().mean() > 0.01
    assert (image - rendered({name: 1.0}, sound=SOUNDS[1])).abs().mean() > 0.01


@pytest.mark.parametrize("name", list(RENDERERS))
def test_silence_has_an_image_too(name):
    silence = torch.zeros_like(SOUNDS[0])
    assert torch.isfinite(rendered({name: 1.0}, sound=silence)).all()


def test_there_are_five_looks_at_least_and_no_two_alike():
    assert len(LOOKS) >= 5
    images = torch.stack([rendered({name: 1.0}).flatten() for name in RENDERERS])
    likeness = torch.corrcoef(images - images.mean(dim=0))
    assert (likeness - torch.eye(len(images))).max() < 0.6


def test_a_mixture_has_areas_of_each_look_that_grow_with_its_share():
    areas = []
    for share in (0.25, 0.5, 0.75):
        image = rendered({LANDSCAPE: 1 - share, "plate": share})
        areas.append(float((image - 0.5).abs().amax(dim=0).gt(0.02).float().mean()))
    assert areas == sorted(areas)
    assert areas[0] > 0.02


def test_a_mixture_changes_little_with_its_shares():
    before, after = (rendered({"water": share, "weather": 1 - share}) for share in (0.50, 0.51))
    assert (before - after).abs().mean() < 0.01


@pytest.mark.parametrize("name", list(RENDERERS))
def test_rounding_errors_of_the_noise_leave_an_image_what_it_is(name):
    # Another kind of processor draws the same noise with other last bits.
    moved = torch.nextafter(GRIDS[0], torch.full_like(GRIDS[0], 9.0))
    assert (rendered({name: 1.0}) - rendered({name: 1.0}, grids=moved)).abs().mean() < 0.002


def test_a_look_that_joins_with_next_to_no_share_moves_no_other():
    shares = {LANDSCAPE: 0.5, "water": 0.5}
    joined = {LANDSCAPE: 0.5, "plate": 0.0001, "water": 0.4999}
    assert (rendered(shares) - rendered(joined)).abs().mean() < 0.001
    swapped = {"water": 0.5, LANDSCAPE: 0.5}
    torch.testing.assert_close(rendered(shares), rendered(swapped))


@pytest.mark.parametrize("pair", list(combinations(LOOKS, 2)), ids="-".join)
def test_any_two_looks_have_areas_of_their_own(pair):
    alone = [rendered({name: 1.0}) for name in pair]
    mixed = rendered(dict.fromkeys(pair, 0.5))
    apart = (alone[0] - alone[1]).abs().mean()
    assert (mixed - (alone[0] + alone[1]) / 2).abs().mean() > 0.3 * apart  # 0 if they lay over each other


def test_shares_of_a_sound_add_up_and_change_little_with_it():
    for sound in SOUNDS:
        shares = shares_of_audio(sound)
        assert sum(shares.values()) == pytest.approx(1)
        moved = shares_of_audio((sound + 0.005).clamp(0, 1))
        assert all(abs(moved.get(name, 0) - shares.get(name, 0)) < 0.25 for name in LOOKS)


def test_the_landscape_alone_is_what_the_denoiser_painted():
    landscape = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(1))
    assert torch.equal(rendered({LANDSCAPE: 1.0}, landscape=landscape), landscape)
    assert needs_denoiser({LANDSCAPE: 1.0})
    assert not needs_denoiser({"plate": 1.0})

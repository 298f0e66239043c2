"""The art that the model learns from: deterministic, in range, and true to its correspondences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_NAMES, TEMPORAL_SEGMENTS
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.noise_grid import draw_grids
from chladni_image_generation.training.data.art import render, render_each
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

SIZE_PIXELS = 64
SEEDS = list(range(100, 108))
LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])
RISING = torch.linspace(0.1, 0.9, TEMPORAL_SEGMENTS)


def tonal_embedding(**changes: float | Tensor) -> Tensor:
    """(152,) an ordinary sound around C major; a course feature takes a value, or one a segment."""
    values = dict.fromkeys(COMPONENT_NAMES, 0.5)
    values |= {name: 0.0 for name in DESCRIPTOR_NAMES if name.startswith("chroma_")}
    values |= {"chroma_c": 1.0, "chroma_e": 0.5, "chroma_g": 0.8, "flatness": 0.2}
    for name, value in changes.items():
        if name in DESCRIPTOR_NAMES:
            values[name] = float(value)
            continue
        for segment, level in enumerate(torch.as_tensor(value).expand(TEMPORAL_SEGMENTS).tolist()):
            values[name.replace("course", f"course_{segment:02}")] = level
    return torch.tensor([values[name] for name in COMPONENT_NAMES])


def landscape(**changes: float | Tensor) -> Tensor:
    """(152,) a noisy sound without pitch, onsets, clouds or jags: ridges alone."""
    plain = {"harmonicity": 0.0, "chroma_c": 0, "chroma_e": 0, "chroma_g": 0, "flatness": 0, "roughness": 0}
    smooth = {"brightness": 0, "bandwidth": 0}
    return tonal_embedding(
        **(plain | smooth | {"onset_rate": 0, "course_onset": 0, "pitch_range": 1} | changes)
    )


def paint(embedding: Tensor) -> Tensor:
    """One image of a sound for each seed."""
    return render(embedding.repeat(len(SEEDS), 1), draw_grids(SEEDS), size_pixels=SIZE_PIXELS)


def images(**changes: float | Tensor) -> Tensor:
    """One image of the changed sound for each seed."""
    return paint(tonal_embedding(**changes))


def without_noise(embedding: Tensor) -> Tensor:
    """(1, 3, H, W) image of the grid of zeros."""
    return render(embedding[None], torch.zeros(1, 4, 8, 8), size_pixels=SIZE_PIXELS)


def lightness(images: Tensor) -> Tensor:
    """(B, H, W) luminance."""
    return torch.einsum("c,bchw->bhw", LUMINANCE, images)


def mean_lightness(images: Tensor) -> float:
    return float(lightness(images).mean())


def contrast(images: Tensor) -> float:
    return float(lightness(images).std(dim=(1, 2)).mean())


def saturation(images: Tensor) -> float:
    return float((images.amax(dim=1) - images.amin(dim=1)).mean())


def warmth(images: Tensor) -> float:
    return float((images[:, 0] - images[:, 2]).mean())


def fine_detail(images: Tensor) -> float:
    """Mean curvature: how quickly slopes turn, as at edges and in close bands."""
    light = lightness(images)
    return float(light.diff(dim=1).diff(dim=1).abs().mean())


def darkness_of_corners(images: Tensor) -> float:
    edge = SIZE_PIXELS // 8
    ends = (slice(edge), slice(-edge, None))
    light = lightness(images)
    corners = torch.stack([light[:, rows, columns].mean() for rows in ends for columns in ends])
    return 1 - float(corners.mean())


def difference(first: Tensor, second: Tensor) -> float:
    return float((first - second).abs().mean())


@pytest.mark.parametrize(
    ("descriptor", "measure"),
    [
        ("pitch_height", mean_lightness),
        ("loudness", contrast),
        ("loudness", saturation),
        ("dynamics", darkness_of_corners),
        ("brightness", mean_lightness),
        ("tempo", fine_detail),
        ("harmonicity", fine_detail),
        ("mode", mean_lightness),
        ("mode", warmth),
    ],
)
def test_descriptor_raises_what_its_correspondence_names(
    descriptor: str, measure: Callable[[Tensor], float]
) -> None:
    low, high = (measure(images(**{descriptor: value})) for value in (0.1, 0.9))
    assert high > low * 1.02 + 1e-3


@pytest.mark.parametrize("descriptor", DESCRIPTOR_NAMES)
def test_every_descriptor_of_the_whole_sound_is_seen(descriptor: str) -> None:
    low, high = (images(**{descriptor: value}) for value in (0.1, 0.9))
    assert difference(low, high) > 0.012


@pytest.mark.parametrize("feature", ["level", "brightness", "onset", "pitch_height", "tonal_x", "tonal_y"])
def test_the_course_is_seen(feature: str) -> None:
    steady = images(**{f"course_{feature}": 0.5})
    moving = images(**{f"course_{feature}": RISING})
    assert difference(steady, moving) > 0.012


def test_flatness_takes_colour_and_clean_edges_away() -> None:
    clean, cloudy = images(flatness=0.0), images(flatness=1.0)
    assert saturation(cloudy) < saturation(clean)
    assert fine_detail(cloudy) < fine_detail(clean)


def test_higher_sounds_lift_the_landscape() -> None:
    def skyline(pitch_height: float) -> int:
        """Row of the first strong edge from the top."""
        light = lightness(without_noise(landscape(pitch_height=pitch_height)))
        return int((light.diff(dim=1).abs().mean(dim=(0, 2)) > 0.05).int().argmax())

    assert 0 < skyline(0.9) < skyline(0.1) - 8


def test_another_key_is_another_colour() -> None:
    in_c = images().mean(dim=(0, 2, 3))
    in_f_sharp = images(chroma_c=0, chroma_f_sharp=1, chroma_g=0, chroma_c_sharp=0.8).mean(dim=(0, 2, 3))
    assert (in_c - in_f_sharp).abs().max() > 0.1


def test_a_sound_reversed_in_time_is_a_landscape_mirrored() -> None:
    course = torch.rand(TEMPORAL_SEGMENTS, generator=torch.Generator().manual_seed(2))
    features = ("course_level", "course_brightness", "course_pitch_height")
    forward = without_noise(landscape(**dict.fromkeys(features, course)))
    backward = without_noise(landscape(**dict.fromkeys(features, course.flip(0))))
    assert difference(backward, forward.flip(3)) < 0.4 * difference(backward, forward)


def test_an_onset_is_a_body_where_it_happens() -> None:
    onsets = torch.zeros(TEMPORAL_SEGMENTS)
    onsets[12] = 1.0
    # A harmonic sound, because the nearest ridge of a noisy one follows the onsets too.
    calm, struck = (
        without_noise(tonal_embedding(harmonicity=1, onset_rate=0, course_onset=course))
        for course in (0.0, onsets)
    )
    columns = (struck - calm).abs().mean(dim=(0, 1, 2))
    middle = float((columns * torch.arange(SIZE_PIXELS)).sum() / columns.sum())
    assert middle == pytest.approx(SIZE_PIXELS * 12.5 / TEMPORAL_SEGMENTS, abs=6)


def test_silence_is_dark_calm_and_not_black() -> None:
    quiet = paint(silence())
    assert 0.03 < mean_lightness(quiet) < 0.3
    assert 0.005 < contrast(quiet) < contrast(images()) / 2
    assert fine_detail(quiet) < fine_detail(images()) / 2
    assert lightness(quiet).min() > 0.005


def test_seeds_differ_and_sounds_differ_more() -> None:
    count = 24
    sounds = sample_descriptors(count, seed=3)
    first, second = (
        render(sounds, draw_grids(list(range(start, start + count))), size_pixels=SIZE_PIXELS)
        for start in (0, count)
    )
    between_seeds, between_sounds = difference(first, second), difference(first, first.roll(1, 0))
    assert 0.02 < between_seeds < 0.7 * between_sounds


def test_noise_changes_the_composition_but_not_the_palette() -> None:
    embedding = tonal_embedding().repeat(2, 1)
    first, second = render(embedding, draw_grids([1, 2]), size_pixels=SIZE_PIXELS)
    assert difference(first, second) > 0.03
    assert (first.mean(dim=(1, 2)) - second.mean(dim=(1, 2))).abs().max() < 0.12


@given(row=st.integers(0, 2**20), seed=st.integers(0, 2**40))
@settings(max_examples=40, deadline=None)
def test_any_image_is_in_range_and_alone(row: int, seed: int) -> None:
    embedding = sample_descriptors(2, seed=row)
    grids = draw_grids([seed, seed + 1])
    together = render(embedding, grids, size_pixels=24)
    alone = render(embedding[1:], grids[1:], size_pixels=24)
    assert torch.isfinite(together).all()
    assert together.min() >= 0
    assert together.max() <= 1
    assert torch.allclose(together[1], alone[0], atol=1 / 255)


@given(bits=st.integers(0, 2**152 - 1))
@settings(max_examples=40, deadline=None)
def test_every_corner_of_the_space_has_an_image(bits: int) -> None:
    corner = torch.tensor([[float(bits >> place & 1) for place in range(152)]])
    image = render(corner, torch.zeros(1, 4, 8, 8), size_pixels=24)
    assert torch.isfinite(image).all()
    assert image.min() >= 0
    assert image.max() <= 1


@given(row=st.integers(0, 2**20), direction=st.integers(0, 2**20))
@settings(max_examples=40, deadline=None)
def test_sounds_that_are_nearly_alike_have_images_that_are(row: int, direction: int) -> None:
    """Components that are 0 stay so: a sound without pitch does not gain a key by a small change."""
    embedding = sample_descriptors(1, seed=row)
    step = 0.002 * torch.randn(embedding.shape, generator=torch.Generator().manual_seed(direction))
    moved = torch.where(embedding > 0.02, embedding + step, embedding).clamp(0, 1)
    grids = draw_grids([direction, direction])
    before, after = render(torch.cat([embedding, moved]), grids, size_pixels=SIZE_PIXELS)
    assert difference(before, after) < 0.1


def test_a_small_change_of_a_sound_is_a_small_change_of_its_image_on_average() -> None:
    sounds, grids = sample_descriptors(24, seed=3), draw_grids(list(range(24)))
    step = 0.002 * torch.randn(sounds.shape, generator=torch.Generator().manual_seed(0))
    moved = torch.where(sounds > 0.02, sounds + step, sounds).clamp(0, 1)
    before, after = (render(embedding, grids, size_pixels=SIZE_PIXELS) for embedding in (sounds, moved))
    assert 0 < difference(before, after) < 0.01


def test_images_agree_across_sizes() -> None:
    embedding = tonal_embedding().repeat(4, 1)
    grids = draw_grids([1, 2, 3, 4])
    small = render(embedding, grids, size_pixels=64)
    large = render(embedding, grids, size_pixels=128)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert difference(small, halved) < 0.04


def test_the_same_sound_and_grid_give_the_same_image() -> None:
    embedding, grids = sample_descriptors(3, seed=9), draw_grids([1, 2, 3])
    first, second = (render(embedding, grids, size_pixels=32) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(embedding, sample_descriptors(3, seed=9)), "rendering leaves its input alone"


def test_rendering_one_by_one_gives_the_same_images() -> None:
    embedding, grids = sample_descriptors(3, seed=9), draw_grids([1, 2, 3])
    together = render(embedding, grids, size_pixels=32)
    assert torch.allclose(render_each(embedding, grids, size_pixels=32), together, atol=1e-5)


def test_a_grid_is_needed_for_each_embedding() -> None:
    with pytest.raises(ValueError, match="2 embeddings need as many grids, not 1"):
        render(torch.zeros(2, 152), draw_grids([1]), size_pixels=8)

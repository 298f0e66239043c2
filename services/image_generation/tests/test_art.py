"""The art that the model learns from: deterministic, in range, and true to its correspondences."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chladni_image_generation.conditioning import DESCRIPTOR_NAMES
from chladni_image_generation.jobs.art import render
from chladni_image_generation.jobs.art_parameters import parameters_from_descriptors
from chladni_image_generation.jobs.descriptor_sampling import sample_descriptors, silence
from chladni_image_generation.jobs.noise_grid import draw_grids
from chladni_image_generation.jobs.palette import (
    active_pitch_classes,
    chroma_phase,
    srgb_from_oklab,
)

SIZE_PIXELS = 64
SEEDS = list(range(100, 112))
LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])


def tonal_embedding(**changes: float) -> Tensor:
    """An ordinary sound around C major, with some components changed."""
    values = dict.fromkeys(DESCRIPTOR_NAMES, 0.5) | {
        name: 0.0 for name in DESCRIPTOR_NAMES if name.startswith("chroma_")
    }
    values |= {"chroma_c": 1.0, "chroma_e": 0.5, "chroma_g": 0.8, "flatness": 0.2}
    return torch.tensor([(values | changes)[name] for name in DESCRIPTOR_NAMES])


def pictures(**changes: float) -> Tensor:
    """One picture of the changed sound for each seed."""
    embedding = tonal_embedding(**changes).repeat(len(SEEDS), 1)
    return render(embedding, draw_grids(SEEDS), size_pixels=SIZE_PIXELS)


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


def yellowness_of_lights(images: Tensor) -> float:
    light = lightness(images)
    lights = light > light.flatten(1).quantile(0.9, dim=1)[:, None, None]
    yellow = (images[:, 0] + images[:, 1]) / 2 - images[:, 2]
    return float(yellow[lights].mean())


def height_of_detail(images: Tensor) -> float:
    """Mean vertical position of the slopes, 0 at the bottom and 1 at the top."""
    slopes = lightness(images).diff(dim=2).abs().sum(dim=(0, 2))
    positions = torch.linspace(1, 0, len(slopes))
    return float((slopes * positions).sum() / slopes.sum())


def extent_of_detail(images: Tensor) -> float:
    """Spread of the slopes over the height of the picture, picture by picture."""
    slopes = lightness(images).diff(dim=2).abs().sum(dim=2)
    weights = slopes / slopes.sum(dim=1, keepdim=True)
    positions = torch.linspace(0, 1, slopes.shape[1])
    mean = (weights * positions).sum(dim=1, keepdim=True)
    return float((weights * (positions - mean) ** 2).sum(dim=1).sqrt().mean())


def fine_detail(images: Tensor) -> float:
    """Mean curvature: how quickly slopes turn, as at edges and in close bands."""
    light = lightness(images)
    return float(light.diff(dim=1).diff(dim=1).abs().mean())


def hue_spread(images: Tensor) -> float:
    """Spread of the pixels on the opponent axes, picture by picture."""
    red, green, blue = images.unbind(1)
    first, second = red - green, blue - (red + green) / 2
    return float((first.flatten(1).std(dim=1) + second.flatten(1).std(dim=1)).mean())


def point_symmetry(images: Tensor) -> float:
    """How alike the ridges are in all directions: 1 when horizontal and vertical slopes balance."""
    light = lightness(images)
    across = light.diff(dim=2).abs().mean(dim=(1, 2))
    upwards = light.diff(dim=1).abs().mean(dim=(1, 2))
    return float((torch.minimum(across, upwards) / torch.maximum(across, upwards)).mean())


def depth(images: Tensor) -> float:
    """How much darker the corners are than the middle."""
    light = lightness(images)
    edge = SIZE_PIXELS // 8
    corners = torch.stack(
        [
            light[:, rows, columns].mean()
            for rows in (slice(edge), slice(-edge, None))
            for columns in (slice(edge), slice(-edge, None))
        ]
    )
    return float(light.mean() - corners.mean()) + contrast(images)


@pytest.mark.parametrize(
    ("descriptor", "measure"),
    [
        ("pitch_height", mean_lightness),
        ("pitch_height", height_of_detail),
        ("pitch_range", extent_of_detail),
        ("loudness", contrast),
        ("loudness", saturation),
        ("dynamics", depth),
        ("brightness", mean_lightness),
        ("brightness", yellowness_of_lights),
        ("bandwidth", hue_spread),
        ("roughness", fine_detail),
        ("tempo", fine_detail),
        ("harmonicity", point_symmetry),
        ("mode", mean_lightness),
        ("mode", warmth),
    ],
)
def test_descriptor_raises_what_its_correspondence_names(
    descriptor: str, measure: Callable[[Tensor], float]
) -> None:
    low, high = (measure(pictures(**{descriptor: value})) for value in (0.1, 0.9))
    assert high > low * 1.02 + 1e-3


def test_flatness_takes_colour_and_clean_edges_away() -> None:
    clean, cloudy = pictures(flatness=0.0), pictures(flatness=1.0)
    assert saturation(cloudy) < saturation(clean)
    assert fine_detail(cloudy) < fine_detail(clean)


def test_onset_rate_is_the_number_of_bodies() -> None:
    rates = torch.linspace(0, 1, 5)
    embedding = torch.stack([tonal_embedding(onset_rate=float(rate)) for rate in rates])
    thresholds = parameters_from_descriptors(embedding).body_threshold
    deviates = draw_grids(list(range(50)))[:, 3].flatten()
    counts = torch.stack([(deviates > threshold).float().sum() for threshold in thresholds]) / 50
    assert counts[0] < 0.3
    assert counts[-1] > 12
    assert (counts.diff() > 0.5).all()
    assert not torch.equal(pictures(onset_rate=0.0), pictures(onset_rate=1.0))


def test_keys_a_fifth_apart_take_neighbouring_hues() -> None:
    phases = chroma_phase(torch.eye(12))
    assert torch.allclose(phases.norm(dim=1), torch.ones(12))
    distance = (phases[0] - phases).norm(dim=1)
    nearest = distance.argsort()[1:3].tolist()
    assert sorted(nearest) == [5, 7], "F and G lie beside C"


def test_number_of_pitch_classes_is_their_effective_count() -> None:
    chroma = torch.zeros(3, 12)
    chroma[1, :1] = 1
    chroma[2, :5] = 1
    assert active_pitch_classes(chroma).tolist() == pytest.approx([0, 1, 5], abs=1e-3)


def test_another_key_is_another_colour() -> None:
    in_c = pictures().mean(dim=(0, 2, 3))
    in_f_sharp = pictures(chroma_c=0, chroma_f_sharp=1, chroma_g=0, chroma_c_sharp=0.8).mean(dim=(0, 2, 3))
    assert (in_c - in_f_sharp).abs().max() > 0.1


def test_noise_changes_the_composition_but_not_the_palette() -> None:
    embedding = tonal_embedding().repeat(2, 1)
    first, second = render(embedding, draw_grids([1, 2]), size_pixels=SIZE_PIXELS)
    assert (first - second).abs().mean() > 0.03
    assert (first.mean(dim=(1, 2)) - second.mean(dim=(1, 2))).abs().max() < 0.12


def test_silence_is_dark_calm_and_not_black() -> None:
    quiet = render(silence().repeat(len(SEEDS), 1), draw_grids(SEEDS), size_pixels=SIZE_PIXELS)
    assert 0.03 < mean_lightness(quiet) < 0.3
    assert 0.005 < contrast(quiet) < contrast(pictures()) / 2
    assert fine_detail(quiet) < fine_detail(pictures()) / 2


@given(row=st.integers(0, 2**20), seed=st.integers(0, 2**40))
@settings(max_examples=100, deadline=None)
def test_any_picture_is_deterministic_in_range_and_alone(row: int, seed: int) -> None:
    embedding = sample_descriptors(2, seed=row)
    grids = draw_grids([seed, seed + 1])
    together = render(embedding, grids, size_pixels=24)
    alone = render(embedding[1:], draw_grids([seed + 1]), size_pixels=24)
    assert torch.isfinite(together).all()
    assert together.min() >= 0
    assert together.max() <= 1
    assert torch.allclose(together[1], alone[0], atol=1e-5)
    assert torch.equal(alone, render(embedding[1:], grids[1:], size_pixels=24))


def test_pictures_agree_across_sizes() -> None:
    embedding = tonal_embedding().repeat(4, 1)
    grids = draw_grids([1, 2, 3, 4])
    small = render(embedding, grids, size_pixels=64)
    large = render(embedding, grids, size_pixels=128)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert (small - halved).abs().mean() < 0.02


def test_a_grid_is_needed_for_each_embedding() -> None:
    with pytest.raises(ValueError, match="2 embeddings need as many grids, not 1"):
        render(torch.zeros(2, 24), draw_grids([1]), size_pixels=8)


def test_grey_has_no_hue_and_colours_stay_in_gamut() -> None:
    grey = torch.tensor([0.5, 0.0, 0.0])[None, :, None, None]
    assert srgb_from_oklab(grey).flatten().std() < 1e-3
    extreme = torch.tensor([0.6, 0.5, -0.5])[None, :, None, None]
    assert ((srgb_from_oklab(extreme) >= 0) & (srgb_from_oklab(extreme) <= 1)).all()


def test_sampled_descriptors_cover_the_space() -> None:
    embedding = sample_descriptors(2000, seed=5)
    assert embedding.shape == (2000, 24)
    assert embedding.min() >= 0
    assert embedding.max() <= 1
    uniform_part = embedding[:, :12]
    for quantile in (0.1, 0.5, 0.9):
        assert (uniform_part.quantile(quantile, dim=0) - quantile).abs().max() < 0.22
    silent = (embedding == silence()).all(dim=1).float().mean()
    assert 0.005 < silent < 0.04
    unpitched = (embedding[:, 12:].sum(dim=1) == 0).float().mean()
    assert 0.1 < unpitched < 0.4
    assert torch.equal(embedding[:10], sample_descriptors(10, seed=5))

"""Where the things of a sound stand, and the guide that shows it to the denoiser."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from chladni_contract.descriptor_space import (
    COMPONENT_NAMES,
    DESCRIPTOR_NAMES,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
)
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.correspondences import (
    ImageParameters,
    parameters_from_descriptors,
)
from chladni_image_generation.families.embedded.fields import pixel_grid
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS, draw_guide
from chladni_image_generation.families.embedded.noise_grid import GRID_CHANNELS, GRID_SIZE, draw_grids
from chladni_image_generation.families.embedded.scene import (
    RIDGE_COUNT,
    Placement,
    Scene,
    bent_scene,
    feature,
    lay_out,
    noise_fields,
)
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors

SIZES = [(4, 4), (8, 8), (16, 20), (20, 12)]


def audio_of(**components: float | Tensor) -> ImageParameters:
    """Parameters of a loud sound without pitch; a course feature takes 16 values, one a segment."""
    values = dict(zip(COMPONENT_NAMES, silence().tolist(), strict=True))
    values |= {"loudness": 0.8, "pitch_range": 0.5}
    for name, value in components.items():
        if name in DESCRIPTOR_NAMES:
            values[name] = float(value)
            continue
        for segment, level in enumerate(torch.as_tensor(value).expand(TEMPORAL_SEGMENTS).tolist()):
            values[name.replace("course", f"course_{segment:02}")] = level
    return parameters_from_descriptors(torch.tensor([[values[name] for name in COMPONENT_NAMES]]))


def scene_of(sound: ImageParameters, height: int = 64, width: int = 64) -> Scene:
    x, y = pixel_grid(len(sound.course), height, width)
    return lay_out(sound, x, y, half_width=max(width / height, 1.0))


def level_grids(sound: ImageParameters) -> Tensor:
    """Noise that bends nothing."""
    return torch.zeros(len(sound.course), GRID_CHANNELS, GRID_SIZE, GRID_SIZE)


RISING = torch.linspace(0.1, 0.9, TEMPORAL_SEGMENTS)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_without_noise_the_guide_shows_the_scene_of_the_same_coordinates(height: int, width: int) -> None:
    sound = parameters_from_descriptors(sample_descriptors(3, seed=2))
    guide = draw_guide(sound, level_grids(sound), height=height, width=width)
    assert guide.shape == (3, GUIDE_CHANNELS, height, width)
    assert guide.dtype == torch.float32
    x, y = pixel_grid(3, height, width)
    scene = lay_out(sound, x, y, half_width=max(width / height, 1.0))
    for channel, field in enumerate((x, y, scene.above)):
        assert torch.equal(guide[:, channel], field)
    assert torch.equal(guide[:, 4], scene.figure)
    course = guide[:, 11 : 11 + len(TEMPORAL_FEATURES)]
    assert torch.equal(course, 2 * scene.course - 1)
    ridges, near_ridges, noise = guide[:, -2 * RIDGE_COUNT - GRID_CHANNELS :].split(
        [RIDGE_COUNT, RIDGE_COUNT, GRID_CHANNELS], dim=1
    )
    assert torch.equal(ridges, scene.ridges)
    assert torch.equal(near_ridges.sign(), scene.ridges.sign())
    assert not noise.any()


@given(seed=st.integers(0, 2**30), size=st.sampled_from(SIZES))
@settings(max_examples=40, deadline=None)
def test_a_guide_is_finite_and_of_about_unit_scale_and_alone(seed: int, size: tuple[int, int]) -> None:
    height, width = size
    embedding = sample_descriptors(2, seed=seed)
    guide = draw_guide(
        parameters_from_descriptors(embedding), draw_grids([seed, seed + 1]), height=height, width=width
    )
    assert torch.isfinite(guide).all()
    assert guide.abs().max() < 8
    alone = draw_guide(
        parameters_from_descriptors(embedding[1:]), draw_grids([seed + 1]), height=height, width=width
    )
    assert torch.allclose(alone[0], guide[1], atol=1e-4)


def test_the_noise_bends_the_guide_as_it_bends_the_art() -> None:
    sound = parameters_from_descriptors(sample_descriptors(2, seed=8))
    grids = draw_grids([1, 2])
    guide = draw_guide(sound, grids, height=32, width=32)
    fields = noise_fields(grids, 32, 32)
    assert torch.equal(guide[:, -GRID_CHANNELS:], fields)
    assert torch.equal(guide[:, 4], bent_scene(sound, fields).figure)
    assert not torch.allclose(guide[:, 4], draw_guide(sound, level_grids(sound), height=32, width=32)[:, 4])


def test_a_larger_guide_shows_the_same_scene_more_finely() -> None:
    sound = parameters_from_descriptors(sample_descriptors(2, seed=8))
    coarse = draw_guide(sound, level_grids(sound), height=16, width=16)
    fine = draw_guide(sound, level_grids(sound), height=48, width=48)
    assert torch.allclose(fine[..., 1::3, 1::3], coarse, atol=1e-3), "every third centre is the same"


@pytest.mark.parametrize(("height", "width"), [(16, 48), (48, 16)])
def test_another_shape_shows_more_around_the_same_figure(height: int, width: int) -> None:
    sound = parameters_from_descriptors(sample_descriptors(2, seed=8))
    square = scene_of(sound, 16, 16)
    wide = scene_of(sound, height, width)
    middle = (..., slice((height - 16) // 2, (height + 16) // 2), slice((width - 16) // 2, (width + 16) // 2))
    for name in ("across", "above", "figure", "ring_phase", "ring_course", "cells"):
        assert torch.allclose(getattr(wide, name)[middle], getattr(square, name), atol=1e-4), name


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 48), (48, 16)])
def test_the_sound_lasts_from_edge_to_edge(height: int, width: int) -> None:
    level = feature(scene_of(audio_of(course_level=RISING), height, width).course, "level")
    assert level[..., 0].max() < 0.2
    assert level[..., -1].min() > 0.8
    onsets = torch.zeros(TEMPORAL_SEGMENTS)
    onsets[14] = 1.0
    bodies = scene_of(audio_of(course_onset=onsets), height, width).bodies[0]
    assert int(bodies.flatten().argmax()) % width == pytest.approx(width * 14.5 / TEMPORAL_SEGMENTS, abs=1.5)


def test_the_course_runs_from_left_to_right() -> None:
    scene = scene_of(audio_of(course_level=RISING))
    level = feature(scene.course, "level")[0]
    assert (level.diff(dim=1) >= -1e-6).all()
    assert level[:, 0].max() < 0.2
    assert level[:, -1].min() > 0.8
    assert torch.equal(level[0], level[-1]), "each column is one moment"


def test_the_course_runs_outwards_in_rings() -> None:
    scene = scene_of(audio_of(course_level=RISING))
    distance = (scene.across**2 + scene.above**2).sqrt()[0].flatten()
    level = feature(scene.ring_course, "level")[0].flatten()[distance.argsort()]
    assert (level.diff() >= -1e-5).all()
    assert level[0] < 0.2
    assert level[-1] > 0.8


def test_ridges_of_the_reversed_course_are_mirrored() -> None:
    course = torch.rand(TEMPORAL_SEGMENTS, generator=torch.Generator().manual_seed(1))
    features = ("course_level", "course_brightness", "course_pitch_height", "course_onset")
    forward = scene_of(audio_of(**dict.fromkeys(features, course)))
    backward = scene_of(audio_of(**dict.fromkeys(features, course.flip(0))))
    assert torch.allclose(backward.ridges, forward.ridges.flip(3), atol=1e-5)
    assert torch.allclose(backward.ribbon, forward.ribbon.flip(2), atol=1e-4)
    assert (forward.ridges - forward.ridges.flip(3)).abs().max() > 0.1, "the course is no palindrome"


@pytest.mark.parametrize(
    ("ridge", "name"),
    [(0, "course_brightness"), (1, "course_pitch_height"), (2, "course_level"), (3, "course_onset")],
)
def test_each_ridge_follows_a_feature_of_its_own(ridge: int, name: str) -> None:
    steady, moving = scene_of(audio_of(**{name: 0.5})), scene_of(audio_of(**{name: RISING}))
    changed = (moving.ridges - steady.ridges).abs().amax(dim=(0, 2, 3)) > 1e-3
    assert changed.tolist() == [index == ridge for index in range(RIDGE_COUNT)]
    silhouette = (moving.ridges[0, ridge] < 0).sum(dim=0)
    assert silhouette[-1] > silhouette[0], "it stands higher where there is more"


def test_ridges_of_a_rough_sound_are_jagged() -> None:
    smooth, jagged = (scene_of(audio_of(roughness=level)).ridges for level in (0.0, 1.0))
    assert smooth.diff(dim=3).diff(dim=3).abs().max() < 1e-4, "a steady course is a level ridge"
    assert jagged.diff(dim=3).diff(dim=3).abs().amax(dim=(0, 2, 3)).min() > 0.02


def test_ridges_sink_below_a_harmonic_sound() -> None:
    noisy = scene_of(audio_of(harmonicity=0.0))
    clear = scene_of(audio_of(harmonicity=1.0, chroma_c=1.0, mode=0.5))
    covered = [(scene.ridges < 0).any(dim=1).float().mean() for scene in (noisy, clear)]
    assert covered[0] > covered[1] + 0.2


def test_a_body_stands_where_something_begins() -> None:
    onsets = torch.zeros(TEMPORAL_SEGMENTS)
    onsets[4] = 1.0
    bodies = scene_of(audio_of(course_onset=onsets)).bodies[0]
    place = bodies.flatten().argmax()
    column = int(place) % 64
    assert column == pytest.approx(64 * 4.5 / TEMPORAL_SEGMENTS, abs=1.5)
    assert bodies.max() > 0.8
    inside = (bodies > 0).any(dim=0).nonzero().flatten()
    assert inside.max() - inside.min() < 64 * 0.3


def test_more_onsets_are_more_bodies_and_none_are_none() -> None:
    sparse, dense = torch.zeros(TEMPORAL_SEGMENTS), torch.full((TEMPORAL_SEGMENTS,), 0.8)
    sparse[::8] = 0.8
    areas = [
        float((scene_of(audio_of(course_onset=onsets)).bodies > 0).float().mean())
        for onsets in (torch.zeros(TEMPORAL_SEGMENTS), sparse, dense)
    ]
    assert areas[0] == 0
    assert 0 < 3 * areas[1] < areas[2]


def test_the_plate_vibrates_in_the_modes_of_its_pitch_classes() -> None:
    still = scene_of(audio_of()).figure
    assert not still.any()
    symmetric = scene_of(audio_of(chroma_d=1.0, mode=1.0, pitch_height=0.5)).figure
    assert torch.allclose(symmetric, symmetric.flip(2), atol=1e-5)
    assert torch.allclose(symmetric, symmetric.transpose(1, 2), atol=1e-5), "a square plate, in major"
    antisymmetric = scene_of(audio_of(chroma_d=1.0, mode=0.0, pitch_height=0.5)).figure
    assert torch.allclose(antisymmetric, -antisymmetric.transpose(1, 2), atol=1e-5)
    other = scene_of(audio_of(chroma_b=1.0, mode=1.0)).figure
    assert (symmetric - other).abs().mean() > 0.2


def test_higher_sounds_stand_higher() -> None:
    def middle(pitch_height: float) -> float:
        scene = scene_of(audio_of(pitch_height=pitch_height))
        return float(scene.above.abs().mean(dim=2).argmin())

    assert middle(0.9) < middle(0.5) < middle(0.1), "rows count downwards"


def test_faster_sounds_have_closer_rings_and_rapid_ones_smaller_cells() -> None:
    def cycles(**components: float) -> float:
        phase = scene_of(audio_of(**components)).ring_phase
        return float(phase.max() - phase.min())

    assert cycles(tempo=0.9) > 1.2 * cycles(tempo=0.1)
    fine, coarse = scene_of(audio_of(onset_rate=1.0)).cells, scene_of(audio_of(onset_rate=0.0)).cells
    assert fine.diff(dim=2).abs().mean() > 1.3 * coarse.diff(dim=2).abs().mean()
    for cells in (fine, coarse):
        assert -0.51 < cells.min() < cells.max() <= 1


def placement_of(sound: ImageParameters, *, shift: float = 0.0) -> Placement:
    """Segments that fill the image as those of a still one do, moved to the left by a share of its width."""
    centres = (torch.arange(TEMPORAL_SEGMENTS) + 0.5) / TEMPORAL_SEGMENTS - shift
    ones = torch.ones(TEMPORAL_SEGMENTS)
    return Placement(centres, range(TEMPORAL_SEGMENTS), sound.course.mean(dim=1), ones, shift)


def test_a_window_that_has_not_moved_shows_the_still_scene():
    sound = parameters_from_descriptors(sample_descriptors(1, seed=1))
    x, y = pixel_grid(1, 32, 32)
    still, moving = lay_out(sound, x, y), lay_out(sound, x, y, placement=placement_of(sound))
    for name in ("course", "figure", "ridges", "ribbon", "cells", "bodies"):
        torch.testing.assert_close(getattr(moving, name), getattr(still, name))


def test_a_scene_glides_to_the_left_without_changing_its_forms():
    sound = parameters_from_descriptors(sample_descriptors(1, seed=1))
    x, y = pixel_grid(1, 32, 32)
    before = lay_out(sound, x, y, placement=placement_of(sound))
    # Four of 32 pixels, an eighth of the width.
    after = lay_out(sound, x, y, placement=placement_of(sound, shift=0.125))
    for name in ("course", "ridges", "ribbon", "bodies"):
        torch.testing.assert_close(
            getattr(after, name)[..., 2:-6], getattr(before, name)[..., 6:-2], rtol=1e-3, atol=1e-3
        )


def test_rings_of_a_moving_sound_begin_with_what_is_newest():
    level = torch.linspace(0, 1, TEMPORAL_SEGMENTS)
    sound = audio_of(course_level=level)
    x, y = pixel_grid(1, 32, 32)
    scene = lay_out(sound, x, y, placement=placement_of(sound))
    rings = feature(scene.ring_course, "level")
    assert rings[0, 16, 16] > 0.9 > rings[0, 16, 0]

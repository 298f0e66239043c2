"""Frames of a moving sound, by a tiny model: the same to the bit, moving, in the light of now."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chladni_contract.descriptor_space import DESCRIPTOR_NAMES, TEMPORAL_FEATURES
from chladni_image_generation.families.embedded.moving import MovingScene
from chladni_image_generation.scrolling.scene import FrameOptions, ScrollingScene
from chladni_image_generation.scrolling.timeline import SegmentTimeline, TimedSegment


def segments(count=20, seed=3):
    random = np.random.default_rng(seed)
    overall = random.random(len(DESCRIPTOR_NAMES), dtype=np.float32)
    return [
        TimedSegment(number, random.random(len(TEMPORAL_FEATURES), dtype=np.float32), overall)
        for number in range(count)
    ]


OPTIONS = FrameOptions(64, 64, seed=5)


@pytest.fixture
def model(load_tiny_model):
    return load_tiny_model()


@pytest.fixture
def scene(model):
    return ScrollingScene.of_model(model, segments(), options=OPTIONS)


def test_frames_are_the_same_to_the_bit_in_any_order(model, scene):
    other = ScrollingScene.of_model(model, segments(), options=OPTIONS)
    later, earlier = other.frame(4.5), other.frame(4.4)
    assert np.array_equal(scene.frame(4.4), earlier)
    assert np.array_equal(scene.frame(4.5), later)
    assert later.shape == (64, 64, 3)
    assert later.dtype == np.uint8
    assert not np.array_equal(earlier, later)


def test_frames_have_the_size_that_is_asked_for(model):
    scene = ScrollingScene.of_model(model, segments(), options=FrameOptions(128, 64))
    assert scene.frame(4.0).shape == (64, 128, 3)


def test_a_live_frame_depends_on_what_came_so_far_alone(model):
    live = ScrollingScene.of_model(model, segments()[:17], options=OPTIONS)
    film = ScrollingScene.of_model(model, segments(), options=OPTIONS)
    # Segment 17 begins at 4.25 s: until then neither scene shows anything of it.
    assert np.array_equal(live.frame(4.25), film.frame(4.25))


def test_level_and_look_change_a_frame(model, scene):
    dark, light = scene.frame(4.4, level=0.0), scene.frame(4.4, level=1.0)
    assert light.mean() > dark.mean() + 5
    plate = ScrollingScene.of_model(model, segments(), options=FrameOptions(64, 64, seed=5, look="plate"))
    assert not np.array_equal(plate.frame(4.4), scene.frame(4.4))


def test_requests_differ_in_their_digests_and_carry_the_window(scene):
    first, second = scene.request(4.4), scene.request(4.5)
    assert first.conditioning.digest() != second.conditioning.digest()
    assert first.conditioning.digest() == scene.request(4.4).conditioning.digest()
    assert first.conditioning.course_window is not None
    assert first.steps == 1
    assert first.guidance_scale == 1


def test_a_scene_without_a_model_leaves_drawing_to_the_engine(model):
    scene = ScrollingScene(model.description, timeline=SegmentTimeline(), options=OPTIONS)
    scene.put(segments()[0])
    assert scene.request(0.2).seed == 5
    with pytest.raises(ValueError, match="without a model"):
        scene.frame(0.2)


def test_strengths_lie_between_0_and_1():
    with pytest.raises(ValueError, match="flash_strength"):
        FrameOptions(flash_strength=1.5)


def test_light_is_added_at_the_edge_and_around_the_focus(scene):
    request = scene.request(4.4)
    window, embedding = request.conditioning.course_window, request.conditioning.audio_embedding
    moving = MovingScene.of(torch.tensor(embedding), window)
    gray = torch.full((3, 32, 32), 0.3)

    def lit(level, flash):
        return MovingScene(moving.parameters, moving.placement, level, flash).lit(gray)

    flash = lit(0.0, 1.0) - lit(0.0, 0.0)
    assert flash[:, :, -1].mean() > 5 * flash[:, :, 0].abs().mean()
    assert lit(0.0, 0.0).max() < 0.3
    assert lit(1.0, 0.0).mean() > 0.3
    assert lit(1.0, 1.0).max() <= 1

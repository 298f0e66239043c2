"""Embeddings to draw images for."""

from __future__ import annotations

import pytest
import torch

from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_NAMES, TEMPORAL_FEATURES
from chladni_image_generation.descriptor_space import course_of, silence
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors, vary_recorded

COUNT = 600


@pytest.fixture(scope="module")
def sampled() -> torch.Tensor:
    return sample_descriptors(COUNT, seed=5)


def test_embeddings_lie_in_the_space(sampled: torch.Tensor) -> None:
    assert sampled.shape == (COUNT, 152)
    assert sampled.dtype == torch.float32
    assert torch.isfinite(sampled).all()
    assert sampled.min() >= 0
    assert sampled.max() <= 1


def test_the_global_components_cover_the_space(sampled: torch.Tensor) -> None:
    calibrated = sampled[:, : DESCRIPTOR_NAMES.index("chroma_c")]
    for quantile in (0.1, 0.5, 0.9):
        assert (calibrated.quantile(quantile, dim=0) - quantile).abs().max() < 0.22
    unpitched = (sampled[:, len(calibrated[0]) : len(DESCRIPTOR_NAMES)].sum(dim=1) == 0).float().mean()
    assert 0.1 < unpitched < 0.4


def test_every_feature_of_the_course_comes_in_all_strengths(sampled: torch.Tensor) -> None:
    values = course_of(sampled).flatten(0, 1)
    low, high = values.quantile(0.05, dim=0), values.quantile(0.95, dim=0)
    for feature, spread in zip(TEMPORAL_FEATURES, (high - low).tolist(), strict=True):
        assert spread > 0.5, feature


def test_some_are_silence(sampled: torch.Tensor) -> None:
    silent = (sampled == silence()).all(dim=1)
    assert 0.005 < silent.float().mean() < 0.04
    quiet = sampled[:, COMPONENT_NAMES.index("loudness")] == 0
    assert torch.equal(quiet, silent)


def test_the_loudest_segment_is_at_full_level(sampled: torch.Tensor) -> None:
    level = course_of(sampled)[:, :, TEMPORAL_FEATURES.index("level")].amax(dim=1)
    sounding = sampled[:, 0] > 0
    assert torch.allclose(level[sounding], torch.ones(()), atol=1e-5)
    assert not level[~sounding].any()


def test_what_has_no_pitch_has_no_key_and_no_melody(sampled: torch.Tensor) -> None:
    chroma = sampled[:, DESCRIPTOR_NAMES.index("chroma_c") : len(DESCRIPTOR_NAMES)]
    atonal = chroma.amax(dim=1) == 0
    course = course_of(sampled)[atonal]
    for feature in ("tonal_x", "tonal_y"):
        assert (course[:, :, TEMPORAL_FEATURES.index(feature)] == 0.5).all()
    flat = atonal & (sampled[:, DESCRIPTOR_NAMES.index("pitch_range")] == 0)
    pitch = course_of(sampled)[flat][:, :, TEMPORAL_FEATURES.index("pitch_height")]
    assert len(pitch) > 30
    assert (pitch == 0.5).all()


def test_a_course_goes_on_and_does_not_jump_about(sampled: torch.Tensor) -> None:
    pitch = course_of(sampled)[:, :, TEMPORAL_FEATURES.index("pitch_height")]
    neighbours, strangers = pitch.diff(dim=1).abs().mean(), (pitch - pitch.roll(1, 0)).abs().mean()
    assert 0 < neighbours < strangers / 3


def test_a_row_depends_on_the_seed_and_its_place_alone(sampled: torch.Tensor) -> None:
    assert torch.equal(sampled[:10], sample_descriptors(10, seed=5))
    assert not torch.equal(sampled[:10], sample_descriptors(10, seed=6))


def test_recorded_sounds_are_moved_a_little_and_stay_in_the_space() -> None:
    recorded = sample_descriptors(20, seed=7)
    varied = vary_recorded(recorded, 200, seed=3)
    assert varied.shape == (200, 152)
    assert varied.min() >= 0
    assert varied.max() <= 1
    distance = (varied[:, None] - recorded[None]).abs().mean(dim=2)
    nearest = distance.amin(dim=1)
    assert 0 < nearest.min() <= nearest.max() < 0.03
    assert len(distance.argmin(dim=1).unique()) == 20, "every sound is drawn"
    assert torch.equal(vary_recorded(recorded, 200, seed=3), varied)
    assert not torch.equal(vary_recorded(recorded, 200, seed=4), varied)

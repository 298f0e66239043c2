"""From a sound to the parameters of its image."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.descriptor_space import COMPONENT_COUNT, COMPONENT_NAMES, DESCRIPTOR_NAMES
from chladni_image_generation.descriptor_space import course_of, silence
from chladni_image_generation.families.embedded.correspondences import (
    PARAMETER_COUNT,
    parameters_from_descriptors,
)

corners = st.integers(0, 2**COMPONENT_COUNT - 1).map(
    lambda bits: torch.tensor([[float(bits >> place & 1) for place in range(COMPONENT_COUNT)]])
)


def audio_of(**components: float) -> torch.Tensor:
    """(1, 152) embedding, 0.5 where nothing is said."""
    values = dict.fromkeys(COMPONENT_NAMES, 0.5) | components
    return torch.tensor([[values[name] for name in COMPONENT_NAMES]])


@given(embedding=corners)
@settings(max_examples=100, deadline=None)
def test_every_corner_of_the_space_has_finite_parameters(embedding: torch.Tensor) -> None:
    vectors = parameters_from_descriptors(embedding).as_vectors()
    assert vectors.shape == (1, PARAMETER_COUNT)
    assert torch.isfinite(vectors).all()


@pytest.mark.parametrize("embedding", [torch.zeros(152), torch.ones(152), torch.full((152,), 0.5), silence()])
def test_extreme_sounds_have_sensible_parameters(embedding: torch.Tensor) -> None:
    sound = parameters_from_descriptors(embedding[None])
    for name in ("plate_share", "ridge_share", "ribbon_share", "cell_share", "cloud", "jag", "contrast"):
        share = getattr(sound, name)
        assert 0 <= float(share) <= 1, name
    assert sound.palette[..., 0].min() > 0
    assert sound.palette[..., 0].max() < 1
    assert (sound.palette[0, :, 0].diff() >= 0).all(), "a ramp goes from shadow to light"
    assert sound.plate_weights.norm() < 1 + 1e-6
    assert float(sound.body_radius) > 0


def test_vectors_hold_every_parameter_but_the_course() -> None:
    base = audio_of()
    reference = parameters_from_descriptors(base).as_vectors()
    for index, name in enumerate(COMPONENT_NAMES):
        moved = base.clone()
        moved[0, index] = 0.6
        differs = not torch.equal(parameters_from_descriptors(moved).as_vectors(), reference)
        assert differs is (name in DESCRIPTOR_NAMES), name


def test_the_course_comes_along_unchanged() -> None:
    embedding = torch.rand(3, COMPONENT_COUNT, generator=torch.Generator().manual_seed(4))
    assert torch.equal(parameters_from_descriptors(embedding).course, course_of(embedding))


def test_rows_do_not_depend_on_their_companions() -> None:
    embedding = torch.rand(4, COMPONENT_COUNT, generator=torch.Generator().manual_seed(5))
    together = parameters_from_descriptors(embedding).as_vectors()
    for row in range(4):
        alone = parameters_from_descriptors(embedding[row : row + 1]).as_vectors()
        assert torch.equal(alone[0], together[row])


@pytest.mark.parametrize(
    ("component", "parameter"),
    [
        ("loudness", "contrast"),
        ("loudness", "body_radius"),
        ("loudness", "band_depth"),
        ("dynamics", "relief"),
        ("dynamics", "vignette"),
        ("brightness", "glow"),
        ("pitch_height", "mass_y"),
        ("pitch_height", "plate_scale"),
        ("pitch_range", "swing"),
        ("tempo", "band_frequency"),
        ("onset_rate", "cell_frequency"),
        ("onset_rate", "cell_share"),
        ("harmonicity", "plate_share"),
        ("harmonicity", "line_strength"),
        ("mode", "plate_sign"),
        ("flatness", "cloud"),
        ("roughness", "jag"),
    ],
)
def test_more_of_a_descriptor_is_more_of_what_it_stands_for(component: str, parameter: str) -> None:
    levels = torch.cat([audio_of(**{component: level}) for level in (0.0, 0.25, 0.5, 0.75, 1.0)])
    values = getattr(parameters_from_descriptors(levels), parameter)
    assert (values.diff() >= 0).all()
    assert values[-1] > values[0]


def test_brighter_sounds_have_lighter_and_yellower_lights() -> None:
    key = {"chroma_c": 1.0, "chroma_e": 0.5, "chroma_g": 0.8}
    sounds = torch.cat([audio_of(brightness=level, **key) for level in (0.1, 0.5, 0.9)])
    lightness, _, yellow = parameters_from_descriptors(sounds).palette[:, -1].unbind(1)
    assert (lightness.diff() > 0).all()
    assert (yellow.diff() > 0).all()


def test_a_clean_tone_is_a_plate_and_noise_a_landscape() -> None:
    clean = parameters_from_descriptors(audio_of(harmonicity=0.95, flatness=0.05, chroma_c=1.0))
    noisy = parameters_from_descriptors(audio_of(harmonicity=0.1, flatness=0.9))
    assert clean.plate_share > 0.85
    assert clean.ridge_share < 0.2
    assert noisy.ridge_share > 0.9
    assert noisy.plate_share < 0.1


def test_quiet_sounds_keep_their_forms_and_silence_has_none() -> None:
    quiet = parameters_from_descriptors(audio_of(loudness=0.0))
    loud = parameters_from_descriptors(audio_of(loudness=1.0))
    nothing = parameters_from_descriptors(silence()[None])
    for name in ("contrast", "ridge_share", "cell_share", "ribbon_share", "plate_share"):
        assert getattr(quiet, name) >= 0.5 * getattr(loud, name) > 0, name
        assert getattr(nothing, name) == 0, name


@pytest.mark.parametrize("component", DESCRIPTOR_NAMES)
def test_small_changes_of_a_sound_are_small_changes_of_its_image(component: str) -> None:
    generator = torch.Generator().manual_seed(6)
    sounds = torch.rand(200, COMPONENT_COUNT, generator=generator)
    moved = sounds.clone()
    column = DESCRIPTOR_NAMES.index(component)
    moved[:, column] = (moved[:, column] + 0.01).clamp(max=1)
    vectors, neighbours = (parameters_from_descriptors(each).as_vectors() for each in (sounds, moved))
    assert (vectors - neighbours).abs().max() < 0.1


def test_the_order_of_two_strong_notes_hardly_shows() -> None:
    """A shade more of one note or of the other leaves key, mode and figure nearly as they are."""
    quiet = {name: 0.0 for name in DESCRIPTOR_NAMES if name.startswith("chroma")}
    first, second = (
        parameters_from_descriptors(audio_of(**(quiet | {"chroma_g": g, "chroma_g_sharp": a, "mode": mode})))
        for g, a, mode in ((1.0, 0.95, 0.48), (0.95, 1.0, 0.52))
    )
    assert (first.as_vectors() - second.as_vectors()).abs().max() < 0.1


def test_each_pitch_class_excites_a_mode_of_its_own() -> None:
    quiet = {name: 0.0 for name in DESCRIPTOR_NAMES if name.startswith("chroma")}
    sounds = torch.cat([audio_of(**(quiet | {name: 1.0})) for name in quiet])
    assert torch.equal(parameters_from_descriptors(sounds).plate_weights, torch.eye(12))
    assert not parameters_from_descriptors(audio_of(**quiet)).plate_weights.any()

"""Colours: the circle of fifths, ramps, and conversion to sRGB."""

from __future__ import annotations

import pytest
import torch

from chladni_image_generation.families.embedded.palette import (
    SEMITONE,
    active_pitch_classes,
    chroma_phase,
    sample_ramp,
    srgb_from_oklab,
)


def test_keys_a_fifth_apart_take_neighbouring_hues() -> None:
    phases = chroma_phase(torch.eye(12))
    assert torch.allclose(phases.norm(dim=1), torch.ones(12))
    distance = (phases[0] - phases).norm(dim=1)
    nearest = distance.argsort()[1:3].tolist()
    assert sorted(nearest) == [5, 7], "F and G lie beside C"


def test_both_circles_together_tell_pitch_classes_apart() -> None:
    fifths, semitones = chroma_phase(torch.eye(12)), chroma_phase(torch.eye(12), step=SEMITONE)
    assert sorted((semitones[0] - semitones).norm(dim=1).argsort()[1:3].tolist()) == [1, 11]
    places = torch.cat([fifths, semitones], dim=1)
    assert torch.pdist(places).min() > 1.4


def test_an_even_spread_and_no_pitch_at_all_have_no_hue() -> None:
    assert chroma_phase(torch.ones(1, 12)).norm() < 1e-6
    assert not chroma_phase(torch.zeros(1, 12)).any()


def test_number_of_pitch_classes_is_their_effective_count() -> None:
    chroma = torch.zeros(3, 12)
    chroma[1, :1] = 1
    chroma[2, :5] = 1
    assert active_pitch_classes(chroma).tolist() == pytest.approx([0, 1, 5], abs=1e-3)


def test_grey_has_no_hue_and_colours_stay_in_gamut() -> None:
    grey = torch.tensor([0.5, 0.0, 0.0])[None, :, None, None]
    assert srgb_from_oklab(grey).flatten().std() < 1e-3
    extreme = torch.tensor([0.6, 0.5, -0.5])[None, :, None, None]
    assert ((srgb_from_oklab(extreme) >= 0) & (srgb_from_oklab(extreme) <= 1)).all()


def test_the_ends_of_oklab_are_black_and_white() -> None:
    lightness = torch.tensor([0.0, 1.0])
    lab = torch.stack([lightness, torch.zeros(2), torch.zeros(2)], dim=1)[:, :, None, None]
    black, white = srgb_from_oklab(lab)
    assert black.flatten().tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert white.flatten().tolist() == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_ramp_passes_through_its_anchors_and_bends_nowhere() -> None:
    anchors = torch.rand(2, 5, 3, generator=torch.Generator().manual_seed(3))
    stops = torch.linspace(0, 1, 5).expand(2, 1, 5)
    found = sample_ramp(anchors, stops)
    assert torch.allclose(found[:, :, 0].transpose(1, 2), anchors, atol=1e-5)
    fine = sample_ramp(anchors, torch.linspace(-0.1, 1.1, 500).expand(2, 1, 500))[:, :, 0]
    assert fine.diff(dim=2).abs().max() < 0.02
    assert fine.diff(dim=2).diff(dim=2).abs().max() < 1e-3

"""The space of embeddings: 152 components by name, and the course that is part of them."""

from __future__ import annotations

import pytest
import torch

from chladni_contract.descriptor_space import (
    COMPONENT_COUNT,
    COMPONENT_NAMES,
    DESCRIPTOR_NAMES,
    DESCRIPTOR_SPACE,
    TEMPORAL_FEATURES,
    TEMPORAL_SEGMENTS,
)
from chladni_image_generation.descriptor_space import course_at, course_of, silence


def test_components_have_names_of_their_own() -> None:
    assert DESCRIPTOR_SPACE == "chladni-descriptors-v2"
    assert len(set(COMPONENT_NAMES)) == COMPONENT_COUNT == 24 + 16 * 8 == 152
    assert COMPONENT_NAMES[:24] == DESCRIPTOR_NAMES
    assert COMPONENT_NAMES[24:26] == ("course_00_level", "course_00_brightness")
    assert COMPONENT_NAMES[-1] == "course_15_tonal_y"


def test_silence_is_nothing_but_what_is_undecided() -> None:
    quiet = dict(zip(COMPONENT_NAMES, silence().tolist(), strict=True))
    undecided = {name for name, value in quiet.items() if value == 0.5}
    expected = {"mode", "pitch_height"}
    for segment in range(TEMPORAL_SEGMENTS):
        for feature in ("pitch_height", "tonal_x", "tonal_y"):
            expected.add(f"course_{segment:02}_{feature}")
    assert undecided == expected
    assert {value for name, value in quiet.items() if name not in undecided} == {0.0}


def test_the_course_holds_each_feature_where_its_name_says() -> None:
    embedding = torch.arange(2.0 * COMPONENT_COUNT).reshape(2, COMPONENT_COUNT)
    course = course_of(embedding)
    assert course.shape == (2, TEMPORAL_SEGMENTS, len(TEMPORAL_FEATURES))
    for segment in range(TEMPORAL_SEGMENTS):
        for column, feature in enumerate(TEMPORAL_FEATURES):
            component = COMPONENT_NAMES.index(f"course_{segment:02}_{feature}")
            assert torch.equal(course[:, segment, column], embedding[:, component])


def segment_centres() -> torch.Tensor:
    return (torch.arange(TEMPORAL_SEGMENTS) + 0.5) / TEMPORAL_SEGMENTS


def test_at_its_centre_a_segment_weighs_most() -> None:
    alone = torch.eye(TEMPORAL_SEGMENTS)[None]
    weights = course_at(alone, segment_centres())[0]
    assert torch.allclose(weights.sum(dim=1), torch.ones(TEMPORAL_SEGMENTS))
    assert (weights.argmax(dim=1) == torch.arange(TEMPORAL_SEGMENTS)).all()
    assert weights.diagonal().min() > 0.5


def test_between_segments_the_course_goes_on_smoothly() -> None:
    rising = torch.linspace(0, 1, TEMPORAL_SEGMENTS)[None, :, None]
    inner = segment_centres()[2:-2]
    assert torch.allclose(course_at(rising, inner)[0, :, 0], rising[0, 2:-2, 0], atol=1e-3)
    fine = course_at(rising, torch.linspace(0, 1, 400))[0, :, 0]
    assert (fine.diff() >= -1e-6).all()
    assert fine.diff().max() < 3 / 400


def test_beyond_the_ends_the_course_stays_as_it_is_there() -> None:
    course = torch.rand(3, TEMPORAL_SEGMENTS, 2, generator=torch.Generator().manual_seed(0))
    outside = course_at(course, torch.tensor([-1.0, 0.0, 1.0, 1.4]))
    ends = course_at(course, segment_centres()[[0, 0, -1, -1]])
    assert torch.equal(outside, ends)


def test_a_steady_course_is_steady_everywhere() -> None:
    steady = torch.full((1, TEMPORAL_SEGMENTS, 1), 0.3)
    found = course_at(steady, torch.linspace(-0.2, 1.2, 50)).flatten().tolist()
    assert found == pytest.approx([0.3] * 50)

"""The condition that the UNet receives: shapes, bounds, the guide, the null condition, bad input."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_NAMES
from chladni_image_generation.descriptor_space import silence
from chladni_image_generation.families.embedded.conditioning import (
    CLASS_LABEL_DIMENSION,
    Condition,
    encode_condition,
    null_condition,
)
from chladni_image_generation.families.embedded.correspondences import parameters_from_descriptors
from chladni_image_generation.families.embedded.guide import GUIDE_CHANNELS, draw_guide
from chladni_image_generation.families.embedded.noise_grid import draw_grids

PARTS = ("class_labels", "guide")

embeddings = st.builds(
    lambda count, seed, sharpness: (
        torch.rand(count, COMPONENT_COUNT, generator=torch.Generator().manual_seed(seed)) ** sharpness
    ),
    st.integers(1, 4),
    st.integers(0, 2**40),
    st.sampled_from([0.0, 0.2, 1.0, 5.0, 1000.0]),
)
"""From all components at 1, through an even spread, to all of them at 0."""


def encode(embedding: torch.Tensor, **options: torch.Tensor) -> Condition:
    return encode_condition(embedding, draw_grids([0] * len(embedding)), height=4, width=8, **options)


@given(embedding=embeddings)
@settings(max_examples=40, deadline=None)
def test_condition_has_fixed_shape_and_bounds(embedding: torch.Tensor) -> None:
    condition = encode(embedding)
    batch_size = len(embedding)
    assert condition.class_labels.shape == (batch_size, CLASS_LABEL_DIMENSION)
    assert condition.guide.shape == (batch_size, GUIDE_CHANNELS, 4, 8)
    for part in PARTS:
        tensor = getattr(condition, part)
        assert tensor.dtype == torch.float32
        assert tensor.abs().max() < 6


@given(embedding=embeddings)
@settings(max_examples=40, deadline=None)
def test_rows_do_not_depend_on_their_companions(embedding: torch.Tensor) -> None:
    together = encode(embedding)
    for row in range(len(embedding)):
        alone = encode(embedding[row : row + 1])
        assert torch.equal(alone.class_labels[0], together.class_labels[row])
        assert torch.allclose(alone.guide[0], together.guide[row], atol=1e-4)


def test_widths_are_whole_vectors() -> None:
    """Rows of a matrix that do not begin on a vector's boundary are multiplied in another order."""
    assert CLASS_LABEL_DIMENSION % 16 == 0


def test_padding_is_zero_and_nothing_else_is_always() -> None:
    condition = encode(torch.rand(50, COMPONENT_COUNT, generator=torch.Generator().manual_seed(6)))
    used = condition.class_labels.abs().amax(dim=0) > 0
    assert used.sum() > CLASS_LABEL_DIMENSION - 16
    assert used[: int(used.sum())].all()


def test_the_whole_sound_reaches_the_labels_and_its_course_the_guide() -> None:
    embedding = torch.full((1, COMPONENT_COUNT), 0.4)
    reference = encode(embedding)
    for component in range(COMPONENT_COUNT):
        moved = embedding.clone()
        moved[0, component] += 0.05
        condition = encode(moved)
        is_global = component < len(DESCRIPTOR_NAMES)
        assert torch.equal(condition.class_labels, reference.class_labels) is not is_global
        assert is_global or not torch.equal(condition.guide, reference.guide)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (16, 20), (12, 8)])
def test_the_guide_is_drawn_at_the_size_of_the_latents(height: int, width: int) -> None:
    embedding = torch.rand(2, COMPONENT_COUNT, generator=torch.Generator().manual_seed(1))
    grids = draw_grids([1, 2])
    guide = encode_condition(embedding, grids, height=height, width=width).guide
    assert guide.shape == (2, GUIDE_CHANNELS, height, width)
    parameters = parameters_from_descriptors(embedding)
    assert torch.equal(guide, draw_guide(parameters, grids, height=height, width=width))


def test_null_condition_differs_from_every_sound_even_from_silence() -> None:
    nothing = null_condition(2, height=4, width=8)
    assert nothing.class_labels.shape == (2, CLASS_LABEL_DIMENSION)
    assert not nothing.class_labels.any()
    assert nothing.guide.shape == (2, GUIDE_CHANNELS, 4, 8)
    assert not nothing.guide.any()
    for embedding in (silence().repeat(2, 1), torch.zeros(2, COMPONENT_COUNT)):
        sound = encode(embedding)
        for part in PARTS:
            assert not torch.equal(getattr(nothing, part), getattr(sound, part)), part


def test_absent_rows_become_the_null_condition() -> None:
    embedding = torch.rand(3, COMPONENT_COUNT, generator=torch.Generator().manual_seed(0))
    condition = encode(embedding, present=torch.tensor([True, False, True]))
    everything, nothing = encode(embedding), null_condition(1, height=4, width=8)
    for part in PARTS:
        assert torch.equal(getattr(condition, part)[1], getattr(nothing, part)[0])
        assert torch.equal(getattr(condition, part)[2], getattr(everything, part)[2])


@pytest.mark.parametrize(
    ("embedding", "complaint"),
    [
        (torch.zeros(152), "shape"),
        (torch.zeros(2, 151), "shape"),
        (torch.zeros(1, 24), r"\(batch, 152\), not \(1, 24\)"),
        (torch.full((1, 152), float("nan")), "finite"),
        (torch.full((1, 152), 1.01), r"\[0, 1\]"),
        (torch.full((1, 152), -0.01), r"\[0, 1\]"),
    ],
)
def test_bad_embeddings_are_refused(embedding: torch.Tensor, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode(embedding)

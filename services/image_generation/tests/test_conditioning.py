"""The condition that the UNet receives: shapes, bounds, the null condition, bad input."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_image_generation.conditioning import (
    CLASS_LABEL_DIMENSION,
    DESCRIPTOR_COUNT,
    DESCRIPTOR_NAMES,
    TOKEN_COUNT,
    TOKEN_DIMENSION,
    TOKEN_GROUPS,
    encode_condition,
    null_condition,
)

embeddings = st.lists(
    st.lists(st.floats(0, 1, width=32), min_size=DESCRIPTOR_COUNT, max_size=DESCRIPTOR_COUNT),
    min_size=1,
    max_size=4,
).map(torch.tensor)


@given(embedding=embeddings)
@settings(max_examples=100, deadline=None)
def test_condition_has_fixed_shape_and_bounds(embedding: torch.Tensor) -> None:
    condition = encode_condition(embedding)
    batch_size = len(embedding)
    assert condition.class_labels.shape == (batch_size, CLASS_LABEL_DIMENSION)
    assert condition.encoder_hidden_states.shape == (batch_size, TOKEN_COUNT, TOKEN_DIMENSION)
    for part in (condition.class_labels, condition.encoder_hidden_states):
        assert part.dtype == torch.float32
        assert part.abs().max() <= 1


@given(embedding=embeddings)
@settings(max_examples=100, deadline=None)
def test_rows_do_not_depend_on_their_companions(embedding: torch.Tensor) -> None:
    together = encode_condition(embedding)
    for row in range(len(embedding)):
        alone = encode_condition(embedding[row : row + 1])
        assert torch.equal(alone.class_labels[0], together.class_labels[row])
        assert torch.equal(alone.encoder_hidden_states[0], together.encoder_hidden_states[row])


def test_every_component_reaches_both_conditions() -> None:
    embedding = torch.full((1, DESCRIPTOR_COUNT), 0.4)
    reference = encode_condition(embedding)
    for component in range(DESCRIPTOR_COUNT):
        moved = embedding.clone()
        moved[0, component] += 0.05
        condition = encode_condition(moved)
        assert not torch.equal(condition.class_labels, reference.class_labels)
        differs = (condition.encoder_hidden_states != reference.encoder_hidden_states).any(dim=2)
        assert differs.sum() == 1, "a component belongs to exactly one token"


def test_token_groups_hold_each_component_once() -> None:
    assert sorted(sum(TOKEN_GROUPS, ())) == sorted(DESCRIPTOR_NAMES)
    assert len(set(DESCRIPTOR_NAMES)) == DESCRIPTOR_COUNT == 24


def test_null_condition_differs_from_every_sound_even_from_silence() -> None:
    nothing = null_condition(2)
    silence = encode_condition(torch.zeros(2, DESCRIPTOR_COUNT))
    assert nothing.class_labels.abs().sum() == 0
    assert not torch.equal(nothing.class_labels, silence.class_labels)
    assert not torch.equal(nothing.encoder_hidden_states, silence.encoder_hidden_states)


def test_absent_rows_become_the_null_condition() -> None:
    embedding = torch.rand(3, DESCRIPTOR_COUNT, generator=torch.Generator().manual_seed(0))
    condition = encode_condition(embedding, present=torch.tensor([True, False, True]))
    nothing = null_condition(1)
    assert torch.equal(condition.class_labels[1], nothing.class_labels[0])
    assert torch.equal(condition.encoder_hidden_states[1], nothing.encoder_hidden_states[0])
    assert torch.equal(condition.class_labels[2], encode_condition(embedding).class_labels[2])


@pytest.mark.parametrize(
    ("embedding", "complaint"),
    [
        (torch.zeros(24), "shape"),
        (torch.zeros(2, 23), "shape"),
        (torch.full((1, 24), float("nan")), "finite"),
        (torch.full((1, 24), 1.01), r"\[0, 1\]"),
        (torch.full((1, 24), -0.01), r"\[0, 1\]"),
    ],
)
def test_bad_embeddings_are_refused(embedding: torch.Tensor, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        encode_condition(embedding)

"""Provenance survives the message and the text inside a PNG."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni.generation.v1 import generation_pb2
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import parse_provenance, to_provenance, to_provenance_message

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
PARTS = st.none() | st.floats(0, 1)
OWN_FACTS = {
    "model": TEXTS,
    "seed": st.integers(0, 2**32 - 1),
    "guidance_scale": st.floats(1, 30),
    "library_versions": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "reproducible": st.booleans(),
    "part": TEXTS,
    "fallback": TEXTS,
    "prompt": TEXTS,
    "negative_prompt": TEXTS,
    "strength": PARTS,
    "initial_latents_weight": PARTS,
    "upscale": st.integers(1, 2),
    "refiner_start": PARTS,
    "recipe_options": st.dictionaries(TEXTS, TEXTS, max_size=3),
    "audio_start_seconds": PARTS,
    "audio_end_seconds": PARTS,
}
PROVENANCES = st.recursive(
    st.builds(Provenance, **OWN_FACTS),
    lambda earlier: st.builds(Provenance, **OWN_FACTS, earlier=st.lists(earlier, max_size=2).map(tuple)),
    max_leaves=4,
)


def test_it_has_the_fields_of_the_message():
    assert [field.name for field in fields(Provenance)] == [
        field.name for field in generation_pb2.Provenance.DESCRIPTOR.fields
    ]


@settings(max_examples=200, deadline=None)
@given(provenance=PROVENANCES)
def test_a_message_carries_all_of_it(provenance):
    message = generation_pb2.Provenance.FromString(to_provenance_message(provenance).SerializeToString())
    assert to_provenance(message) == provenance


@settings(max_examples=100, deadline=None)
@given(provenance=PROVENANCES)
def test_the_text_carries_all_of_it(provenance):
    assert parse_provenance(provenance.to_json()) == provenance


def test_equal_provenance_gives_equal_text():
    first = Provenance(model="m", library_versions={"a": "1", "b": "2"})
    second = Provenance(model="m", library_versions={"b": "2", "a": "1"})
    assert first.to_json() == second.to_json()


def test_fields_of_later_versions_are_ignored_and_those_of_earlier_ones_have_defaults():
    assert parse_provenance(json.dumps({"model": "m", "of_a_later_version": 1})) == Provenance(model="m")


@pytest.mark.parametrize(
    "text", ["", "no JSON", '{"seed": "x"}', '{"seed": -1}', '{"earlier": [{"steps": -1}]}']
)
def test_a_text_that_is_no_provenance_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_provenance(text)


def test_a_server_that_says_nothing_of_enlarging_did_not_enlarge():
    assert to_provenance(generation_pb2.Provenance()).upscale == 1

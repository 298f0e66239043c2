"""How an image was made, through every form that the gateway gives it."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from chladni.generation.v1 import generation_pb2
from chladni_contract.provenance import Provenance
from chladni_contract.provenance_messages import to_provenance, to_provenance_message
from chladni_gateway.domain.audio import AudioProperties
from chladni_gateway.domain.storage.image_store import ImageRecord

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
    "look": TEXTS,
}
PROVENANCES = st.recursive(
    st.builds(Provenance, **OWN_FACTS),
    lambda earlier: st.builds(Provenance, **OWN_FACTS, earlier=st.lists(earlier, max_size=2).map(tuple)),
    max_leaves=4,
)


def test_it_has_the_fields_of_the_contract():
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
def test_the_store_keeps_all_of_it(provenance):
    now = datetime.now(UTC)
    record = ImageRecord(
        image_id=uuid4(), created_at=now, expires_at=now, sha256="", width_pixels=1, height_pixels=1,
        source_name="", recipe="", processing_seconds=0.0, descriptors=(), provenance=provenance,
        audio=AudioProperties("wav", 8000, 1, 1.0, ""),
    )  # fmt: skip
    records = TypeAdapter(ImageRecord)
    assert records.validate_json(records.dump_json(record)) == record


def test_a_server_that_says_nothing_of_enlarging_did_not_enlarge():
    assert to_provenance(generation_pb2.Provenance()).upscale == 1

"""Errors as objects: copies, pickles, what they show, and the request that they belong to."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import grpc
import pytest

import chladni_client as chladni
from chladni_client import errors
from chladni_contract.errors import FieldViolation

AUDIO = b"RIFF, or so"
CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.ChladniError)
]
FACTS = {
    "reason": "INVALID_FIELD",
    "stage": "audio_features",
    "violations": [FieldViolation("steps", "is 900.")],
    "retry_after_seconds": 1.5,
    "metadata": {"limit": "150"},
    "request_id": "r-17",
}


def state_of(error):
    return (type(error), error.args, str(error), error.__dict__)


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_survives_copies_and_pickles(error_class):
    error = error_class("In one sentence.", **FACTS)
    error.add_note("a note")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert state_of(pickle.loads(pickle.dumps(error, protocol))) == state_of(error)
    assert state_of(copy.copy(error)) == state_of(copy.deepcopy(error)) == state_of(error)
    assert error.request_id == "r-17"


def test_an_error_crosses_processes():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(chladni.ProvenanceError) as caught,
    ):
        pool.submit(chladni.read_provenance, b"").result()
    assert caught.value.reason


def test_errors_show_what_they_hold():
    error = chladni.QueueFullError("Full.", reason="QUEUE_FULL", retry_after_seconds=0.0, request_id="r-1")
    assert repr(error) == (
        "QueueFullError('Full.', reason='QUEUE_FULL', retry_after_seconds=0.0, request_id='r-1')"
    )
    assert "FieldViolation(field='steps'" in repr(chladni.InvalidInputError("No.", **FACTS))


async def test_errors_name_their_request(target, script, rich_error, bare_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE", request_id="from-the-server"))
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE"))
    script.errors.append(bare_error(grpc.StatusCode.INTERNAL))
    async with chladni.AsyncClient(target) as client:
        found = []
        for _ in range(3):
            with pytest.raises(chladni.ChladniError) as caught:
                await client.get_image("x")
            found.append(caught.value.request_id)
    sent = [metadata["x-request-id"] for metadata in script.metadata]
    assert found == ["from-the-server", *sent[1:]]


async def test_an_error_of_the_client_itself_names_its_request_too(target, script):
    script.stops_after = 1
    async with chladni.AsyncClient(target) as client:
        assert await client.list_recipes()  # connecting takes time of its own
        with pytest.raises(chladni.DeadlineExceededError) as caught:
            await client.create_image(AUDIO, timeout_seconds=0.5)
    assert caught.value.request_id == script.metadata[-1]["x-request-id"]
    with pytest.raises(chladni.ProvenanceError) as caught:
        chladni.read_provenance(b"no image")
    assert caught.value.request_id == ""


def test_all_attempts_of_a_call_are_one_request(client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING"))
    assert client.list_recipes()
    one, other = (metadata["x-request-id"] for metadata in script.metadata)
    assert one == other

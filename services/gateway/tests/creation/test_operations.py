"""Operations, and the retries of named requests."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.creation.operations import RETENTION, OperationLog
from chladni_gateway.domain.audio import AudioClip
from chladni_gateway.domain.generation import GenerationSettings
from chladni_gateway.domain.recipe_options import RecipeOptions
from chladni_gateway.domain.request import CreationRequest, Webhook

NAMED = CreationRequest(AudioClip(b"audio", "a.wav"), owner="ann", request_id=uuid.UUID(int=1))


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def log(clock):
    seeds = iter(range(100, 200))
    return OperationLog(draw_seed=lambda: next(seeds), clock=lambda: clock[0])


def test_a_request_without_a_name_is_always_new(log):
    unnamed = replace(NAMED, request_id=None)
    first, second = log.accept(unnamed), log.accept(unnamed)
    assert first.operation_id != second.operation_id
    assert (first.seed, second.seed, second.is_retry) == (100, 101, False)


def test_the_seed_of_the_request_counts(log):
    assert log.accept(replace(NAMED, settings=GenerationSettings(seed=7))).seed == 7


def test_a_retry_is_the_same_operation(log):
    first, retry = log.accept(NAMED), log.accept(NAMED)
    assert (retry.operation_id, retry.seed) == (first.operation_id, first.seed)
    assert (first.is_retry, retry.is_retry) == (False, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"clip": AudioClip(b"other", "a.wav")},
        {"recipe": "spectrogram"},
        {"settings": GenerationSettings(steps=3)},
        {"options": RecipeOptions(prompt="a reef")},
        {"webhook": Webhook("https://example.org", "whsec_one")},
    ],
)
def test_a_name_belongs_to_one_request(log, changes):
    log.accept(NAMED)
    with pytest.raises(ChladniError) as caught:
        log.accept(replace(NAMED, **changes))
    assert caught.value.reason is Reason.REQUEST_CONFLICT
    assert caught.value.metadata["request_id"] == str(NAMED.request_id)


def test_the_secret_of_a_webhook_is_part_of_a_request_and_is_never_shown(log):
    log.accept(replace(NAMED, webhook=Webhook("https://example.org", "whsec_one")))
    other = replace(NAMED, webhook=Webhook("https://example.org", "whsec_two"))
    with pytest.raises(ChladniError):
        log.accept(other)
    assert "whsec_two" not in repr(other)


def test_callers_have_names_of_their_own(log):
    first = log.accept(NAMED)
    assert log.accept(replace(NAMED, owner="bob", recipe="spectrogram")).operation_id != first.operation_id


def test_names_are_forgotten_in_time(log, clock):
    first = log.accept(NAMED)
    clock[0] = RETENTION.total_seconds() - 1
    assert log.accept(NAMED).operation_id == first.operation_id
    clock[0] += 2
    assert log.accept(NAMED).operation_id != first.operation_id

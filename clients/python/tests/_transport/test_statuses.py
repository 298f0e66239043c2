"""Every answer that is an error, and what the client makes of it."""

from __future__ import annotations

import re

import grpc
import pytest

import chladni_client as chladni
from chladni_client import errors
from chladni_contract.status import WIRE_STATUS

AUDIO = b"RIFF, or so"

CLASS_OF_CODE = {
    "INVALID_ARGUMENT": chladni.InvalidInputError,
    "NOT_FOUND": chladni.NotFoundError,
    "UNAUTHENTICATED": chladni.NotAllowedError,
    "PERMISSION_DENIED": chladni.NotAllowedError,
    "FAILED_PRECONDITION": chladni.RecipeUnavailableError,
    "RESOURCE_EXHAUSTED": chladni.QueueFullError,
    "DEADLINE_EXCEEDED": chladni.DeadlineExceededError,
    "CANCELLED": chladni.CallCancelledError,
    "UNAVAILABLE": chladni.UnavailableError,
    "ALREADY_EXISTS": chladni.InvalidInputError,
    "UNIMPLEMENTED": chladni.NotOfferedError,
    "INTERNAL": chladni.FaultError,
}


def reasons_of_contract():
    """Returns the reasons of the contract, each with its gRPC code."""
    return [(reason.value, status.grpc.name) for reason, status in WIRE_STATUS.items()]


CLASS_OF_REASON = {
    "OUT_OF_MEMORY": chladni.FaultError,
    "COLLECTION_FULL": chladni.InvalidInputError,
    "IMAGE_WITHHELD": chladni.InvalidInputError,
}


@pytest.mark.parametrize(("reason", "code"), reasons_of_contract())
async def test_every_reason_of_the_contract_has_its_exception(target, script, rich_error, reason, code):
    script.errors.append(rich_error(grpc.StatusCode[code], reason, "Exactly this.", stage="similarity"))
    expected = CLASS_OF_REASON.get(reason, CLASS_OF_CODE[code])
    async with chladni.AsyncClient(target, retry_policy=chladni.RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(chladni.ChladniError) as caught:
            await client.compare_images(b"1", b"2")
    error = caught.value
    assert type(error) is expected
    assert (error.reason, error.message, str(error)) == (reason, "Exactly this.", "Exactly this.")
    assert error.stage == error.metadata["stage"] == "similarity"


async def test_violations_and_retry_delay_arrive(target, script, rich_error):
    script.errors.append(
        rich_error(
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_FIELD",
            violations=[("steps", "is 900, must be from 1 to 150."), ("seed", "is odd.")],
        )
    )
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=1.5))
    async with chladni.AsyncClient(target, retry_policy=chladni.RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(chladni.InvalidInputError) as caught:
            await client.create_image(AUDIO)
        assert caught.value.violations == (
            chladni.FieldViolation("steps", "is 900, must be from 1 to 150."),
            chladni.FieldViolation("seed", "is odd."),
        )
        assert caught.value.retry_after_seconds is None
        with pytest.raises(chladni.QueueFullError) as caught:
            await client.create_image(AUDIO)
        assert caught.value.retry_after_seconds == 1.5


@pytest.mark.parametrize(
    ("code", "expected", "text"),
    [
        (grpc.StatusCode.UNAVAILABLE, chladni.UnavailableError, "cannot be reached"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, chladni.DeadlineExceededError, "no result in time"),
        (grpc.StatusCode.UNIMPLEMENTED, chladni.NotOfferedError, "does not offer"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, chladni.QueueFullError, "too much to do"),
        (grpc.StatusCode.PERMISSION_DENIED, chladni.NotAllowedError, "PERMISSION_DENIED: not today"),
        (grpc.StatusCode.UNKNOWN, chladni.FaultError, "UNKNOWN: not today"),
        (grpc.StatusCode.NOT_FOUND, chladni.NotFoundError, "NOT_FOUND: not today"),
    ],
)
async def test_bare_statuses_have_a_clear_sentence(target, script, bare_error, code, expected, text):
    script.errors.append(bare_error(code, "not today"))
    async with chladni.AsyncClient(target, retry_policy=chladni.RetryPolicy(max_attempts=1)) as client:
        with pytest.raises(chladni.ChladniError) as caught:
            await client.create_image(AUDIO)
    assert type(caught.value) is expected
    assert text in caught.value.message
    assert target in caught.value.message
    assert caught.value.reason == code.name


async def test_details_of_another_domain_count_as_none(target, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "ELSEWHERE", domain="example.org"))
    async with chladni.AsyncClient(target) as client:
        with pytest.raises(chladni.NotFoundError) as caught:
            await client.get_image("x")
    assert caught.value.reason == "NOT_FOUND"


async def test_a_server_that_is_not_there_is_unavailable(quick_retries):
    async with chladni.AsyncClient("127.0.0.1:1", retry_policy=quick_retries) as client:
        with pytest.raises(chladni.UnavailableError, match=r"127\.0\.0\.1:1 cannot be reached"):
            await client.list_recipes()


async def test_time_runs_out_at_the_client(target, script):
    script.stops_after = 1
    async with chladni.AsyncClient(target) as client:
        assert await client.list_recipes()  # connecting takes time of its own
        with pytest.raises(chladni.DeadlineExceededError):
            await client.create_image(AUDIO, timeout_seconds=0.5)
    assert script.was_cancelled.wait(10)


async def test_a_stream_without_an_image_is_the_servers_fault(target, script):
    del script.events[-1]
    async with chladni.AsyncClient(target) as client:
        with pytest.raises(chladni.FaultError, match="without an image"):
            await client.create_image(AUDIO)


async def test_events_of_later_versions_are_passed_over(target, script):
    script.events.insert(1, type(script.events[0])())
    async with chladni.AsyncClient(target) as client:
        image = await client.create_image(AUDIO)
    assert image.audio is not None


async def test_an_image_without_an_analysis_has_no_sound(target, script):
    image = script.events[-1].created.image
    image.ClearField("audio")
    image.ClearField("descriptors")
    async with chladni.AsyncClient(target) as client:
        image = await client.create_image(AUDIO)
    assert image.audio is None
    assert image.descriptors == ()


def test_the_tree_of_the_docstring_is_the_tree_of_the_classes():
    drawn = re.findall(r"^ {4}([│ ├└─]*)(\w+Error)\b", errors.__doc__, flags=re.MULTILINE)
    parents = {}
    for depth, name in ((len(prefix) // 4, name) for prefix, name in drawn):
        parents[depth] = getattr(errors, name)
        if depth:
            assert parents[depth].__bases__ == (parents[depth - 1],)
    classes = {
        name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")
    }
    assert classes == {name for _, name in drawn}

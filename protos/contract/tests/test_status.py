"""The table of statuses, and errors that go over the wire and come back as they were."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from chladni.errors.v1 import error_reason_pb2
from chladni.errors.v1.error_reason_options_pb2 import GrpcCode
from chladni_contract.errors import (
    REASON_OPTIONS,
    ChladniError,
    FieldViolation,
    InvalidInputError,
    QueueFullError,
    Reason,
)
from chladni_contract.status import WIRE_STATUS, from_status, parse_details, to_status, trailing_metadata

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)


def test_the_reasons_are_those_of_the_contract():
    prefix = "ERROR_REASON_"
    names = {name.removeprefix(prefix) for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert {reason.value for reason in Reason} == names - {"UNSPECIFIED"}


def test_every_reason_has_statuses():
    assert set(WIRE_STATUS) == set(Reason)
    assert all(400 <= status.http <= 599 for status in WIRE_STATUS.values())
    assert grpc.StatusCode.OK not in {status.grpc for status in WIRE_STATUS.values()}


def test_the_codes_of_the_contract_are_those_of_grpc():
    codes = {code.name: code.value[0] for code in grpc.StatusCode if code is not grpc.StatusCode.OK}
    of_contract = {name.removeprefix("GRPC_CODE_"): number for name, number in GrpcCode.items()}
    assert of_contract == codes | {"UNSPECIFIED": 0}


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_takes_declared_metadata_only(reason):
    for key in REASON_OPTIONS[reason].metadata_keys:
        assert ChladniError(reason, "", metadata={key: 1.5}).metadata == {key: "1.5"}
    with pytest.raises(ValueError, match="of_no_reason"):
        ChladniError(reason, "", metadata={"of_no_reason": 1})


def test_the_metadata_name_the_first_wrong_field():
    error = InvalidInputError(Reason.INVALID_FIELD, "Wrong.", field="steps", metadata={"maximum": 10**15})
    assert error.metadata == {"field": "steps", "maximum": "1000000000000000"}


def test_metadata_of_a_later_version_arrive():
    status = to_status(ChladniError(Reason.CANCELLED, "new"))
    info = error_details_pb2.ErrorInfo(reason="CANCELLED", domain="chladni", metadata={"later": "x"})
    status.details[0].Pack(info)
    assert from_status(status).metadata == {"later": "x"}


@given(
    st.sampled_from(Reason),
    TEXT,
    st.lists(st.builds(FieldViolation, TEXT, TEXT), max_size=3),
    st.none() | st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000),
    st.data(),
)
def test_an_error_survives_the_wire(reason, message, violations, retry_after_seconds, data):
    keys = st.sampled_from(sorted(REASON_OPTIONS[reason].metadata_keys))
    metadata = data.draw(st.dictionaries(keys, TEXT, max_size=3))
    error = ChladniError(
        reason,
        message,
        violations=violations,
        retry_after_seconds=retry_after_seconds,
        metadata=metadata,
    )
    back = from_status(status_pb2.Status.FromString(to_status(error).SerializeToString()))
    assert (back.reason, back.message, back.violations) == (reason, message, tuple(violations))
    assert (back.retry_after_seconds, back.metadata) == (retry_after_seconds, error.metadata)
    assert metadata.items() <= back.metadata.items()


@pytest.mark.parametrize(
    ("error", "remaining_seconds", "pushback"),
    [
        (QueueFullError("Full.", retry_after_seconds=1.5), None, "1500"),
        (QueueFullError("Full.", retry_after_seconds=1.5), 1.6, "1500"),
        (QueueFullError("Full.", retry_after_seconds=0), None, "1"),
        (QueueFullError("Full.", retry_after_seconds=1.5), 1.5, "-1"),
        (ChladniError(Reason.OUT_OF_MEMORY, "Too little memory."), None, "-1"),
        (ChladniError(Reason.COLLECTION_FULL, "Full.", retry_after_seconds=1), None, "-1"),
        (ChladniError(Reason.DRAINING, "Draining.", retry_after_seconds=1), None, None),
        (ChladniError(Reason.EMPTY_AUDIO, "Empty."), None, None),
    ],
)
def test_retries_of_grpc_itself_come_when_they_help(error, remaining_seconds, pushback):
    metadata = dict(trailing_metadata(error, request_id="r-1", remaining_seconds=remaining_seconds))
    assert metadata.get("grpc-retry-pushback-ms") == pushback
    assert metadata["x-request-id"] == "r-1"
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert parse_details(status).request_id == "r-1"


def test_a_foreign_status_becomes_an_internal_error():
    assert from_status(status_pb2.Status(code=13, message="boom")).reason is Reason.INTERNAL


def test_a_reason_of_a_later_version_keeps_its_name_in_the_details():
    status = to_status(ChladniError(Reason.INTERNAL, "new", metadata={"stage": "s"}))
    info = error_details_pb2.ErrorInfo(reason="OF_A_LATER_VERSION", domain="chladni", metadata={"stage": "s"})
    status.details[0].Pack(info)
    details = parse_details(status)
    assert (details.reason, details.metadata) == ("OF_A_LATER_VERSION", {"stage": "s"})
    assert from_status(status).reason is Reason.INTERNAL


def test_the_details_of_another_domain_name_no_reason():
    status = status_pb2.Status(code=13)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason="INTERNAL", domain="elsewhere"))
    assert not parse_details(status).reason

"""Warnings to and from their message."""

from __future__ import annotations

import pytest

from chladni.errors.v1 import warning_pb2
from chladni_contract.warnings import (
    ServiceWarning,
    WarningReason,
    new_warning,
    to_warning,
    to_warning_message,
)


def test_the_reasons_are_those_of_the_contract():
    names = [value.name for value in warning_pb2.WarningReason.DESCRIPTOR.values]
    assert names == [f"WARNING_REASON_{reason}" for reason in WarningReason]


@pytest.mark.parametrize("reason", list(WarningReason))
def test_a_message_carries_all_of_it(reason):
    warning = new_warning(reason, "two packets", count=2, first_seconds=1.25, field="audio.content")
    assert warning.metadata == {"count": "2", "first_seconds": "1.25", "field": "audio.content"}
    assert to_warning(to_warning_message(warning)) == warning


def test_a_reason_of_a_later_version_is_not_known_but_its_message_stays():
    message = warning_pb2.Warning(reason=9999, message="news")
    assert to_warning(message) == ServiceWarning(WarningReason.UNSPECIFIED, "news")

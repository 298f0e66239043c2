"""Who calls, according to gRPC's context."""

from __future__ import annotations

import pytest

from chladni_contract.errors import InvalidInputError
from chladni_contract.metadata import CALLER_ID_KEY, MAX_CALLER_ID_LENGTH
from chladni_runtime.server.request_context import caller_of, metadata_value


class Context:
    """The two questions that are asked of gRPC's context."""

    def __init__(self, peer, metadata=()):
        self._peer = peer
        self._metadata = metadata

    def peer(self):
        return self._peer

    def invocation_metadata(self):
        return self._metadata


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        ("ipv4:192.0.2.1:49152", "ipv4:192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:49152", "2001:db8::/64"),
        ("unix:/run/chladni.sock", "unix:/run/chladni.sock"),
        ("unix:", "unix:"),
    ],
)
def test_a_caller_without_an_identifier_is_its_host(peer, caller):
    assert caller_of(Context(peer)) == caller
    assert caller_of(Context(peer, (("user-agent", "x"), (CALLER_ID_KEY, "")))) == caller


def test_an_identifier_goes_before_the_host():
    assert caller_of(Context("ipv4:192.0.2.1:1", ((CALLER_ID_KEY, "alice"),))) == "alice"
    longest = "a" * MAX_CALLER_ID_LENGTH
    assert caller_of(Context("ipv4:192.0.2.1:1", ((CALLER_ID_KEY, longest),))) == longest


@pytest.mark.parametrize("value", ["a" * (MAX_CALLER_ID_LENGTH + 1), "caf\u00e9", b"\xff", "a\tb"])
def test_an_identifier_that_cannot_be_passed_on_is_refused(value):
    with pytest.raises(InvalidInputError) as caught:
        caller_of(Context("ipv4:192.0.2.1:1", ((CALLER_ID_KEY, value),)))
    [violation] = caught.value.violations
    assert violation.field == f"metadata.{CALLER_ID_KEY}"


def test_a_value_is_the_first_of_its_key_that_is_not_empty():
    context = Context("ipv4:192.0.2.1:1", (("a", "1"), ("b", ""), ("b", "2"), ("b", "3")))
    assert metadata_value(context, "b") == "2"
    assert metadata_value(context, "c") == ""

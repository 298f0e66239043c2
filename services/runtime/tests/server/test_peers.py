"""Hosts: their addresses, the names under which they count, and which are trusted."""

from __future__ import annotations

import pytest

from chladni_runtime.server.peers import PeerSet, customer_of_host, host_of_peer


@pytest.mark.parametrize(
    ("peer", "host", "customer"),
    [
        ("ipv4:192.0.2.1:49152", "ipv4:192.0.2.1", "ipv4:192.0.2.1"),
        ("ipv6:[2001:db8:0:1::7]:49152", "ipv6:[2001:db8:0:1::7]", "2001:db8:0:1::/64"),
        ("ipv6:%5B2001:db8:0:1::8%5D:49152", "ipv6:%5B2001:db8:0:1::8%5D", "2001:db8:0:1::/64"),
        ("unix:/run/chladni.sock", "unix:/run/chladni.sock", "unix:/run/chladni.sock"),
    ],
)
def test_a_host_counts_by_its_address_or_its_ipv6_network(peer, host, customer):
    assert host_of_peer(peer) == host
    assert customer_of_host(host) == customer


@pytest.mark.parametrize(
    ("host", "is_trusted"),
    [
        ("ipv4:10.1.2.3", True),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("ipv6:[2001:db8::7]", True),
        ("192.0.2.1", False),
        ("unix:/run/chladni.sock", False),
        ("", False),
    ],
)
def test_a_set_of_hosts_has_networks(host, is_trusted):
    assert (host in PeerSet(["10.0.0.0/8", "2001:db8::/32"])) is is_trusted
    assert host not in PeerSet([])


def test_what_is_no_network_is_refused():
    with pytest.raises(ValueError, match="somewhere"):
        PeerSet(["somewhere"])

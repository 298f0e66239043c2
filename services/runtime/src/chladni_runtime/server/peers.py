"""Hosts that calls come from: their addresses, and which of them are trusted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import unquote

_IPV6_CUSTOMER_BITS: Final = 64
_KNOWN_HOSTS: Final = 4096


def host_of_peer(peer: str) -> str:
    """Return the host of a connection, as gRPC writes it: ``ipv4:192.0.2.1`` of ``ipv4:192.0.2.1:49152``."""
    address, _, port = peer.rpartition(":")
    return address if port.isdigit() else peer


@lru_cache(_KNOWN_HOSTS)
def customer_of_host(host: str) -> str:
    """Return under which name a host counts: its address, or the network of an IPv6 address.

    A customer of a network provider has 2^64 IPv6 addresses, so an address alone limits nobody.

    Args:
        host: Address of a host, as a socket or as gRPC writes it.
    """
    address = _address_of_host(host)
    if not isinstance(address, IPv6Address) or address.ipv4_mapped is not None:
        return host
    return str(ip_network((address, _IPV6_CUSTOMER_BITS), strict=False))


class PeerSet:
    """A set of hosts.

    Args:
        networks: Addresses and networks, such as ``127.0.0.1`` and ``10.0.0.0/8``.

    Raises:
        ValueError: One is neither.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ip_network(network, strict=False) for network in networks)
        self._is_known = lru_cache(_KNOWN_HOSTS)(self._contains)

    def __contains__(self, host: object) -> bool:
        """Return whether a host, as a socket or as gRPC writes it, is in the set."""
        return isinstance(host, str) and bool(self._networks) and self._is_known(host)

    def _contains(self, host: str) -> bool:
        address = _address_of_host(host)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return address is not None and any(address in network for network in self._networks)


def _address_of_host(host: str) -> object:
    """Return the address of a host, `None` if it has none, such as a socket of the file system."""
    plain = unquote(host.removeprefix("ipv4:").removeprefix("ipv6:")).strip("[]").partition("%")[0]
    try:
        return ip_address(plain)
    except ValueError:
        return None

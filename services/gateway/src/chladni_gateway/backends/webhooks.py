"""Requests to receivers of webhooks: to where their names lead, and to nowhere that is private."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

import h11

_SECONDS: Final = 15.0
_MAX_HEADER_BYTES: Final = 16 * 1024
_READ_BYTES: Final = 4096
_MAX_RESOLVERS: Final = 8
_MAX_ADDRESSES: Final = 8
"""Addresses of a name that are tried at most, the first ones."""
_PORTS: Final = {"https": 443, "http": 80}
_EMBEDDING: Final = tuple(map(ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""Ways to write an IPv4 address, which may be private, as an IPv6 address that looks public."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class ForbiddenAddressError(Exception):
    """A name leads to an address that is not public."""


class UnreachableReceiverError(Exception):
    """A receiver did not answer, or with something else than HTTP."""


@cache
def _default_tls() -> ssl.SSLContext:
    """Return how this machine verifies others; its certificates of authorities take long to load."""
    return ssl.create_default_context()


class WebhookClient:
    """Sends requests to receivers. It follows no redirects, and reads no more than the head of an answer.

    Args:
        may_be_private: Returns whether a host may be at a private address.
        tls: How receivers are verified; as this machine verifies others if absent.
        resolve: Returns the addresses of a name for a port.
        timeout_seconds: Time for one request.
    """

    def __init__(
        self,
        *,
        may_be_private: Callable[[str], bool],
        tls: ssl.SSLContext | None = None,
        resolve: Resolve | None = None,
        timeout_seconds: float = _SECONDS,
    ) -> None:
        self._may_be_private = may_be_private
        self._tls = tls or _default_tls()
        self._resolve = resolve or self._addresses_of
        self._timeout_seconds = timeout_seconds
        # A name may take long to resolve, and nothing can stop that: threads of its own keep it from those
        # that the files and stores of the gateway need.
        self._resolvers = ThreadPoolExecutor(_MAX_RESOLVERS, thread_name_prefix="webhooks")

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Send a request, and return the status of the answer.

        Raises:
            ForbiddenAddressError: The host is at an address that is not public, and must not be.
            UnreachableReceiverError: There is no answer.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        request = h11.Request(
            method="POST",
            target=target,
            headers=[
                ("host", parts.netloc),
                ("connection", "close"),
                ("content-length", str(len(body))),
                *headers.items(),
            ],
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                reader, writer = await self._connect(host, port, is_secure=parts.scheme == "https")
                try:
                    return await _exchange(reader, writer, request, body)
                finally:
                    writer.transport.abort()
        except (OSError, TimeoutError, h11.ProtocolError, EOFError, ValueError) as error:
            # ValueError is what some names are to the resolver and to TLS, such as `a..b`.
            raise UnreachableReceiverError(f"{type(error).__name__}: {error}") from error

    async def _connect(
        self, host: str, port: int, *, is_secure: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to the first address of a name that can be reached.

        Each has an equal share of the time that is left, so that one that does not answer leaves some to the
        others. Only connecting is tried again: nothing of a request was sent then.

        Raises:
            ForbiddenAddressError: One is not public, and must be.
            UnreachableReceiverError: The name has no address.
            OSError: None can be reached.
        """
        ends_at = asyncio.get_running_loop().time() + self._timeout_seconds
        # To the addresses that were checked: the name may lead elsewhere a moment later.
        addresses = await self._allowed_addresses(host, port)
        failure = OSError(f"{host} cannot be reached")
        for number, address in enumerate(addresses):
            remaining_seconds = ends_at - asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(remaining_seconds / (len(addresses) - number)):
                    return await asyncio.open_connection(
                        address,
                        port,
                        limit=_MAX_HEADER_BYTES,
                        ssl=self._tls if is_secure else None,
                        server_hostname=host if is_secure else None,
                    )
            except OSError as error:  # TimeoutError and those of TLS are such, too.
                failure = error
        raise failure

    async def _allowed_addresses(self, host: str, port: int) -> Sequence[str]:
        addresses = await self._resolve(host, port)
        if not self._may_be_private(host):
            for address in addresses:
                if not is_public(ip_address(address.partition("%")[0])):
                    raise ForbiddenAddressError(f"{host} leads to an address that is not public")
        if not addresses:
            raise UnreachableReceiverError(f"{host} has no address")
        return addresses[:_MAX_ADDRESSES]

    async def _addresses_of(self, host: str, port: int) -> Sequence[str]:
        resolve = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._resolvers, resolve)
        return [str(address[0]) for *_, address in found]


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of the public internet, and of one host there."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if any(address in network for network in _EMBEDDING):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: h11.Request, body: bytes
) -> int:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADER_BYTES)
    for part in (request, h11.Data(data=body), h11.EndOfMessage()):
        writer.write(connection.send(part) or b"")
    with suppress(ConnectionError):  # A receiver may answer before it has read all.
        await writer.drain()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_READ_BYTES))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            raise EOFError("the receiver closed the connection without an answer")

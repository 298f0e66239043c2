"""Ports on loopback: which to use, and whether they are free."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Final

from chladni_local.errors import InvalidPortError, PortTakenError
from chladni_local.services import LOOPBACK, Service

_MAX_PORT: Final = 65535
_FIRST_FREE_PORT: Final = 20_000
_LAST_FREE_PORT: Final = 32_000
"""Systems take the ports of outgoing connections from above: none takes one before its service begins."""

Ports = dict[str, dict[str, int]]
"""Port for each purpose of each service."""


def free_ports(services: Sequence[Service]) -> Ports:
    """Return ports that nobody uses now; all are found before any is given back, so they differ."""
    with ExitStack() as held:
        return {
            service.name: {purpose: _free_port(held) for purpose in service.ports} for service in services
        }


def configured_ports(services: Sequence[Service], environ: Mapping[str, str]) -> Ports:
    """Return the ports that the environment names, else the usual ones; 0 becomes a free one.

    Raises:
        InvalidPortError: A variable does not hold a port.
    """
    with ExitStack() as held:
        return {
            service.name: {
                purpose: _configured_port(environ, service.port_variable(purpose), usual) or _free_port(held)
                for purpose, usual in service.ports.items()
            }
            for service in services
        }


def check_free(services: Sequence[Service], ports: Mapping[str, Mapping[str, int]]) -> None:
    """Check that every port can be opened.

    Raises:
        PortTakenError: Some cannot; it names all of them and the variables that change them.
    """
    taken = [
        f"port {port} of {service.name} (change it with {service.port_variable(purpose)})"
        for service in services
        for purpose, port in ports[service.name].items()
        if not _is_free(port)
    ]
    if taken:
        raise PortTakenError(
            f"Another program, or Chladni itself, already uses {', '.join(taken)}. Stop it, or choose others."
        )


def is_open(port: int) -> bool:
    """Return whether something listens on a port."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            # Where nothing listens, the kernel may join a connection to itself.
            return bool(connection.getsockname() != connection.getpeername())
    except OSError:
        return False


def _free_port(held: ExitStack) -> int:
    listener = held.enter_context(socket.socket())
    while True:
        port = random.randrange(_FIRST_FREE_PORT, _LAST_FREE_PORT)  # noqa: S311 - no secret
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            continue
        return port


def _configured_port(environ: Mapping[str, str], variable: str, usual: int) -> int:
    text = environ.get(variable, str(usual))
    if not text.isascii() or not text.isdigit() or int(text) > _MAX_PORT:
        raise InvalidPortError(
            f"{variable} is {text!r}, must be a port from 0 (any free one) to {_MAX_PORT}."
        )
    return int(text)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True

"""Limits of HTTP connections, on a transport of the test's own."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
import uvicorn
from uvicorn.server import ServerState

from chladni_gateway.rest.http_connections import BoundedHttpProtocol, ConnectionLimits, ConnectionTable

ANSWER_BYTES = 3_000_000


class Transport(asyncio.Transport):
    """A transport whose client reads what a test says."""

    def __init__(self):
        super().__init__()
        self.unsent_bytes = 0
        self.is_aborted = False

    def get_write_buffer_size(self):
        return self.unsent_bytes

    def is_closing(self):
        return False

    def resume_reading(self):
        pass

    def abort(self):
        self.is_aborted = True


@pytest.fixture
async def connection():
    """Makes a connection, whose answer is complete but not sent, and its transport."""
    made = []

    def make(**limits):
        config = uvicorn.Config(app=lambda: None, log_config=None)
        config.load()
        table = ConnectionTable(ConnectionLimits(**limits))
        protocol = BoundedHttpProtocol(config, ServerState(), {}, table=table)
        transport = Transport()
        protocol.connection_made(transport)
        protocol.cycle = SimpleNamespace(response_complete=True)
        transport.unsent_bytes = ANSWER_BYTES
        protocol.pause_writing()
        protocol.on_response_complete()
        made.append(protocol)
        return protocol, transport

    yield make
    for protocol in made:
        protocol.abort()


async def test_a_slow_client_may_read_a_long_answer_until_it_stops(connection):
    _, transport = connection(write_seconds=0.1)
    for _ in range(6):
        transport.unsent_bytes -= 150_000
        await asyncio.sleep(0.05)
        assert not transport.is_aborted
    await asyncio.sleep(0.25)
    assert transport.is_aborted


async def test_a_connection_is_idle_only_when_its_answer_was_read(connection):
    protocol, transport = connection(idle_seconds=0.05, write_seconds=10)
    await asyncio.sleep(0.2)
    assert protocol.is_idle
    assert not protocol.makes_room
    assert not transport.is_aborted
    transport.unsent_bytes = 0
    protocol.resume_writing()
    assert protocol.makes_room
    await asyncio.sleep(0.2)
    assert transport.is_aborted


class Connection:
    """A connection that may not be closed for another one."""

    makes_room = False


@pytest.mark.parametrize(
    ("host", "is_taken"), [("2001:db8::ffff", False), ("2001:db8:0:1::1", True), ("192.0.2.1", True)]
)
def test_the_addresses_of_one_customer_share_the_connections_of_a_host(host, is_taken):
    table = ConnectionTable(ConnectionLimits(max_per_host=2))
    assert table.add(Connection(), "2001:db8::1")
    assert table.add(Connection(), "2001:db8::2")
    assert table.add(Connection(), host) is is_taken

"""The name server of `make cluster-check` answers as gRPC's resolver asks."""

from __future__ import annotations

import importlib.util
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def server(repository: Path) -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("name_server", repository / "deploy/cluster/name_server.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.NameServer() as running:
        running.publish("audio-features.chladni.test", ["127.0.1.1", "127.0.1.2"])
        yield running


def _ask(server: Any, name: str, kind: int = 1) -> tuple[int, list[str]]:
    """Return the code of an answer and its addresses."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(question, ("127.0.0.1", server.port))
        answer = client.recv(512)
    identifier, flags, _, count, _, _ = struct.unpack_from("!6H", answer)
    assert identifier == 7
    assert answer[12 : len(question)] == question[12:]
    records = answer[len(question) :]
    return flags & 0xF, [socket.inet_ntoa(records[16 * i + 12 : 16 * i + 16]) for i in range(count)]


def test_a_name_has_the_addresses_of_its_ready_replicas(server: Any) -> None:
    assert _ask(server, "audio-features.chladni.test") == (0, ["127.0.1.1", "127.0.1.2"])
    server.publish("audio-features.chladni.test", ["127.0.1.2"])
    assert _ask(server, "AUDIO-features.chladni.test") == (0, ["127.0.1.2"])


def test_other_kinds_of_records_and_other_names_are_absent(server: Any) -> None:
    assert _ask(server, "audio-features.chladni.test", kind=28) == (0, [])
    assert _ask(server, "similarity.chladni.test") == (3, [])

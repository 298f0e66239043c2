"""Targets that gRPC understands as they were meant, and advice on the others."""

from __future__ import annotations

import pytest

import chladni_client as chladni
from chladni_client._transport.targets import checked_target, is_local

HOST = "chladni.example.org"


@pytest.mark.parametrize(
    "target",
    [
        "localhost:50050", f"{HOST}:443", "10.0.0.7:50050", "[::1]:50050", "[fe80::1%eth0]:1",
        f"dns:///{HOST}:443", f"dns:{HOST}:443", f"dns://8.8.8.8/{HOST}:443", "ipv4:10.0.0.1:1,10.0.0.2:1",
        "unix:/run/chladni.sock", "unix:///run/chladni.sock", "unix-abstract:chladni", "xds:///chladni",
    ],
)  # fmt: skip
def test_what_grpc_resolves_is_taken_as_it_is(target):
    assert checked_target(target) == target


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("", "is empty; a target is host:port, dns:///host:port or unix:/path, such as localhost:50050"),
        ("  ", "is empty"),
        (
            "http://localhost:8000",
            "is the address of a web page; write 'localhost:50050': gRPC has a port of its own",
        ),
        (f"http://{HOST}/api", f"write '{HOST}:50050'"),
        (f"https://{HOST}", f"write '{HOST}:443' with credentials=TlsCredentials()"),
        (f"HTTPS://user:secret@{HOST}:8443/?a", f"write '{HOST}:8443' with credentials"),
        (f"grpc://{HOST}:1", "has a scheme that gRPC does not know; a target is host:port"),
        (f"{HOST}:50050/api/v1", f"has a path; gRPC takes none: write '{HOST}:50050'"),
        (f"{HOST}/api", f"has a path; gRPC takes none: write '{HOST}:50050'"),
        (HOST, f"lacks the port; write '{HOST}:50050'"),
        (f"dns:///{HOST}", f"lacks the port; write 'dns:///{HOST}:50050'"),
        ("[::1]", r"lacks the port; write '[::1]:50050'"),
        ("::1:50050", "is no target"),
        (f"{HOST}:", "is no target"),
        (f"{HOST}:http", "is no target"),
        (f"{HOST}:0", "has no port from 1 to 65535"),
        (f"{HOST}:65536", "has no port from 1 to 65535"),
        (f"{HOST} :1", "is no target"),
    ],
)
def test_what_grpc_would_misunderstand_is_refused_with_advice(target, advice):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        checked_target(target)
    assert advice in str(caught.value)
    with pytest.raises(ValueError):  # noqa: PT011
        chladni.Client(target)
    with pytest.raises(ValueError):  # noqa: PT011
        chladni.AsyncClient(audio_features_target=target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("localhost:1", True), ("127.0.0.1:1", True), ("[::1]:1", True), ("dns:///localhost:1", True),
        ("unix:/a", True), ("localhost.example.org:1", False), ("127.example.org:1", False),
        ("10.0.0.1:1", False),
    ],
)  # fmt: skip
def test_this_machine_is_known(target, expected):
    assert is_local(target) is expected


def test_the_command_refuses_it_too(run):
    ended = run("--target", "http://localhost:8000", "recipes")
    assert ended.exit_code == 2
    assert "localhost:8000" in ended.stderr
    assert "Traceback" not in ended.stderr

"""What goes with each call and how connections are made: token, metadata, keepalive, compression, options."""

from __future__ import annotations

import grpc
import pytest

import chladni_client as chladni
from chladni_client._transport.channel_settings import ChannelSettings
from chladni_client._transport.connection import Connection

AUDIO = b"RIFF, or so"


async def test_token_and_metadata_go_with_every_call(target, script):
    async with chladni.AsyncClient(
        target,
        audio_features_target=target,
        token="s3cret",
        metadata={"X-Tenant": "studio 7"},
        caller_id="nightly",
    ) as client:
        await client.create_image(AUDIO)
        await client.list_recipes()
        await client.extract_features(AUDIO)
        async for _ in client.stream_features([b"ab"], chladni.PcmFormat(8000)):
            pass
    assert len(script.metadata) == 4
    for metadata in script.metadata:
        assert metadata["authorization"] == "Bearer s3cret"
        assert metadata["x-tenant"] == "studio 7"
        assert metadata["x-caller-id"] == "nightly"
        assert len(metadata["x-request-id"]) == 32
    assert len({metadata["x-request-id"] for metadata in script.metadata}) == 4


async def test_a_token_may_change_from_call_to_call(target, script):
    tokens = iter(("first", "second"))
    async with chladni.AsyncClient(target, token=lambda: next(tokens)) as client:
        await client.list_recipes()
        await client.list_recipes()
    assert [metadata["authorization"] for metadata in script.metadata] == ["Bearer first", "Bearer second"]


def test_a_token_does_not_leave_the_machine_in_clear_text():
    with pytest.raises(ValueError, match="in clear text; give credentials=TlsCredentials"):
        chladni.AsyncClient("gateway.example.org:443", token="s3cret")
    with pytest.raises(ValueError, match="in clear text"):
        chladni.AsyncClient("localhost:1", audio_features_target="10.0.0.1:1", token="s3cret")
    with_tls = {"credentials": chladni.TlsCredentials(), "token": "s3cret"}
    assert chladni.AsyncClient("gateway.example.org:443", audio_features_target="10.0.0.1:1", **with_tls)


async def test_a_token_that_cannot_travel_is_refused(target, script):
    async with chladni.AsyncClient(target, token=lambda: "two\nlines") as client:
        with pytest.raises(ValueError, match="printable ASCII"):
            await client.list_recipes()
    assert not script.requests


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ([("x-request-id", "1")], "names a single call"),
        ([("X-Caller-Id", "1")], "is what caller_id sets"),
        ([("grpc-timeout", "1")], "cannot be named 'grpc-timeout'"),
        ([("content-bin", "1")], "cannot be named 'content-bin'"),
        ([("two words", "1")], "cannot be named 'two words'"),
        ([("x", "t\xe9")], "printable ASCII"),
        ([("x", "a\nb")], "printable ASCII"),
    ],
)
def test_metadata_that_cannot_travel_is_refused(metadata, message):
    with pytest.raises(ValueError, match=message):
        chladni.AsyncClient(metadata=metadata)


def test_one_authorization_is_enough():
    with pytest.raises(ValueError, match="both set 'authorization'"):
        chladni.AsyncClient(token="a", metadata={"Authorization": "Basic b"})


@pytest.mark.parametrize("seconds", [0, 4.9, -1, float("nan")])
def test_a_keepalive_that_servers_end_connections_for_is_refused(seconds):
    with pytest.raises(ValueError, match="keepalive_seconds must be None or at least 5"):
        chladni.AsyncClient(keepalive_seconds=seconds)


@pytest.fixture
def opened(monkeypatch):
    """Returns the options of the channel that a connection with the given settings opens."""
    arguments = []
    monkeypatch.setattr(grpc.aio, "insecure_channel", lambda *given: arguments.append(given))

    def opened(**settings):
        assert Connection("localhost:1", ChannelSettings(**settings)).channel is None
        _, options, compression = arguments[-1]
        return dict(options), compression

    return opened


def test_connections_are_kept_alive_unless_told_otherwise(opened):
    options, _ = opened()
    assert (options["grpc.keepalive_time_ms"], options["grpc.keepalive_permit_without_calls"]) == (30_000, 1)
    assert opened(keepalive_seconds=12.5)[0]["grpc.keepalive_time_ms"] == 12_500
    assert not [name for name in opened(keepalive_seconds=None)[0] if "keepalive" in name]


def test_options_win_over_those_of_the_client(opened):
    options, compression = opened(
        options=[("grpc.max_receive_message_length", 5), ("grpc.primary_user_agent", "studio")],
        compression=grpc.Compression.Gzip,
    )
    assert (options["grpc.max_receive_message_length"], options["grpc.primary_user_agent"]) == (5, "studio")
    assert compression is grpc.Compression.Gzip


async def test_compressed_requests_and_options_reach_the_server(target, script):
    async with chladni.AsyncClient(
        target, compression=grpc.Compression.Gzip, channel_options=[("grpc.primary_user_agent", "studio/1")]
    ) as client:
        # More than the server takes, unless it is compressed.
        await client.compare_images(bytes(1024 * 1023), b"2")
    assert script.metadata[0]["user-agent"].startswith("studio/1 ")
    assert script.requests[0].first.file.content == bytes(1024 * 1023)

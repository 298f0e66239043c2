"""`/api/v1/live`: live sound over a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from chladni_contract.errors import FaultError, InvalidInputError, Reason, UnavailableError
from chladni_fakes.audio_features import LIVE_BINS, LIVE_POWER_DB
from chladni_gateway.rest.live_messages import MAX_MESSAGE_BYTES, parse_chunk, parse_opening

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
END = json.dumps({"type": "end"})


def open_live(gateway, **options):
    return connect(f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live", proxy=None, **options)


async def receive(socket):
    return json.loads(await socket.recv())


async def begin(socket, sample_rate_hz=48000):
    await socket.send(json.dumps({"sample_rate_hz": sample_rate_hz}))
    return await receive(socket)


async def receive_end(socket):
    """Returns the last message and the code that the connection was closed with."""
    messages = []

    async def receive_all():
        while True:
            messages.append(await receive(socket))

    with pytest.raises(ConnectionClosed) as caught:
        await asyncio.wait_for(receive_all(), timeout=10)
    return messages[-1] if messages else {}, caught.value.rcvd.code


async def test_sound_becomes_frames_and_a_summary(backends, gateway):
    async with open_live(gateway) as socket:
        assert await begin(socket) == {
            "type": "ready",
            "mel_parameters": {
                "sample_rate_hz": 22050,
                "fft_size": 2048,
                "hop_length": 512,
                "mel_bin_count": LIVE_BINS,
                "min_frequency_hz": 0.0,
                "max_frequency_hz": 11025.0,
            },
            "max_duration_seconds": 120.0,
            "max_pcm_bytes": 65536,
            "minimum_db": -60.0,
            "maximum_db": 40.0,
        }
        for number in range(3):
            await socket.send(bytes(4800))
            frames = await receive(socket)
            levels = [base64.b64decode(frame) for frame in frames.pop("power_db")]
            assert frames == {
                "type": "frames",
                "first_frame": number,
                "level": {"rms_dbfs": -20.0, "peak_dbfs": -10.0},
            }
            assert levels == [bytes([round((LIVE_POWER_DB + 60) / 100 * 255)] * LIVE_BINS)]
        await socket.send(json.dumps({"type": "flush"}))
        so_far = await receive(socket)
        assert (so_far["type"], so_far["frame_count"], so_far["limit_reached"]) == ("so_far", 3, False)
        await socket.send(END)
        summary, code = await receive_end(socket)
    assert (summary["type"], summary["frame_count"], code) == ("summary", 3, 1000)
    assert summary["limit_reached"] is False
    assert summary["duration_seconds"] == 3 * 2400 / 48000
    assert summary["descriptors"][0]["name"] == "loudness"
    assert backends.audio_features.received_bytes == 3 * 4800


@EXAMPLES
@given(sizes=st.lists(st.integers(0, MAX_MESSAGE_BYTES // 2).map(lambda count: 2 * count), max_size=4))
async def test_every_byte_arrives_whatever_the_pieces(backends, gateway, sizes):
    received_bytes = backends.audio_features.received_bytes
    async with open_live(gateway) as socket:
        await begin(socket, 16000)
        for size in sizes:
            await socket.send(bytes(size))
        await socket.send(END)
        summary, code = await receive_end(socket)
    assert (summary["frame_count"], code) == (len(sizes), 1000)
    assert backends.audio_features.received_bytes - received_bytes == sum(sizes)


@settings(max_examples=200)
@given(
    text=st.one_of(
        st.none(),
        st.text(max_size=30),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("sample_rate_hz"), inner),
        ).map(json.dumps),
        st.integers().map(lambda rate: json.dumps({"sample_rate_hz": rate})),
    )
)
def test_the_first_message_gives_a_rate_within_limits_or_is_refused(text):
    try:
        assert 16000 <= parse_opening(text) <= 48000
    except InvalidInputError as error:
        assert "16000 to 48000 Hz" in error.message  # noqa: PT017 - either outcome is right


@settings(max_examples=100)
@given(data=st.binary(max_size=9) | st.integers(MAX_MESSAGE_BYTES - 2, MAX_MESSAGE_BYTES + 2).map(bytes))
def test_a_piece_of_sound_holds_whole_samples_and_not_too_many(data):
    if len(data) % 2 == 0 and len(data) <= MAX_MESSAGE_BYTES:
        assert parse_chunk({"bytes": data}) == data
        return
    with pytest.raises(InvalidInputError, match=f"has {len(data)} bytes"):
        parse_chunk({"bytes": data})


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("{", None, "the first message must be text"),
        (b"\0\0", None, "the first message must be text"),
        ('{"sample_rate_hz": 8000}', None, "16000 to 48000"),
        ('{"sample_rate_hz": "48000"}', None, "the first message must be text"),
        ('{"sample_rate_hz": 48000}', b"\0", "has 1 bytes"),
        ('{"sample_rate_hz": 48000}', bytes(MAX_MESSAGE_BYTES + 2), "up to 65536"),
        ('{"sample_rate_hz": 48000}', "hello", "binary messages of sound"),
        ('{"sample_rate_hz": 48000}', "[" * 50_000, "binary messages of sound"),
    ],
)
async def test_what_is_no_sound_is_told_and_ends_it(backends, gateway, eventually, first, second, words):
    async with open_live(gateway) as socket:
        await socket.send(first)
        if second is not None:
            await receive(socket)
            await socket.send(second)
        message, code = await receive_end(socket)
    assert (message["type"], code) == ("error", 1008)
    error = message["error"]
    assert {"code", "message", "stage", "timestamp"} < set(error)
    assert (error["code"], error["stage"]) == ("INVALID_FIELD", "validation")
    assert words in error["message"]
    await eventually(lambda: backends.audio_features.open_streams == 0)


async def test_a_message_beyond_all_limits_closes_the_connection(backends, gateway, eventually):
    async with open_live(gateway) as socket:
        await begin(socket)
        await socket.send(bytes(200_000))
        _, code = await receive_end(socket)
    assert code == 1009
    await eventually(lambda: backends.audio_features.open_streams == 0)


async def test_a_second_sound_needs_a_second_connection(gateway, backends):
    async with open_live(gateway) as socket:
        await begin(socket)
        backends.audio_features.may_go_on.clear()
        await socket.send(b"\0\0")
        await socket.send(END)
        await socket.send(b"\0\0")
        message, code = await receive_end(socket)
    backends.audio_features.may_go_on.set()
    assert code == 1008
    assert "open another connection" in message["error"]["message"]


async def test_silence_on_the_line_ends_it(gateway, monkeypatch):
    monkeypatch.setattr("chladni_gateway.rest.routes.live._IDLE_SECONDS", 0.1)
    monkeypatch.setattr("chladni_gateway.rest.routes.live._OPENING_SECONDS", 0.2)
    for is_begun in (False, True):
        async with open_live(gateway) as socket:
            if is_begun:
                await begin(socket)
            message, code = await receive_end(socket)
        assert code == 1008
        assert "nothing came for" in message["error"]["message"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UnavailableError(Reason.MODEL_NOT_READY, "The model is loading."), 1013),
        (FaultError(Reason.INTERNAL, "It failed."), 1011),
        (InvalidInputError(Reason.AUDIO_TOO_LONG, "pcm is too long.", field="pcm"), 1008),
    ],
)
async def test_a_service_that_fails_is_told(backends, gateway, error, code):
    backends.audio_features.error = error
    async with open_live(gateway) as socket:
        message = await begin(socket)
        _, closed_with = await receive_end(socket)
    assert closed_with == code
    assert message["error"]["code"] == error.reason.value
    assert message["error"]["stage"] == ("validation" if code == 1008 else "audio_features")


async def test_a_service_that_is_away_is_told(backends, gateway):
    await backends.servers["audio-features"].kill()
    async with open_live(gateway) as socket:
        message = await begin(socket)
        _, code = await receive_end(socket)
    assert (message["error"]["code"], code) == ("BACKEND_UNAVAILABLE", 1013)
    assert "127.0.0.1" not in json.dumps(message)


@pytest.mark.parametrize("is_abrupt", [False, True])
async def test_who_leaves_is_not_listened_to_any_more(backends, gateway, eventually, is_abrupt):
    socket = await open_live(gateway)
    await begin(socket)
    await socket.send(b"\0\0")
    await receive(socket)
    assert backends.audio_features.open_streams == 1
    assert await gateway.metric("chladni_live_streams") == 1
    if is_abrupt:
        socket.transport.abort()
    else:
        await socket.close()
    await eventually(lambda: backends.audio_features.open_streams == 0)
    async with asyncio.timeout(5):
        while await gateway.metric("chladni_live_streams"):
            await asyncio.sleep(0.01)


async def test_a_client_that_sends_too_fast_waits(backends, gateway):
    backends.audio_features.may_go_on.clear()
    sent = []

    async def send_forever(socket):
        while True:
            await socket.send(bytes(MAX_MESSAGE_BYTES))
            sent.append(MAX_MESSAGE_BYTES)

    async with open_live(gateway) as socket:
        await begin(socket)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(send_forever(socket), timeout=1)
        assert sum(sent) < 20 * 2**20, "what is not read stays with the sender"
        backends.audio_features.may_go_on.set()
        socket.transport.abort()


async def test_a_client_that_reads_nothing_does_not_stay_for_ever(backends, open_gateway_with, monkeypatch):
    monkeypatch.setattr("chladni_gateway.rest.routes.live._ENDING_SECONDS", 0.3)
    backends.audio_features.may_go_on.clear()
    async with open_gateway_with(max_live_seconds=0.1) as gateway, open_live(gateway) as socket:
        await begin(socket)
        await socket.send(b"\0\0")
        message, code = await receive_end(socket)
        assert code in {1008, 1011}
        assert message["error"]["code"] in {"AUDIO_TOO_LONG", "DEADLINE_EXCEEDED"}
    backends.audio_features.may_go_on.set()


async def test_pages_of_other_origins_may_not_listen(gateway, error_of):
    port = gateway.settings.http_port
    for origin in (
        "https://evil.example",
        f"http://127.0.0.1:{port}.evil.example",
        "null",
        "http://127.0.0.1",
    ):
        with pytest.raises(InvalidStatus) as caught:
            await open_live(gateway, origin=origin)
        response = caught.value.response
        assert response.status_code == 403
        assert json.loads(response.body)["error"]["code"] == "FORBIDDEN_ORIGIN"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    async with open_live(gateway, origin=f"http://127.0.0.1:{port}") as socket:
        assert (await begin(socket))["type"] == "ready"


async def test_configured_origins_may(open_gateway_with):
    async with (
        open_gateway_with(cors_origins=("https://friend.example",)) as gateway,
        open_live(gateway, origin="https://friend.example") as socket,
    ):
        assert (await begin(socket))["type"] == "ready"


async def test_live_streams_are_limited(open_gateway_with):
    async with open_gateway_with(max_live_streams=3, max_live_streams_per_client=2) as gateway:
        cookies = [{"Cookie": f"chladni_session={gateway.draw_token()}"} for _ in range(2)]
        async with (
            open_live(gateway, additional_headers=cookies[0]) as first,
            open_live(gateway, additional_headers=cookies[0]),
            open_live(gateway, additional_headers=cookies[1]),
        ):
            for headers in cookies:
                with pytest.raises(InvalidStatus) as caught:
                    await open_live(gateway, additional_headers=headers)
                response = caught.value.response
                assert response.status_code == 429
                assert int(response.headers["Retry-After"]) >= 1
                assert json.loads(response.body)["error"]["code"] == "QUEUE_FULL"
            await first.close()
            async with asyncio.timeout(5):
                while await gateway.metric("chladni_live_streams") == 3:
                    await asyncio.sleep(0.01)
            async with open_live(gateway, additional_headers=cookies[1]) as socket:
                assert (await begin(socket))["type"] == "ready"


async def test_other_addresses_take_no_websockets(gateway):
    with pytest.raises(InvalidStatus):
        await connect(f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/info", proxy=None)


def open_images(gateway):
    return connect(f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live/images", proxy=None)


async def test_sound_moves_images(backends, gateway):
    opening = {"sample_rate_hz": 48000, "width_pixels": 64, "height_pixels": 48, "seed": 7}
    async with open_images(gateway) as socket:
        await socket.send(json.dumps(opening))
        assert await receive(socket) == {
            "type": "ready",
            "seed": 7,
            "window_seconds": 4.0,
            "width_pixels": 64,
            "height_pixels": 48,
            "max_pcm_bytes": 65536,
        }
        for number in range(3):
            await socket.send(bytes(4800))
            message, content = await receive(socket), await socket.recv()
            assert (message["type"], message["index"]) == ("image", number)
            assert message["time_seconds"] == 0.25 * (number + 1)
            assert message["size_bytes"] == len(content)
            assert content.startswith(b"\x89PNG")
        await socket.send(END)
        _, code = await receive_end(socket)
    assert code == 1000
    config = backends.image_generation.stream_configs[-1].frames
    assert (config.width_pixels, config.height_pixels, config.seed) == (64, 48, 7)
    assert [segment.number for segment in backends.image_generation.segments] == [0, 1, 2]


@pytest.mark.parametrize(
    "opening",
    [
        "",
        "[]",
        '{"sample_rate_hz": 8000}',
        '{"sample_rate_hz": 48000, "look": 3}',
        '{"sample_rate_hz": 48000, "x": 1}',
    ],
)
async def test_wrong_openings_of_images_are_refused(backends, gateway, opening):
    async with open_images(gateway) as socket:
        await socket.send(opening)
        message, code = await receive_end(socket)
    assert (message["type"], code) == ("error", 1008)


@pytest.mark.parametrize("service", ["audio_features", "image_generation"])
async def test_a_service_that_fails_ends_the_images_with_its_error(backends, gateway, service):
    getattr(backends, service).error = UnavailableError(Reason.DRAINING, "not now")
    async with open_images(gateway) as socket:
        await socket.send(json.dumps({"sample_rate_hz": 48000}))
        message, code = await receive_end(socket)
    assert (message["type"], code) == ("error", 1013)


async def test_who_leaves_ends_both_streams(backends, gateway):
    async with open_images(gateway) as socket:
        await socket.send(json.dumps({"sample_rate_hz": 48000}))
        await receive(socket)
        await socket.send(bytes(4800))
        await receive(socket)
        assert backends.image_generation.running == 1
    async with asyncio.timeout(20):
        while backends.audio_features.open_streams or backends.image_generation.running:
            await asyncio.sleep(0.02)

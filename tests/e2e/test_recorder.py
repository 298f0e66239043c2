"""Recording with the microphone, which is Chromium's own: it hears a tone."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile
from playwright.async_api import expect

from chladni_contract.errors import Reason, UnavailableError

LIT_PIXELS = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, index) => index % 4 === 0 && value > 60).length;
}"""
SLOW_MICROPHONE = """() => {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
        const stream = await open(wanted);
        await new Promise((resolve) => setTimeout(resolve, 400));
        window.streams.push(stream);
        return stream;
    };
}"""
LIVE_MICROPHONES = """() => {
    const isLive = (stream) => stream.getTracks().some((track) => track.readyState === "live");
    return window.streams.filter(isLive).length;
}"""
SECOND = re.compile(r"^0:0[1-9] of 0:30$")


@pytest.fixture
def listen(visit, address, backends):
    """Opens the page for a visitor whose microphone may be used."""

    def opener(at=address, **options):
        return visit(at, permissions=["microphone"], **options)

    return opener


def strongest_hz(content):
    samples, rate_hz = soundfile.read(io.BytesIO(content))
    assert samples.ndim == 1
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return np.fft.rfftfreq(len(samples), 1 / rate_hz)[np.argmax(spectrum)]


async def test_a_sound_is_recorded_seen_measured_heard_and_drawn(listen, backends, eventually):
    async with listen() as page:
        await page.get_by_role("button", name="Record a sound").click()
        recorder = page.get_by_role("region", name="Recording", exact=True)
        await expect(recorder).to_be_visible()
        await expect(page.locator("#recorder-source")).to_have_text("Heard by the server, as images are.")
        await eventually(lambda: backends.audio_features.open_streams == 1)
        meter = page.get_by_role("meter", name="Level")
        await expect(meter).to_have_attribute("aria-valuetext", "-20 decibels")
        spectrum = page.locator("#spectrum")
        await eventually(lambda: spectrum.evaluate(LIT_PIXELS))
        await expect(page.locator("#recorder-time")).to_have_text(SECOND)
        await page.get_by_role("button", name="Stop").click()

        await expect(page.locator("#recorder-title")).to_have_text("Listen to it, then use it")
        await expect(page.locator("#recorder-heard")).not_to_have_text("")
        await eventually(lambda: backends.audio_features.open_streams == 0)
        await expect(page.locator("#take .player__spectrogram")).to_be_visible()
        await page.get_by_role("button", name=re.compile("^Play recording")).click()
        await expect(page.get_by_role("button", name=re.compile("^Pause recording"))).to_be_visible()

        await page.get_by_role("button", name="Use this recording").click()
        await expect(page.locator(".image-card")).to_have_count(1)
        await expect(page.locator(".image-card__name")).to_have_text(
            re.compile(r"^recording \d\d\.\d\d\.\d\d\.wav$")
        )
        await expect(page.locator("#recorder")).to_be_hidden()
        await expect(page.get_by_role("button", name="Record a sound")).to_be_visible()
    [request] = backends.audio_features.requests
    assert strongest_hz(request.audio.content) == pytest.approx(440, abs=5)


async def test_the_sound_moves_an_image_while_it_lasts(listen, backends, eventually):
    sockets = []

    def join(socket):
        socket.connect_to_server()
        sockets.append(socket)

    async with listen(reduced_motion="no-preference") as page:
        await page.route_web_socket(re.compile("/live/images$"), join)
        await page.reload()
        moving, title = page.locator("#moving"), page.locator("#recorder-title")
        await page.get_by_role("button", name="Record a sound").click()
        await expect(moving).to_be_visible()
        await expect(page.locator(".invitation__plaque")).to_have_css("opacity", "0")
        await sockets[0].close()
        await expect(moving).to_be_hidden()
        await expect(title).to_have_text("Recording")
        await page.get_by_role("button", name="Stop").click()

        await page.get_by_role("button", name="Record again").click()
        await expect(moving).to_be_visible()
        await page.get_by_role("button", name="Stop").click()
        await expect(moving).to_be_hidden()
        await eventually(lambda: backends.image_generation.running == 0)
        assert len(sockets) == 2


async def test_a_file_that_is_played_moves_an_image_and_can_be_drawn(
    visit, address, backends, clip, eventually
):
    async with visit(address, reduced_motion="no-preference") as page:
        await page.get_by_role(
            "heading", name="Sound moves sand"
        ).click()  # Browsers play nothing before somebody has touched the page.
        await page.set_input_files("#play-file", clip("song.wav", seconds=3))
        title = page.locator("#recorder-title")
        await expect(title).to_have_text("Playing song.wav")
        await expect(page.locator("#moving")).to_be_visible()
        await eventually(lambda: page.locator("#spectrum").evaluate(LIT_PIXELS))
        await expect(page.locator("#recorder-time")).to_have_text(re.compile("^0:0[1-3] of 0:03$"))
        await expect(title).to_have_text("Draw it, or play it again")
        await expect(page.locator("#moving")).to_be_hidden()
        await eventually(lambda: backends.audio_features.open_streams == 0)
        await page.get_by_role("button", name="Play again").click()
        await expect(title).to_have_text("Playing song.wav")
        await page.get_by_role("button", name="Stop").click()
        await page.get_by_role("button", name="Use this recording").click()
        await expect(page.locator(".image-card__name")).to_have_text("song.wav")
        await page.set_input_files("#play-file", clip("notes.txt") | {"buffer": b"no sound"})
        await expect(page.locator(".toast")).to_contain_text("not a recording in a known format")
        await expect(page.locator("#record")).to_be_visible()


async def test_without_the_server_the_browser_listens_itself_and_a_take_may_be_discarded(
    listen, backends, eventually
):
    backends.audio_features.error = UnavailableError(Reason.MODEL_NOT_READY, "The model is loading.")
    # The player asks for the take's spectrogram, and the refusal may arrive before the take is discarded.
    async with listen(complaints="status of 503") as page:
        await page.get_by_role("button", name="Record a sound").click()
        await expect(page.locator("#recorder-source")).to_have_text("Heard by this browser.")
        await eventually(lambda: page.locator("#spectrum").evaluate(LIT_PIXELS))
        await expect(page.locator("#level")).to_have_attribute(
            "aria-valuetext", re.compile(r"^-[12]\d decibels$")
        )
        await expect(page.locator("#recorder-time")).to_have_text(SECOND)
        await page.get_by_role("button", name="Stop").click()
        await expect(page.get_by_role("button", name="Use this recording")).to_be_focused()
        await page.get_by_role("button", name="Record again").click()
        await expect(page.locator("#recorder-title")).to_have_text("Recording")
        await page.get_by_role("button", name="Discard").click()
        await expect(page.locator("#recorder")).to_be_hidden()
        await expect(page.get_by_role("button", name="Record a sound")).to_be_focused()
    assert backends.audio_features.requests == []


async def test_recording_ends_by_itself_at_the_longest_length(listen, own_gateway, backends):
    gateway = await own_gateway(max_audio_seconds=1)
    async with listen(gateway.address) as page:
        await page.get_by_role("button", name="Record a sound").click()
        await page.get_by_role("button", name="Use this recording").click()
        await expect(page.locator(".image-card")).to_have_count(1)
    [request] = backends.audio_features.requests
    assert 0.8 < soundfile.info(io.BytesIO(request.audio.content)).duration <= 1


async def test_a_forbidden_microphone_is_told_with_what_to_do(page):
    await page.get_by_role("button", name="Record a sound").click()
    await expect(page.locator(".toast")).to_contain_text("Allow it beside the address, then try again.")
    await expect(page.locator("#recorder")).to_be_hidden()
    await expect(page.get_by_role("button", name="Record a sound")).to_be_focused()


async def test_a_microphone_that_is_allowed_too_late_is_closed(listen, eventually):
    # What is discarded at once closes its connection to the server before it is there.
    async with listen(complaints="WebSocket is closed before the connection is established") as page:
        await page.evaluate(SLOW_MICROPHONE)
        for _ in range(2):
            await page.get_by_role("button", name="Record a sound").click()
            await page.get_by_role("button", name="Discard").click()
        await page.get_by_role("button", name="Record a sound").click()
        await expect(page.locator("#recorder-title")).to_have_text("Recording")
        await eventually(
            lambda: page.evaluate(f"({LIVE_MICROPHONES})() === 1 && window.streams.length === 3")
        )
        await page.get_by_role("button", name="Discard").click()
        await eventually(lambda: page.evaluate(f"({LIVE_MICROPHONES})() === 0"))

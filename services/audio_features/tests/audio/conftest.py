"""Four notes, and files of any format that hold them."""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest

SECONDS = 2.4
NOTES_HZ = (220.0, 330.0, 440.0, 550.0)


def notes(rate_hz=16000, seconds=SECONDS):
    """Four notes, one after the other, (n,) float32."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    frequencies = np.take(NOTES_HZ, np.minimum((times / seconds * 4).astype(int), 3))
    return (0.5 * np.sin(2 * np.pi * frequencies * times)).astype(np.float32)


@pytest.fixture(name="notes", scope="session")
def notes_fixture():
    return notes


def encode(samples, rate_hz, file_format, codec, *, options=None, streams=1, bit_rate=None):
    """Return samples, (n,) or (n, channels), as a file by FFmpeg."""
    channels = np.atleast_2d(samples.T)
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(channels)]
    output = io.BytesIO()
    with av.open(output, "w", format=file_format, options=options or {}) as container:
        added = [container.add_stream(codec, rate=rate_hz, layout=layout) for _ in range(streams)]
        for stream in added:
            if bit_rate:
                stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
            frame.sample_rate = rate_hz
            frame.pts, frame.time_base = 0, Fraction(1, rate_hz)
            for packet in (*stream.encode(frame), *stream.encode(None)):
                if packet.size:  # FLAC's last one has none
                    container.mux(packet)
    return output.getvalue()


@pytest.fixture(name="encode", scope="session")
def encode_fixture():
    return encode

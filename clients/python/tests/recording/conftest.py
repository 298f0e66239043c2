"""Tones to record, and what became of them."""

from __future__ import annotations

import math
import wave

import pytest

RATE_HZ = 8000


def tone(seconds, amplitude=16384):
    return [round(amplitude * math.sin(0.1 * math.pi * index)) for index in range(int(RATE_HZ * seconds))]


@pytest.fixture(name="tone", scope="session")
def tone_fixture():
    return tone


def samples_of(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE_HZ, 1, 2)
        content = file.readframes(file.getnframes())
    return [int.from_bytes(content[at : at + 2], "little", signed=True) for at in range(0, len(content), 2)]


@pytest.fixture(name="samples_of", scope="session")
def samples_of_fixture():
    return samples_of

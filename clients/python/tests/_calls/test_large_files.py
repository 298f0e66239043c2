"""Files that are sent in pieces because a part of them is chosen."""

from __future__ import annotations

import pytest

from chladni_client import files
from chladni_client.errors import InvalidInputError

CONTENT = bytes(range(256)) * 3_000


@pytest.fixture
def recording(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGE_FILE_BYTES", len(CONTENT) - 1)
    monkeypatch.setattr(files, "MAX_UPLOAD_BYTES", len(CONTENT) - 1)
    path = tmp_path / "talk.wav"
    path.write_bytes(CONTENT)
    return path


async def test_a_part_of_a_large_file_travels_in_pieces(async_client, script, recording):
    await async_client.create_image(recording, start_seconds=61.25, end_seconds=90)
    assert script.uploaded == CONTENT
    audio = script.requests[-1].audio
    assert (audio.display_name, audio.WhichOneof("source")) == ("talk.wav", None)
    assert (audio.start.ToMilliseconds(), audio.end.ToMilliseconds()) == (61_250, 90_000)


async def test_a_whole_large_file_is_refused_with_what_to_do(async_client, recording):
    with pytest.raises(InvalidInputError, match=r"choose a part .* start_seconds"):
        await async_client.create_image(recording)


async def test_a_file_that_is_not_large_is_sent_at_once(async_client, script, recording, monkeypatch):
    monkeypatch.setattr(files, "LARGE_FILE_BYTES", len(CONTENT))
    monkeypatch.setattr(files, "MAX_UPLOAD_BYTES", len(CONTENT))
    await async_client.create_image(recording, start_seconds=1)
    assert script.requests[-1].audio.content == CONTENT

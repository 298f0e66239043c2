"""Files of films, read back by FFmpeg's libraries."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from chladni_contract.errors import InvalidInputError
from chladni_gateway.film import encoding

RATE = 12


@pytest.fixture
def song(tmp_path):
    times = np.arange(2 * 44100) / 44100
    samples = np.stack([0.5 * np.sin(2 * np.pi * 440 * times), 0.25 * np.sin(2 * np.pi * 220 * times)], 1)
    path = tmp_path / "song.flac"
    soundfile.write(path, samples, 44100)
    return path


def write_segments(folder, counts, size=(64, 48)):
    paths, value = [], 0
    for number, count in enumerate(counts):
        path = folder / f"{number}.mp4"
        writer = encoding.SegmentWriter(
            path, width_pixels=size[0], height_pixels=size[1], frames_per_second=RATE
        )
        for _ in range(count):
            writer.write(np.full((size[1], size[0], 3), 40 + 5 * value, np.uint8))
            value += 1
        assert not path.exists()
        writer.close()
        paths.append(path)
    return paths


def test_segments_and_sound_become_one_file_with_exact_times(tmp_path, song):
    audio_path, target = tmp_path / "sound.m4a", tmp_path / "film.mp4"
    encoding.extract_audio(song, audio_path, 2.0)
    encoding.join(
        write_segments(tmp_path, (10, 10, 4)),
        audio_path,
        target,
        frames_per_second=RATE,
        metadata={"title": "A song", "comment": "Chladni: seed 7"},
    )
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(target)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (audio.codec_context.name, audio.rate, audio.channels) == ("aac", 48000, 2)
        assert film.metadata["title"] == "A song"
        frames = list(film.decode(video))
        assert [Fraction(frame.pts * frame.time_base) for frame in frames] == [
            Fraction(number, RATE) for number in range(24)
        ]
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in frames]
        assert np.abs(np.array(levels) - (40 + 5 * np.arange(24))).max() < 3
    with av.open(str(target)) as film:
        heard = sum(frame.samples for frame in film.decode(audio=0))
        assert heard == pytest.approx(2 * 48000, abs=2048)


def test_the_end_of_a_loops_sound_leads_to_its_beginning(tmp_path, song):
    audio_path = tmp_path / "sound.m4a"
    encoding.extract_loop_audio(song, audio_path, 0.5, 1.0)
    with av.open(str(audio_path)) as heard:
        samples = np.concatenate([frame.to_ndarray() for frame in heard.decode(audio=0)], axis=1)
    assert samples.shape[1] == pytest.approx(48000, abs=1024)
    assert np.sqrt(np.square(samples[0]).mean()) == pytest.approx(0.35, abs=0.03)


def test_a_segment_that_is_given_up_leaves_nothing(tmp_path):
    writer = encoding.SegmentWriter(
        tmp_path / "0.mp4", width_pixels=64, height_pixels=48, frames_per_second=RATE
    )
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_what_holds_no_sound_is_an_error_of_the_caller(tmp_path):
    path = tmp_path / "song"
    path.write_bytes(b"no song" * 100)
    with pytest.raises(InvalidInputError):
        encoding.extract_audio(path, tmp_path / "sound.m4a", 1.0)
    assert not (tmp_path / "sound.m4a").exists()


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile 'song.flac'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsong.flac\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_song_that_names_other_files_is_refused(tmp_path, song, playlist):
    (tmp_path / "upload").write_text(playlist)
    with pytest.raises(InvalidInputError):
        encoding.extract_audio(tmp_path / "upload", tmp_path / "sound.m4a", 2.0)

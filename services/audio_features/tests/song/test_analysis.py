from __future__ import annotations

import numpy as np
import pytest
import soundfile

from chladni_audio_features.audio.errors import AudioTooLongError, AudioTooShortError
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.composition import load_extractor
from chladni_audio_features.song.analysis import analyse_song
from chladni_contract.descriptor_space import TEMPORAL_FEATURES
from chladni_contract.errors import ChladniError
from chladni_runtime.execution.cancellation import CancellationToken

RATE = 16000


@pytest.fixture(scope="module")
def extractor():
    return load_extractor(DecodingLimits())


def write_song(path, seconds, quiet_from=None):
    times = np.arange(round(seconds * RATE)) / RATE
    samples = 0.4 * np.sin(2 * np.pi * 220 * times) * (1 + np.sin(2 * np.pi * 2 * times)) / 2
    if quiet_from is not None:
        samples[times >= quiet_from] *= 0.05
    soundfile.write(path, samples, RATE)
    return path


def analysed(extractor, path, **how):
    return analyse_song(extractor, path, token=CancellationToken(), with_music=False, **how)


def test_the_course_of_a_song_longer_than_a_part_lies_on_one_grid(extractor, tmp_path):
    song = write_song(tmp_path / "song.wav", 28.0, quiet_from=14.0)
    shares = []
    found = analysed(extractor, song, report=shares.append)
    assert found.source.duration_seconds == pytest.approx(28.0, abs=1e-3)
    assert found.course.shape == (56, 8)
    assert found.descriptors.shape == (7, 24)
    level = found.course[:, TEMPORAL_FEATURES.index("level")]
    assert level[:27].min() > level[29:].max() + 0.4
    assert found.course.min() >= 0
    assert found.course.max() <= 1
    assert shares == sorted(shares)


def test_an_analysis_is_the_same_again(extractor, tmp_path):
    song = write_song(tmp_path / "song.wav", 5.0)
    first, second = (analysed(extractor, song) for _ in range(2))
    assert np.array_equal(first.course, second.course)
    assert np.array_equal(first.descriptors, second.descriptors)


@pytest.mark.parametrize(("seconds", "error"), [(1.0, AudioTooShortError), (8.0, AudioTooLongError)])
def test_songs_have_limits(extractor, tmp_path, seconds, error):
    song = write_song(tmp_path / "song.wav", seconds)
    with pytest.raises(error):
        analysed(extractor, song, max_seconds=6.0)


def test_a_cancelled_analysis_stops(extractor, tmp_path):
    song = write_song(tmp_path / "song.wav", 5.0)
    token = CancellationToken()
    token.cancel()
    with pytest.raises(ChladniError):
        analyse_song(extractor, song, token=token)


def test_what_ends_right_after_a_part_belongs_to_the_song(extractor, tmp_path, monkeypatch):
    monkeypatch.setattr("chladni_audio_features.song.analysis._PART_SECONDS", 4.0)
    song = write_song(tmp_path / "song.wav", 8.1)
    assert analysed(extractor, song).source.duration_seconds == pytest.approx(8.1, abs=1e-3)

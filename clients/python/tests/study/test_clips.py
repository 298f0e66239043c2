"""The clips of a study."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from chladni_client import InvalidInputError
from chladni_client.study.clips import ClipSource, in_shard


def test_a_folder_gives_its_audio_files_in_order(tmp_path):
    for name in ("b.wav", "a/c.ogg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    clips = ClipSource(tmp_path)
    assert [(clips[n].sample_id, clips[n].name) for n in range(len(clips))] == [
        ("sample_000", "a/c.ogg"),
        ("sample_001", "b.wav"),
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, ">i2", ">f4"])
def test_an_array_gives_its_rows(tmp_path, dtype):
    np.save(tmp_path / "clips.npy", np.arange(12, dtype=dtype).reshape(3, 4))
    clips = ClipSource(tmp_path / "clips.npy")
    assert len(clips) == 3
    assert (clips[2].name, clips[2].sample_rate_hz) == ("clips.npy[2]", 16000)
    assert np.asarray(clips[2].audio).tolist() == [8, 9, 10, 11]
    with pytest.raises(IndexError):
        clips[3]


def test_pickled_arrays_are_refused_with_how_to_convert_them(tmp_path):
    np.save(tmp_path / "labels.npy", np.array([{"audio": [0.0]}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidInputError, match=r"allow_pickle=True.*np\.save\('OUT\.npy'"):
        ClipSource(tmp_path / "labels.npy")


@pytest.mark.parametrize("array", [np.zeros((2, 2, 2), np.float32), np.zeros(3, np.int64), np.zeros((0, 4))])
def test_other_arrays_are_refused(tmp_path, array):
    np.save(tmp_path / "clips.npy", array)
    with pytest.raises(InvalidInputError):
        ClipSource(tmp_path / "clips.npy")


@pytest.mark.parametrize("content", [b"", b"\x93NUM", b"PK\x03\x04 an archive of arrays", b"\x93NUMPY"])
def test_files_that_are_no_arrays_are_refused(tmp_path, content):
    (tmp_path / "clips.npy").write_bytes(content)
    with pytest.raises(InvalidInputError, match="is no NumPy file"):
        ClipSource(tmp_path / "clips.npy")


def test_a_folder_may_hold_one_array_instead_of_audio(tmp_path):
    np.save(tmp_path / "clips.npy", np.zeros((2, 4), np.float32))
    assert ClipSource(tmp_path)[1].name == "clips.npy[1]"
    np.save(tmp_path / "others.npy", np.zeros((2, 4), np.float32))
    with pytest.raises(InvalidInputError, match="holds no file with a suffix of audio"):
        ClipSource(tmp_path)


def test_shards_share_all_clips():
    shards = [in_shard(range(10), index, 3) for index in range(3)]
    assert sorted(chain.from_iterable(shards)) == list(range(10))
    with pytest.raises(ValueError, match="shard 3"):
        in_shard(range(10), 3, 3)

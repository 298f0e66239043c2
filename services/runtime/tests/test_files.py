"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
import time

import pytest

from chladni_runtime.files import (
    TEMPORARY_SUFFIX,
    remove_abandoned,
    whole_file,
    write_temporary,
    write_whole,
)


def test_a_file_takes_the_place_of_the_one_before_it(tmp_path):
    path = tmp_path / "kept.json"
    for content in (b"old", b"new"):
        write_whole(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_nobody_sees_a_part(tmp_path):
    path = tmp_path / "kept"
    write_whole(path, b"old")
    with whole_file(path) as file:
        file.write(b"ne")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"w")
    assert path.read_bytes() == b"new"


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "kept"
    write_whole(path, b"old")

    def fail():
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_whole, lambda path, content: write_temporary(path.parent, content)])
def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch, write):
    def fsync(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "kept", b"content")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_after_an_hour(tmp_path):
    left, unfinished = (write_temporary(tmp_path, b"part") for _ in range(2))
    os.utime(left, (time.time() - 3601,) * 2)
    write_whole(tmp_path / "kept", b"whole")
    foreign = tmp_path / ".notes.tmp"
    foreign.touch()
    for path in (tmp_path / "kept", foreign):
        os.utime(path, (0, 0))
    remove_abandoned(tmp_path)
    assert set(tmp_path.iterdir()) == {unfinished, tmp_path / "kept", foreign}
    remove_abandoned(tmp_path / "not there")


def test_a_file_is_its_users_alone_unless_the_caller_says_otherwise(tmp_path):
    written = write_temporary(tmp_path, b"secret")
    assert (written.parent, written.suffix, written.read_bytes()) == (tmp_path, TEMPORARY_SUFFIX, b"secret")
    with whole_file(tmp_path / "for-all", mode=0o644) as file:
        file.write(b"open")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (written, tmp_path / "for-all")]
    assert modes == [0o600, 0o644 & ~current_umask()]


def current_umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask

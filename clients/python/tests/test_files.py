"""Files that come in and results that go out."""

from __future__ import annotations

import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chladni_client.files import is_image_id, read_upload, write_atomically


@given(st.uuids())
def test_identifiers_are_uuids_in_their_usual_form(uuid):
    assert is_image_id(str(uuid))
    assert is_image_id(str(uuid).upper())
    assert not is_image_id(uuid.hex)
    assert not is_image_id(f"{{{uuid}}}")
    assert not is_image_id(f"{uuid}.png")


@given(st.text())
def test_other_texts_are_none(text):
    assert is_image_id(text) is (len(text) == 36 and text.count("-") == 4 and is_image_id(text))


def test_a_replaced_file_keeps_no_trace(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"old")
    assert write_atomically(str(path), b"new") == path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_get_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    written = write_atomically(tmp_path / "image.png", b"new")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE((tmp_path / "usual").stat().st_mode)


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_atomically(tmp_path / "link.png", b"new")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "real.png").read_bytes() == b"new"


def test_a_pipe_is_written_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"through")
    reader.join(10)
    assert received == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_folder_cannot_be_written(tmp_path):
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, b"new")
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "image.png", b"new")
    assert list(tmp_path.iterdir()) == []


def test_names_of_any_length_and_kind_are_shortened(tmp_path):
    path = tmp_path / ("a" * 240 + ".wav")
    path.write_bytes(b"1")
    assert read_upload(path).display_name == path.name
    assert read_upload(os.fspath(path)).display_name == path.name
    with open(os.open(path, os.O_RDONLY), "rb") as file:  # noqa: PTH123 - a file without a name
        assert read_upload(file).display_name == ""


def test_a_name_that_is_no_utf8_is_shown_as_far_as_it_is(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(b"RIFF")
    upload = read_upload(path)
    assert (upload.content, upload.display_name) == (b"RIFF", "caf\N{REPLACEMENT CHARACTER}.wav")

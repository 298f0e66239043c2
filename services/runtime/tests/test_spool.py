"""Large files that wait on disk."""

from __future__ import annotations

import fcntl
import os
import shutil
from contextlib import suppress
from types import SimpleNamespace

import pytest

from chladni_contract.errors import ChladniError, QueueFullError
from chladni_runtime.spool import Spool, SpoolLimits


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


async def test_a_file_is_there_while_it_is_held(tmp_path):
    spool = Spool(SpoolLimits(max_files=1), folder=tmp_path)
    with suppress(RuntimeError):
        async with spool.hold(field="file") as file:
            await file.write(b"RI")
            await file.write(b"FF")
            assert [piece async for piece in file.pieces()] == [b"RIFF"]
            assert file.path.read_bytes() == b"RIFF"
            with pytest.raises(QueueFullError):
                await spool.hold(field="file").__aenter__()
            raise RuntimeError
    assert names_in(tmp_path) == []
    async with spool.hold(field="file"):
        pass


async def test_files_of_killed_processes_are_removed_and_those_of_living_ones_stay(tmp_path):
    for name in ("chladni-upload-left", "chladni-upload-held", "chladni-upload-new", "other"):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, None if name.endswith("new") else (0, 0))
    with (tmp_path / "chladni-upload-held").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        async with Spool(SpoolLimits(), folder=tmp_path).hold(field="file") as file:
            os.utime(file.path, (0, 0))
            async with Spool(SpoolLimits(), folder=tmp_path).hold(field="file"):
                assert file.path.exists()
    assert names_in(tmp_path) == ["chladni-upload-held", "chladni-upload-new", "other"]


async def test_room_is_kept_for_all_files_that_are_arriving(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes))
    spool = Spool(SpoolLimits(max_bytes=100, min_free_bytes=50), folder=tmp_path)
    free_bytes = 249
    async with spool.hold(field="file") as file:
        with pytest.raises(ChladniError, match="249 bytes are free"):
            await spool.hold(field="file").__aenter__()
        await file.write(b"x" * 60)
        await file.flush()
        free_bytes = 249 - 60
        with pytest.raises(ChladniError, match="189 bytes are free"):
            await spool.hold(field="file").__aenter__()
        free_bytes = 190
        async with spool.hold(field="file"):
            pass

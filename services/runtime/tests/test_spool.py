from __future__ import annotations

import pytest

from chladni_runtime.spool import Spool, SpoolLimits

LIMITS = SpoolLimits(max_bytes=1024, min_free_bytes=0)


async def test_files_of_a_process_that_was_killed_are_removed_and_others_are_not(tmp_path):
    (tmp_path / "chladni-upload-abandoned").write_bytes(b"x")
    (tmp_path / "of-another-program").touch()
    (tmp_path / "chladni-upload-link").symlink_to(tmp_path / "of-another-program")
    async with Spool(LIMITS, folder=tmp_path).hold(field="file") as first:
        assert not (tmp_path / "chladni-upload-abandoned").exists()
        async with Spool(LIMITS, folder=tmp_path).hold(field="file") as second:
            await second.write(b"abc")
            await second.flush()
            assert second.path.read_bytes() == b"abc"
        assert first.path.exists()
        assert not second.path.exists()
    assert (tmp_path / "of-another-program").exists()


@pytest.mark.parametrize("count", [1, 2])
async def test_each_file_is_gone_when_it_is_not_held(tmp_path, count):
    spool = Spool(LIMITS, folder=tmp_path)
    for _ in range(count):
        async with spool.hold(field="file") as file:
            assert list(tmp_path.iterdir()) == [file.path]
    assert list(tmp_path.iterdir()) == []

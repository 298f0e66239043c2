"""Files that are read again when they change, and of which a broken version changes nothing."""

from __future__ import annotations

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from chladni_runtime.security.watched_files import FileError, Outcome, WatchedFiles, watching


def parse(contents):
    text = contents["list"].decode()
    if "unforeseen" in text:
        raise RuntimeError("a fault of the parser")
    if "broken" in text:
        raise FileError("list", "It is broken. Give another one.")
    return text


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "list"
    path.write_text("first")
    return path


@pytest.fixture
def watched(path):
    return WatchedFiles("the list", {"list": path}, parse)


def test_a_new_version_replaces_the_last_one(watched, path):
    assert watched.state == (1, "first")
    assert watched.refresh() is Outcome.UNCHANGED
    path.write_text("other")
    assert watched.refresh() is Outcome.LOADED
    assert watched.state == (2, "other")


@pytest.mark.parametrize("damage", [lambda path: path.write_text("broken"), lambda path: path.unlink()])
def test_a_broken_version_leaves_the_last_one_and_says_so(watched, path, damage, caplog):
    damage(path)
    assert watched.refresh() is Outcome.REFUSED
    assert watched.state == (1, "first")
    assert "the last one stays in force" in caplog.text
    path.write_text("third")
    assert watched.refresh() is Outcome.LOADED


def test_a_broken_version_is_reported_once(watched, path):
    path.write_text("broken")
    assert watched.refresh() is Outcome.REFUSED
    assert watched.refresh() is Outcome.UNCHANGED
    assert watched.is_refused
    path.write_text("first")
    watched.refresh()
    assert not watched.is_refused


def test_a_file_that_is_gone_is_reported_once(watched, path):
    path.unlink()
    assert watched.refresh() is Outcome.REFUSED
    assert watched.refresh() is Outcome.UNCHANGED
    assert watched.is_refused
    path.write_text("first")
    assert watched.refresh() is Outcome.UNCHANGED
    assert not watched.is_refused
    assert watched.content == "first"


def test_files_that_cannot_be_used_at_the_begin_are_an_error(path, tmp_path):
    with pytest.raises(FileError, match=r"cannot be read \(No such file"):
        WatchedFiles("the list", {"list": tmp_path / "absent"}, parse)
    path.write_text("broken")
    with pytest.raises(FileError, match="It is broken"):
        WatchedFiles("the list", {"list": path}, parse)


async def test_what_comes_of_looking_is_counted(watched, path, caplog):
    caplog.set_level(logging.INFO)
    registry = CollectorRegistry()

    def count(outcome):
        labels = {"files": "the list", "outcome": outcome}
        return registry.get_sample_value("chladni_file_reloads_total", labels)

    async def until(outcome):
        async with asyncio.timeout(5):
            while not count(outcome):
                await asyncio.sleep(0.01)

    async with watching([watched], interval_seconds=0.02, registry=registry):
        assert (count("loaded"), count("refused")) == (0, 0)
        path.write_text("second")
        await until("loaded")
        path.write_text("broken")
        await until("refused")
    assert watched.content == "second"
    assert "the list read again" in caplog.text


async def test_an_unforeseen_fault_does_not_end_the_looks(watched, path, caplog):
    registry = CollectorRegistry()

    def refused():
        return registry.get_sample_value("chladni_files_refused", {"files": "the list"})

    async with watching([watched], interval_seconds=0.02, registry=registry), asyncio.timeout(5):
        assert refused() == 0
        path.write_text("unforeseen")
        while not refused():
            await asyncio.sleep(0.01)
        assert "a fault of the parser" in caplog.text
        path.write_text("second")
        while refused():
            await asyncio.sleep(0.01)
    assert watched.content == "second"

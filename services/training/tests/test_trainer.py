"""A run that was stopped goes on as if it had not been, and says what keeps it from going on."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from chladni_training import files
from chladni_training.checkpoints import load_checkpoint
from chladni_training.errors import CheckpointError, DataError, DivergenceError, StorageError


class Killed(BaseException):
    """The end of a process, as the code in it sees none."""


def on_epoch(epoch):
    torch.manual_seed(0)  # Leaves no trace in what the training draws.
    return {"epoch_squared": epoch**2}


@pytest.fixture(scope="module")
def uninterrupted(toy_run, tmp_path_factory):
    trainer = toy_run.make_trainer(tmp_path_factory.mktemp("uninterrupted"))
    trainer.run(on_epoch)
    return trainer


def cut_after(calls, function):
    """A function that ends the process after so many calls."""
    left = calls

    def cut(*arguments):
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        return function(*arguments)

    return cut


def assert_equal(first, second):
    for one, other in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(first.average.weights, second.average.weights, strict=True):
        assert torch.equal(one, other)
    assert first.log.state == second.log.state


def test_it_learns(uninterrupted):
    losses = [row["loss"] for row in uninterrupted.log.epochs]
    assert losses[-1] < 0.8 * losses[0]
    assert uninterrupted.step == uninterrupted.total_steps == 24
    rates = [row["learning_rate"] for row in uninterrupted.log.steps]
    assert max(rates) <= 0.05
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("steps", [1, 3, 7, 8, 9, 16, 20])
def test_a_run_that_was_cut_ends_as_one_that_was_not(toy_run, tmp_path, uninterrupted, steps):
    with pytest.raises(Killed):
        toy_run.make_trainer(tmp_path, learn=cut_after(steps, toy_run.objective)).run(on_epoch)
    resumed = toy_run.make_trainer(tmp_path)
    # A checkpoint after every third step and after each epoch of eight.
    assert resumed.step == max(step for step in (0, 3, 6, 8, 9, 12, 15, 16, 18) if step <= steps)
    resumed.run(on_epoch)
    assert_equal(resumed, uninterrupted)


def test_so_it_does_when_an_epochs_figures_were_cut(toy_run, tmp_path, uninterrupted):
    with pytest.raises(Killed):
        toy_run.make_trainer(tmp_path).run(cut_after(1, on_epoch))
    resumed = toy_run.make_trainer(tmp_path)
    assert resumed.step == 16
    resumed.run(on_epoch)
    assert_equal(resumed, uninterrupted)


def test_a_finished_run_has_nothing_left_to_do(toy_run, tmp_path, uninterrupted):
    for _ in range(2):
        trainer = toy_run.make_trainer(tmp_path)
        trainer.run(on_epoch)
        assert_equal(trainer, uninterrupted)


def test_a_killed_process_goes_on(toy_run, tmp_path, uninterrupted):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, toy_run.__file__, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "checkpoint.pt").exists() and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    resumed = toy_run.make_trainer(tmp_path)
    assert 0 < resumed.step < resumed.total_steps
    resumed.run(on_epoch)
    assert_equal(resumed, uninterrupted)


def test_figures_are_written_in_three_forms(uninterrupted):
    folder = uninterrupted.checkpoint.parent
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["epoch_squared"]) for row in rows] == [1, 4, 9]
    content = json.loads((folder / "metrics.json").read_text())
    assert content == json.loads(json.dumps(uninterrupted.log.state))
    assert set(content["steps"][0]) == {"step", "loss", "fit", "size", "learning_rate"}
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    written = events.Scalars("epoch/loss")
    assert [event.step for event in written] == [8, 16, 24]
    assert written[-1].value == pytest.approx(content["epochs"][-1]["loss"])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"plan": {"learning_rate": 0.01}}, "learning_rate 0.05, not 0.01"),
        ({"data": "other"}, "data toy, not other"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(toy_run, uninterrupted, change, complaint):
    arguments = {name: value for name, value in change.items() if name != "plan"}
    plan = replace(toy_run.PLAN, **change.get("plan", {}))
    with pytest.raises(CheckpointError, match=complaint):
        toy_run.make_trainer(uninterrupted.checkpoint.parent, plan=plan, **arguments)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_named(toy_run, tmp_path, uninterrupted, content):
    whole = uninterrupted.checkpoint.read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.pt is damaged.*--fresh"):
        toy_run.make_trainer(tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint(toy_run, tmp_path, uninterrupted, monkeypatch):
    with monkeypatch.context() as patch:
        sync, left = os.fsync, 4

        def fsync(descriptor):
            nonlocal left
            if not left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left -= 1
            sync(descriptor)

        patch.setattr(files.os, "fsync", fsync)
        with pytest.raises(StorageError, match=r"disk is full; the one written before is intact\. Free"):
            toy_run.make_trainer(tmp_path).run(on_epoch)
    assert not list(tmp_path.glob("*.partial"))
    resumed = toy_run.make_trainer(tmp_path)
    assert resumed.step == 3
    resumed.run(on_epoch)
    assert_equal(resumed, uninterrupted)


def test_a_device_without_space_is_a_full_disk(tmp_path):
    (tmp_path / "here.partial").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="the disk is full"):
        files.write_whole(tmp_path / "here", b"content")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_checkpoint(toy_run, tmp_path, wrong):
    calls = 0

    def learn(model, batch, generator):
        nonlocal calls
        calls += 1
        return {"fit": toy_run.objective(model, batch, generator)["fit"] * (wrong if calls == 5 else 1)}

    with pytest.raises(DivergenceError, match=r"step 5 diverged: the loss is (nan|inf).*is intact"):
        toy_run.make_trainer(tmp_path, learn=learn).run()
    resumed = toy_run.make_trainer(tmp_path)
    assert resumed.step == 3
    assert all(bool(torch.isfinite(weight).all()) for weight in resumed.model.parameters())


def test_weights_that_are_not_finite_are_not_kept(toy_run, tmp_path):
    def learn(model, batch, generator):
        terms = toy_run.objective(model, batch, generator)
        if calls.append(1) or len(calls) == 5:
            model[0].weight.data.fill_(float("inf"))
        return terms

    calls = []
    with pytest.raises(DivergenceError):
        toy_run.make_trainer(tmp_path, learn=learn).run()
    assert toy_run.make_trainer(tmp_path).step == 3


def test_too_few_rows_are_refused(toy_run, tmp_path):
    with pytest.raises(DataError, match="there are 7 rows, fewer than a batch of 8"):
        toy_run.make_trainer(tmp_path, rows=7)


def test_several_processes_share_each_batch(toy_run, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    command = [*launcher, toy_run.__file__, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=180)
    finished = toy_run.make_trainer(tmp_path)
    assert finished.step == finished.total_steps
    losses = [row["loss"] for row in finished.log.epochs]
    assert losses[-1] < 0.8 * losses[0]
    # The state of each process is kept, for a run that goes on in as many.
    state = load_checkpoint(finished.checkpoint)
    assert len(state["random"]) == 2
    assert not torch.equal(*(states["torch"] for states in state["random"]))

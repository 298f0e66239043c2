"""Studies: their files, and that a killed one ends like one that was not."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import grpc
import numpy as np
import pytest

import chladni_client as chladni
from chladni_client._messages.samples import to_file
from chladni_client.study import records

KEYS_OF_THE_ORIGINAL = {
    "generated_prompts/generation_summary.json": {
        "total_samples",
        "total_prompts",
        "convergent_prompts",
        "divergent_prompts",
    },
    "creativity_scores/creativity_comparison_report.json": {"convergent_metrics", "divergent_metrics"},
    "images/image_generation_summary.json": {
        "total_images_generated",
        "success_rate",
        "image_dimensions",
        "device",
    },
}


@pytest.fixture
def clips(folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    np.save(folder / "clips.npy", np.zeros((3, 160), np.int16))
    return folder


def read(path):
    return json.loads(path.read_text())


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_a_study_has_the_originals_files_and_keys(run, clips):
    result = run("batch", "clips.npy", "out", "--samples", 2, "--limit", 7, "--refiner")
    assert result.exit_code == 0, result.stderr
    for name, keys in KEYS_OF_THE_ORIGINAL.items():
        assert keys <= set(read(clips / "out" / name)), name
    summary = read(clips / "out/generated_prompts/generation_summary.json")
    assert (summary["convergent_prompts"], summary["divergent_prompts"]) == (6, 4)
    assert (summary["total_samples"], summary["total_prompts"]) == (2, 10)
    samples = read(clips / "out/generated_prompts/visual_prompts_complete.json")["samples"]
    assert [sample["sample_id"] for sample in samples] == ["sample_000", "sample_001"]
    assert samples[1]["features"]["key"] == "A minor"
    assert samples[1]["abc_notation"].startswith("X:1")
    flat = read(clips / "out/generated_prompts/prompts_for_image_generation.json")
    assert [item["prompt_index"] for item in flat] == [0, 1, 2, 3, 4] * 2
    scores = clips / "out/creativity_scores"
    assert len(read(scores / "creativity_prompt_scores.json")) == 10
    assert len(read(scores / "creativity_sample_summaries.json")) == 2
    assert read(scores / "creativity_dataset_stats.json")["originality"]["avg"] == 0.5
    report = read(scores / "creativity_comparison_report.json")
    for metrics in (report["convergent_metrics"], report["divergent_metrics"]):
        assert metrics["originality_avg"] == 0.5
        assert {"elaboration_avg", "alignment_avg", "coherence_avg"} <= set(metrics)
    assert (scores / "convergent_vs_divergent.png").read_bytes().startswith(b"\x89PNG")
    images = clips / "out/images"
    assert sorted(path.name for path in images.rglob("*.png")) == [
        *(f"sample_000_prompt_{number:02d}.png" for number in range(5)),
        *(f"sample_001_prompt_{number:02d}.png" for number in range(2)),
    ]
    assert len(read(images / "image_generation_log.json")) == 7
    summary = read(images / "image_generation_summary.json")
    assert (summary["total_images_generated"], summary["success_rate"]) == (7, 100.0)
    assert (summary["device"], summary["image_dimensions"]) == ("cpu", "1x1")


def test_what_is_done_is_not_done_again(run, clips, script):
    assert run("batch", "clips.npy", "out", "--samples", 2).exit_code == 0
    before = files_of(clips / "out")
    count = len(script.requests)
    assert run("batch", "clips.npy", "out", "--samples", 2).exit_code == 0
    assert len(script.requests) == count
    assert files_of(clips / "out") == before
    (clips / "out/images/sample_001/sample_001_prompt_03.png").unlink()
    assert run("batch", "clips.npy", "out", "--samples", 2, "--only", "images").exit_code == 0
    assert len(script.requests) == count + 1
    assert files_of(clips / "out") == before


def test_clips_that_change_are_done_again(run, clips, script):
    assert run("batch", "clips.npy", "out", "--only", "prompts").exit_code == 0
    count = len(script.requests)
    changed = np.zeros((3, 160), np.int16)
    changed[1] = 1  # The file has the same size.
    np.save(clips / "clips.npy", changed)
    assert run("batch", "clips.npy", "out", "--only", "prompts").exit_code == 0
    assert len(script.requests) == count + 2
    changed[2] = 1
    np.save(clips / "clips.npy", changed)
    result = run("batch", "clips.npy", "out", "--only", "images")
    assert result.exit_code == 3
    assert "Clip 2 is not the one" in result.stderr


def test_results_of_other_options_do_not_count(run, clips):
    def images_of(*options):
        for phase in ("prompts", "images"):
            words = ("batch", "clips.npy", "out", "--only", phase, "--samples", 1, *options)
            assert run(*words).exit_code == 0
        log = read(clips / "out/images/image_generation_log.json")
        return [entry["prompt_index"] for entry in log]

    assert run("batch", "clips.npy", "out", "--only", "prompts").exit_code == 0
    assert images_of("--seed", 9, "--limit", 3) == [0, 1, 2]
    summary = read(clips / "out/generated_prompts/generation_summary.json")
    assert summary["total_samples"] == 1
    assert images_of("--seed", 9, "--limit", 2, "--steps", 9) == [0, 1]


def test_a_file_that_could_not_be_read_is_tried_again(run, folder, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    (folder / "clips").mkdir()
    (folder / "clips/1.wav").write_bytes(b"RIFF")
    original, faults = to_file, [OSError(errno.EMFILE, "Too many open files")]

    def failing(*arguments):
        if faults:
            raise faults.pop()
        return original(*arguments)

    monkeypatch.setattr("chladni_client._messages.requests.to_file", failing)
    for failed, total in ((1, 0), (0, 1)):
        assert run("batch", "clips", "out", "--only", "prompts").exit_code == 0
        summary = read(folder / "out/generated_prompts/generation_summary.json")
        assert (len(summary["failed_samples"]), summary["total_samples"]) == (failed, total)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"samples": [{"sample_index": "../../x", "prompts": []}]}',
        b'{"samples": [{"sample_index": 0, "prompts": [{"prompt_index": "/x"}]}]}',
    ],
)
def test_a_file_of_prompts_names_no_other_files(tmp_path, content):
    (tmp_path / "prompts.json").write_bytes(content)
    with pytest.raises(chladni.InvalidInputError, match="no file with all prompts"):
        chladni.BatchCreativityCalculator(tmp_path / "prompts.json", tmp_path)


def test_only_parts_of_files_that_killed_processes_left_are_removed(tmp_path, monkeypatch):
    kept = [".film.mkv.part", ".a.json.1.part", ".a.json.00000000-1.part"]
    monkeypatch.setattr(records, "_is_running", lambda process: process == 7)
    kept.append(f".b.json.{records._HOST}-7.part")
    left = [f".b.json.{records._HOST}-8.part", ".c.json.11111111-1.part"]
    for name in (*kept, *left):
        (tmp_path / name).write_bytes(b"{")
    os.utime(tmp_path / left[1], (0, 0))
    records.remove_partial_files(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_phases_run_apart_and_shards_make_a_whole(run, clips):
    assert run("batch", "clips.npy", "whole").exit_code == 0
    assert run("batch", "clips.npy", "parts", "--only", "images").exit_code == 2
    for phase in ("prompts", "scores", "images"):
        for shard in ("1/2", "0/2"):
            assert run("batch", "clips.npy", "parts", "--only", phase, "--shard", shard).exit_code == 0
    assert files_of(clips / "parts") == files_of(clips / "whole")
    assert run("batch", "clips.npy", "parts", "--shard", "2/2").exit_code == 2


def test_bad_files_are_skipped_and_listed(run, folder, target, monkeypatch, script, rich_error):
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    (folder / "clips").mkdir()
    for name in ("1.wav", "2.wav"):
        (folder / "clips" / name).write_bytes(name.encode())
    script.errors.append(rich_error(grpc.StatusCode.INVALID_ARGUMENT, "CORRUPT_AUDIO"))
    result = run("batch", "clips", "out", "--concurrency", 1)
    assert result.exit_code == 0, result.stderr
    summary = read(folder / "out/generated_prompts/generation_summary.json")
    assert summary["total_samples"] == 1
    (failed,) = summary["failed_samples"]
    assert (failed["source"], failed["error"]["reason"]) == ("1.wav", "CORRUPT_AUDIO")
    assert not (folder / "out/images/sample_000").exists()


PROGRAM = "from chladni_client.cli.app import main; main()"


def test_a_batch_that_is_killed_several_times_ends_like_one_that_is_not(clips, target, script, tmp_path):
    def start(name):
        words = ("batch", "clips.npy", name, "--concurrency", "1")
        environment = os.environ | {"CHLADNI_CLIENT_TARGET": target, "XDG_STATE_HOME": str(tmp_path)}
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            cwd=clips,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    assert start("whole").wait(60) == 0
    needed = len(script.requests)
    assert needed == 3 * 2 + 3 + 15
    script.requests.clear()
    kills = 0
    for stop_after in (2, 8, 14):
        process = start("killed")
        while len(script.requests) < stop_after and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        kills += process.wait(60) == -signal.SIGKILL
    assert start("killed").wait(60) == 0
    assert kills == 3
    assert files_of(clips / "killed") == files_of(clips / "whole")
    # Each kill costs at most the one piece of work that it interrupted, which may have two calls.
    assert len(script.requests) <= needed + 2 * kills
    images = Counter(request.request_id for request in script.requests if hasattr(request, "recipe"))
    assert sum(images.values()) - len(images) <= kills


async def test_the_originals_programs_run(clips, async_client):
    generator = chladni.BatchPromptGenerator(
        dataset_path=clips / "clips.npy", output_dir=clips / "prompts", batch_size=5, client=async_client
    )
    results = await generator.generate_all_prompts([0, 2])
    assert [result["sample_index"] for result in results] == [0, 2]
    generator.save_results()
    generator.save_summary_stats()
    calculator = chladni.BatchCreativityCalculator(
        prompts_file=clips / "prompts/visual_prompts_complete.json",
        output_dir=clips / "scores",
        client=async_client,
    )
    assert len(await calculator.score_all([2])) == 5
    images = chladni.BatchImageGenerator(
        prompts_file=clips / "prompts/visual_prompts_complete.json",
        output_dir=clips / "images",
        dataset_path=clips / "clips.npy",
        image_height=1024,
        image_width=1024,
        num_inference_steps=50,
        use_refiner=True,
        client=async_client,
    )
    assert len(await images.generate_all_images([2])) == 5
    images.save_results()
    assert read(clips / "images/image_generation_summary.json")["total_images_generated"] == 5

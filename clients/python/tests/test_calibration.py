"""`chladni calibrate`: recordings through a server into a calibration, in one pass and in shards."""

import hashlib
import json
import os
import signal
import subprocess
import sys

import grpc
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from chladni_client.calibration.artefact import read_calibration
from chladni_client.calibration.latent_rows import scaled
from chladni_client.calibration.moments import Moments
from chladni_client.calibration.recordings import Shard, find_recordings
from chladni_client.cli.failures import ExitStatus

SHAPE = ("--shape", "1,4,4")
VALUE_COUNT = 16
FILES = ("mean.npy", "std.npy", "moments.npz")


@pytest.fixture
def recordings(folder):
    """A folder of nine recordings in several folders, one that cannot be read, and what is no recording."""
    contents = {}
    for index in range(9):
        suffix = (".wav", ".MP3", ".flac", ".ogg")[index % 4]
        path = folder / "recordings" / ("abc"[index % 3]) / f"{index}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"sound {index}".encode())
        contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    (folder / "recordings" / "b" / "notes.txt").write_text("no sound")
    return dict(sorted(contents.items()))


@pytest.fixture
def run(run, recordings, target, monkeypatch):
    monkeypatch.setenv("CHLADNI_CLIENT_AUDIO_FEATURES_TARGET", target)
    return run


@pytest.fixture
def vectors(recordings, raw_latents_of):
    return np.stack([raw_latents_of(content, VALUE_COUNT) for content in recordings.values()])


def test_mean_and_deviation_are_those_of_the_recordings(run, folder, vectors, script):
    ended = run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == 0, ended.stderr
    mean, deviation = np.load(folder / "voices" / "mean.npy"), np.load(folder / "voices" / "std.npy")
    assert (mean.dtype, mean.shape, deviation.dtype) == (np.float32, (VALUE_COUNT,), np.float32)
    exact = vectors.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(deviation, exact.std(axis=0), rtol=1e-6)
    with np.load(folder / "voices" / "moments.npz") as moments:
        assert (moments["count"].dtype, moments["count"]) == (np.int64, 9)
        np.testing.assert_allclose(moments["mean"], exact.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(moments["m2"], ((exact - exact.mean(axis=0)) ** 2).sum(axis=0), rtol=1e-9)
    assert {tuple(request.initial_latents.shape) for request in script.requests} == {(1, 4, 4)}
    assert all(request.initial_latents.is_unscaled for request in script.requests)


def test_the_manifest_names_every_file_and_the_digest_that_a_server_checks(run, folder):
    ended = run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q", "--basis", "dct")
    manifest = json.loads((folder / "voices" / "manifest.json").read_text())
    hashes = {name: hashlib.sha256((folder / "voices" / name).read_bytes()).hexdigest() for name in FILES}
    digest = hashlib.sha256(
        "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes)).encode()
    ).hexdigest()
    assert manifest["created_by"].startswith("chladni calibrate 0.")
    del manifest["created_by"]
    assert manifest == {
        "format": 1, "name": "voices", "basis": "dct", "value_count": VALUE_COUNT, "recording_count": 9,
        "sha256": hashes, "digest": digest,
    }  # fmt: skip
    first, last = ended.stdout.splitlines()
    assert first == "voices  voices: 16 values (dct) of 9 recordings, 0 skipped"
    assert last == f"CHLADNI_AUDIO_FEATURES_LATENT_CALIBRATIONS={folder / 'voices'}@{digest}"


def test_equal_recordings_give_equal_bytes_however_many_work_at_a_time(run, folder):
    assert run("calibrate", "recordings", "--out", "one", *SHAPE, "-q", "--workers", 1).exit_code == 0
    assert run("calibrate", "recordings", "--out", "two", *SHAPE, "-q", "--workers", 7).exit_code == 0
    for name in FILES:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_shards_merged_in_any_order_are_as_one_pass(run, folder):
    run("calibrate", "recordings", "--out", "whole", *SHAPE, "-q")
    for number in (1, 2, 3):
        ended = run("calibrate", "recordings", "--out", f"s{number}", *SHAPE, "-q", "--shard", f"{number}/3")
        assert "of 3 recordings" in ended.stdout
    assert run("calibrate", "--merge", "s1", "s2", "s3", "--out", "merged").exit_code == 0
    assert run("calibrate", "--merge", "s3", "s1", "s2", "--out", "turned", "--name", "merged").exit_code == 0
    whole, merged = read_calibration(folder / "whole").moments, read_calibration(folder / "merged").moments
    assert whole.count == merged.count == 9
    np.testing.assert_array_equal(merged.mean, whole.mean)
    np.testing.assert_array_equal(merged.m2, whole.m2)
    for name in FILES:
        assert (folder / "merged" / name).read_bytes() == (folder / "whole" / name).read_bytes()
    for name in (*FILES, "manifest.json"):
        assert (folder / "merged" / name).read_bytes() == (folder / "turned" / name).read_bytes()


def test_recordings_that_cannot_be_read_are_skipped_and_listed(run, folder):
    (folder / "recordings" / "a" / "0.wav").write_bytes(b"broken")
    (folder / "recordings" / "zz.ogg").write_bytes(bytes(40 * 1024 * 1024))
    ended = run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == 0
    assert "of 8 recordings, 2 skipped" in ended.stdout
    first, second = ended.stderr.splitlines()
    assert first == "Notice: skipped recordings/a/0.wav: This is no sound."
    assert second.startswith("Notice: skipped recordings/zz.ogg: zz.ogg has more than 32 MiB")
    document = json.loads(run("calibrate", "recordings", "--out", "again", *SHAPE, "--json").stdout)
    assert [item["path"] for item in document["skipped"]] == ["recordings/a/0.wav", "recordings/zz.ogg"]
    assert (document["recording_count"], document["value_count"], document["basis"]) == (8, 16, "mel")
    assert document["setting"].endswith(f"@{document['digest']}")
    ended = run("calibrate", "recordings", "--out", "strictly", *SHAPE, "-q", "--strict")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr == "Error: recordings/a/0.wav cannot be used: This is no sound.\n"
    assert not (folder / "strictly").exists()


def test_nothing_usable_is_an_error(run, folder):
    (folder / "silent").mkdir()
    (folder / "silent" / "1.wav").write_bytes(b"broken")
    ended = run("calibrate", "silent", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "None of 1 recordings could be used; the first is silent/1.wav: This is no sound." in ended.stderr
    (folder / "silent" / "1.wav").unlink()
    ended = run("calibrate", "silent", "--out", "voices", "-q")
    assert "silent has no recordings (WAV, MP3, FLAC, OGG)" in ended.stderr
    ended = run("calibrate", "recordings", "--out", "voices", "--shard", "10/10", "-q")
    assert "recordings has 9 recordings" in ended.stderr
    assert not (folder / "voices").exists()


def test_one_recording_does_not_vary_and_that_is_told(run, folder):
    ended = run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q", "--shard", "1/9")
    assert ended.exit_code == 0
    assert "Notice: a single recording does not vary" in ended.stderr


def test_latents_are_the_z_scores_of_every_recording(run, folder, recordings, vectors):
    ended = run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q", "--latents", "voices.safetensors")
    assert ended.exit_code == 0, ended.stderr
    latents = load_file(folder / "voices.safetensors")["latents"]
    assert (latents.shape, latents.dtype) == ((9, 1, 4, 4), np.float32)
    mean, deviation = np.load(folder / "voices" / "mean.npy"), np.load(folder / "voices" / "std.npy")
    expected = (vectors - mean) / np.maximum(deviation, 1e-6)
    expected[:, 0] = 0  # the value that never varies
    np.testing.assert_allclose(latents.reshape(9, -1), expected, rtol=1e-6)
    assert not latents[:, 0, 0, 0].any()
    np.testing.assert_allclose(latents.reshape(9, -1)[:, 1:].std(axis=0), 1, rtol=1e-5)
    with safe_open(folder / "voices.safetensors", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["names"]) == list(recordings)
    assert json.loads(metadata["audio_sha256"]) == [
        hashlib.sha256(content).hexdigest() for content in recordings.values()
    ]
    manifest = json.loads((folder / "voices" / "manifest.json").read_text())
    assert metadata["calibration_digest"] == manifest["digest"]
    assert sorted(path.name for path in folder.iterdir()) == ["recordings", "voices", "voices.safetensors"]


def test_scaling_leaves_out_what_never_varied():
    moments = Moments.of(4, np.array([1.0, 2.0, 3.0]), np.array([16.0, 4 * 0.9e-12, 0.0]))
    values = np.array([5, 9, 3], np.float32)
    np.testing.assert_array_equal(scaled(values, moments), np.array([2, 0, 0], np.float32))


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("recordings", "--out", "v", "--shape", "4,32"), 2, "write channels, height and width"),
        (("recordings", "--out", "v", "--shape", "0,4,4"), 2, "write channels, height and width"),
        (("recordings", "--out", "v", "--basis", "fft"), 2, "Invalid value for '--basis'"),
        (("recordings", "--out", "v", "--workers", "0"), 2, "Invalid value for '--workers'"),
        (("recordings", "--out", "v", "--shard", "3/2"), 3, "'3/2' is no shard: write I/N"),
        (("recordings", "--out", "v", "--shard", "1"), 3, "'1' is no shard"),
        (("recordings", "--out", "v", "--shard", "1/2", "--latents", "f"), 2, "in one pass"),
        (("recordings", "--out", "v", "--merge", "--latents", "f"), 2, "in one pass"),
        (("recordings", "--out", "v", "--latents", "no/f"), 7, "No such folder: no"),
        (("recordings", "--out", "v", "--name", "a name"), 3, "'a name' cannot name a calibration"),
        (("recordings", "--out", "recordings"), 7, "Is not empty"),
        (("recordings",), 2, "Missing option '--out'"),
        (("missing", "--out", "v"), 2, "'missing' does not exist"),
        (("recordings", "--out", "v", "--merge"), 7, "manifest.json"),
    ],
)  # fmt: skip
def test_wrong_use_is_told_before_any_call(run, script, folder, arguments, status, text):
    ended = run("calibrate", *arguments)
    assert ended.exit_code == status
    assert text in " ".join(ended.stderr.replace("│", " ").split())
    assert not script.requests
    assert not (folder / "v").exists()


def test_what_the_server_refuses_for_every_recording_ends_the_work(run, script, rich_error, folder):
    script.errors.append(
        rich_error(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", "4 x 3 x 2 is no square.",
            violations=[("initial_latents.shape", "is no square.")],
        )
    )  # fmt: skip
    ended = run("calibrate", "recordings", "--out", "voices", "--shape", "4,3,2", "--workers", 1, "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr == "Error: 4 x 3 x 2 is no square.\n"
    ended = run("--audio-features-target", "127.0.0.1:1", "calibrate", "recordings", "--out", "voices", "-q")
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    assert not (folder / "voices").exists()


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("mean.npy", b"", "mean.npy is not the file that its manifest names"),
        ("moments.npz", b"PK", "moments.npz is not the file that its manifest names"),
        ("manifest.json", b"not json", "manifest.json cannot be read"),
        ("manifest.json", b"[]", "manifest.json cannot be read"),
        ("manifest.json", b'{"format": 2, "basis": "mel", "sha256": {}}', "what this version does not know"),
    ],
)
def test_a_damaged_calibration_is_not_merged(run, folder, name, content, text):
    run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q")
    (folder / "voices" / name).write_bytes(content)
    ended = run("calibrate", "--merge", "voices", "--out", "merged")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "voices is no calibration: " in ended.stderr
    assert text in ended.stderr
    assert not (folder / "merged").exists()


def test_a_changed_number_in_the_manifest_is_noticed(run, folder):
    run("calibrate", "recordings", "--out", "voices", *SHAPE, "-q")
    path = folder / "voices" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"recording_count": 900}))
    assert "is not what its manifest says" in run("calibrate", "--merge", "voices", "--out", "m").stderr
    path.write_text(json.dumps(manifest | {"digest": "0" * 64}))
    assert "its digest is not that of its files" in run("calibrate", "--merge", "voices", "--out", "m").stderr


def test_a_calibration_of_another_program_is_merged_by_its_moments(run, folder):
    run("calibrate", "recordings", "--out", "whole", *SHAPE, "-q")
    for number in (1, 2):
        run("calibrate", "recordings", "--out", f"s{number}", *SHAPE, "-q", "--shard", f"{number}/2")
    path = folder / "s1" / "moments.npz"
    with np.load(path) as moments:
        kept = {name: moments[name] for name in ("count", "mean", "m2")}
    np.savez(path, **kept)
    manifest = json.loads((folder / "s1" / "manifest.json").read_text())
    hashes = manifest["sha256"] | {"moments.npz": hashlib.sha256(path.read_bytes()).hexdigest()}
    lines = "".join(f"{name} {value}\n" for name, value in sorted(hashes.items()))
    manifest |= {"sha256": hashes, "digest": hashlib.sha256(lines.encode()).hexdigest()}
    (folder / "s1" / "manifest.json").write_text(json.dumps(manifest))
    assert run("calibrate", "--merge", "s1", "s2", "--out", "merged").exit_code == 0
    whole, merged = read_calibration(folder / "whole").moments, read_calibration(folder / "merged").moments
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-12)


def test_calibrations_that_do_not_belong_together_are_not_merged(run):
    run("calibrate", "recordings", "--out", "one", *SHAPE, "-q")
    run("calibrate", "recordings", "--out", "other", *SHAPE, "-q", "--basis", "dct")
    run("calibrate", "recordings", "--out", "large", "--shape", "1,8,8", "-q")
    ended = run("calibrate", "--merge", "one", "one", "--out", "merged")
    assert "one and one are the same: their recordings would count twice" in ended.stderr
    for second in ("other", "large"):
        ended = run("calibrate", "--merge", "one", second, "--out", "merged")
        assert ended.exit_code == ExitStatus.INVALID_INPUT
        assert "Only calibrations of one basis and shape can be merged" in ended.stderr


def test_progress_is_told_in_tenths(run):
    lines = run("calibrate", "recordings", "--out", "voices", *SHAPE).stderr.splitlines()
    assert lines[-1] == "9 of 9 recordings"
    assert len(lines) <= 10


def test_ctrl_c_leaves_nothing_behind(installed_command, run, folder, script, rich_error):
    script.errors.extend(
        rich_error(grpc.StatusCode.UNAVAILABLE, "DRAINING", retry_seconds=20.0) for _ in range(50)
    )
    program = subprocess.Popen(
        [installed_command, "calibrate", "recordings", "--out", "voices", "--latents", "v.safetensors"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not script.requests:
        assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (130, "", "Interrupted.\n")
    assert sorted(path.name for path in folder.iterdir()) == ["recordings"]


def test_recordings_are_found_in_the_same_order_everywhere(folder, recordings):
    found = find_recordings([folder / "recordings"])
    assert [path.relative_to(folder).as_posix() for path in found] == list(recordings)
    assert find_recordings([folder / "recordings", folder / "recordings" / "a"]) == found
    shards = [Shard(number, 4).of(found) for number in range(1, 5)]
    assert sorted(path for shard in shards for path in shard) == found


def test_without_numpy_it_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    ended = run("calibrate", "recordings", "--out", "voices")
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    assert ended.stderr == (
        "Error: Calibrating needs the package numpy: pip install 'chladni-client[calibrate]'.\n"
    )


def test_the_other_commands_do_without_the_extras():
    code = (
        "import sys; sys.modules['numpy'] = sys.modules['sounddevice'] = None; "
        "from chladni_client.cli.app import build_app; build_app()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONWARNINGS": "error"})

"""`chladni-calibrate`: clips into a calibration, in one pass and in shards."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
from safetensors import safe_open
from safetensors.numpy import load_file

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_audio_features.latents.catalog import LatentsPlan
from chladni_audio_features.latents.initial_latents import LatentBasis
from chladni_audio_features.tools import calibrate
from chladni_audio_features.tools.calibrate import ExitStatus
from chladni_audio_features.tools.calibration.extraction import LatentExtraction, Shard, find_clips
from chladni_audio_features.tools.calibration.files import Calibration, read_calibration, write_calibration
from chladni_audio_features.tools.calibration.moments import Moments
from chladni_contract.tensors import to_array
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings

RATE_HZ = 22050
SHAPE = ("--shape", "1,4,4")
VALUE_COUNT = 16
FILES = ("mean.npy", "std.npy", "moments.npz")


def faded_tone(frequency_hz, seconds=0.5):
    """A tone that has nothing in the upper bands, not even where it begins and ends."""
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return 0.5 * np.sin(2 * np.pi * frequency_hz * times) * np.hanning(len(times))


@dataclass(frozen=True)
class Ended:
    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def clips(folder):
    """Nine clips in several directories, and a file that is none."""
    contents = {}
    for index in range(9):
        suffix = (".wav", ".MP3", ".flac", ".ogg")[index % 4]
        path = folder / "clips" / ("abc"[index % 3]) / f"{index}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, faded_tone(110 * (index + 1)), RATE_HZ)
        contents[path.relative_to(folder).as_posix()] = path.read_bytes()
    (folder / "clips" / "b" / "notes.txt").write_text("no sound")
    return dict(sorted(contents.items()))


@pytest.fixture
def run(clips, capsys):
    def run(*arguments):
        capsys.readouterr()
        try:
            status = calibrate.main([str(argument) for argument in arguments])
        except SystemExit as ended:
            status = ended.code
        return Ended(status, *capsys.readouterr())

    return run


@pytest.fixture
def vectors(clips, extractor):
    """The unscaled latents of the clips, as a service computes them."""
    plan = LatentsPlan(shape=(1, 4, 4), basis=LatentBasis.MEL, calibration=None)
    wanted = {"wants_log_mel": False, "wants_descriptors": False, "wants_embedding": False}
    features = [extractor.extract(content, **wanted, latents_plan=plan) for content in clips.values()]
    return np.stack([each.initial_latents.reshape(-1) for each in features])


def test_mean_and_deviation_are_those_of_the_clips(run, folder, vectors):
    ended = run("clips", "--out", "voices", *SHAPE, "-q")
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


def test_the_manifest_names_every_file_and_the_digest_that_a_server_checks(run, folder):
    ended = run("clips", "--out", "voices", *SHAPE, "-q", "--basis", "dct")
    manifest = json.loads((folder / "voices" / "manifest.json").read_text())
    hashes = {name: hashlib.sha256((folder / "voices" / name).read_bytes()).hexdigest() for name in FILES}
    digest = hashlib.sha256(
        "".join(f"{name} {hashes[name]}\n" for name in sorted(hashes)).encode()
    ).hexdigest()
    assert manifest["created_by"].startswith("chladni-calibrate 0.")
    del manifest["created_by"]
    assert manifest == {
        "format": 1, "name": "voices", "basis": "dct", "value_count": VALUE_COUNT, "recording_count": 9,
        "sha256": hashes, "digest": digest,
    }  # fmt: skip
    first, last = ended.stdout.splitlines()
    assert first == "voices  voices: 16 values (dct) of 9 clips, 0 skipped"
    assert last == f"CHLADNI_AUDIO_FEATURES_LATENT_CALIBRATIONS={folder / 'voices'}@{digest}"


def test_equal_clips_give_equal_bytes_however_many_work_at_a_time(run, folder):
    assert run("clips", "--out", "one", *SHAPE, "-q", "--workers", 1).exit_code == 0
    assert run("clips", "--out", "two", *SHAPE, "-q", "--workers", 7).exit_code == 0
    for name in FILES:
        assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes()


def test_shards_merged_in_any_order_are_as_one_pass(run, folder):
    run("clips", "--out", "whole", *SHAPE, "-q")
    for number in (1, 2, 3):
        ended = run("clips", "--out", f"s{number}", *SHAPE, "-q", "--shard", f"{number}/3")
        assert "of 3 clips" in ended.stdout
    assert run("--merge", "s1", "s2", "s3", "--out", "merged").exit_code == 0
    assert run("--merge", "s3", "s1", "s2", "--out", "turned", "--name", "merged").exit_code == 0
    whole, merged = read_calibration(folder / "whole").moments, read_calibration(folder / "merged").moments
    assert whole.count == merged.count == 9
    np.testing.assert_array_equal(merged.mean, whole.mean)
    np.testing.assert_array_equal(merged.m2, whole.m2)
    for name in FILES:
        assert (folder / "merged" / name).read_bytes() == (folder / "whole" / name).read_bytes()
    for name in (*FILES, "manifest.json"):
        assert (folder / "merged" / name).read_bytes() == (folder / "turned" / name).read_bytes()


def test_clips_that_cannot_be_read_are_skipped_and_listed(run, folder):
    (folder / "clips" / "a" / "0.wav").write_bytes(b"broken")
    (folder / "clips" / "zz.ogg").write_bytes(bytes(40 * 1024 * 1024))
    ended = run("clips", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == 0
    assert "of 8 clips, 2 skipped" in ended.stdout
    first, second = ended.stderr.splitlines()
    assert first.startswith("Notice: skipped clips/a/0.wav: the content is text, not supported audio")
    assert second.startswith("Notice: skipped clips/zz.ogg: zz.ogg has 41943040 bytes, the limit is 10485760")
    document = json.loads(run("clips", "--out", "again", *SHAPE, "--json").stdout)
    assert [item["path"] for item in document["skipped"]] == ["clips/a/0.wav", "clips/zz.ogg"]
    assert (document["recording_count"], document["value_count"], document["basis"]) == (8, 16, "mel")
    assert document["setting"].endswith(f"@{document['digest']}")
    ended = run("clips", "--out", "strictly", *SHAPE, "-q", "--strict")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert ended.stderr.startswith("Error: clips/a/0.wav cannot be used: the content is text")
    assert not (folder / "strictly").exists()


def test_nothing_usable_is_an_error(run, folder):
    (folder / "silent").mkdir()
    (folder / "silent" / "1.wav").write_bytes(b"broken")
    ended = run("silent", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "none of 1 clips could be used; the first is silent/1.wav: the content is text" in ended.stderr
    (folder / "silent" / "1.wav").unlink()
    ended = run("silent", "--out", "voices", "-q")
    assert "silent has no clips (WAV, MP3, FLAC, OGG)" in ended.stderr
    ended = run("clips", "--out", "voices", "--shard", "10/10", "-q")
    assert "clips has 9 clips" in ended.stderr
    assert not (folder / "voices").exists()


def test_a_single_clip_does_not_vary_and_that_is_reported(run, folder):
    ended = run("clips", "--out", "voices", *SHAPE, "-q", "--shard", "1/9")
    assert ended.exit_code == 0
    assert "Notice: a single clip does not vary" in ended.stderr


def test_latents_are_the_z_scores_of_every_clip(run, folder, clips, vectors):
    ended = run("clips", "--out", "voices", *SHAPE, "-q", "--latents", "voices.safetensors")
    assert ended.exit_code == 0, ended.stderr
    latents = load_file(folder / "voices.safetensors")["latents"]
    assert (latents.shape, latents.dtype) == ((9, 1, 4, 4), np.float32)
    mean, deviation = np.load(folder / "voices" / "mean.npy"), np.load(folder / "voices" / "std.npy")
    varies = deviation > 1e-6
    assert 0 < varies.sum() < VALUE_COUNT
    expected = np.where(varies, (vectors - mean) / np.where(varies, deviation, 1), 0)
    np.testing.assert_allclose(latents.reshape(9, -1), expected, rtol=1e-6)
    assert not latents.reshape(9, -1)[:, ~varies].any()
    np.testing.assert_allclose(latents.reshape(9, -1)[:, varies].std(axis=0), 1, rtol=1e-5)
    with safe_open(folder / "voices.safetensors", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["names"]) == list(clips)
    assert json.loads(metadata["audio_sha256"]) == [
        hashlib.sha256(content).hexdigest() for content in clips.values()
    ]
    manifest = json.loads((folder / "voices" / "manifest.json").read_text())
    assert metadata["calibration_digest"] == manifest["digest"]
    assert sorted(path.name for path in folder.iterdir()) == ["clips", "voices", "voices.safetensors"]


def test_scaling_leaves_out_what_never_varied():
    moments = Moments.of(4, np.array([1.0, 2.0, 3.0]), np.array([16.0, 4 * 0.9e-12, 0.0]))
    values = np.array([5, 9, 3], np.float32)
    scaling = Calibration("voices", LatentBasis.MEL, moments).scaling("d" * 64)
    np.testing.assert_array_equal(scaling.z_score(values), np.array([2, 0, 0], np.float32))


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (("clips", "--out", "v", "--shape", "4,32"), 2, "write channels, height and width"),
        (("clips", "--out", "v", "--shape", "0,4,4"), 2, "write channels, height and width"),
        (("clips", "--out", "v", "--shape", "4,3,2"), 2, "must be (C, H, W) with C x H x W a square number"),
        (("clips", "--out", "v", "--shape", "1,1024,1024"), 2, "a square number of at most 262144"),
        (("clips", "--out", "v", "--basis", "fft"), 2, "argument --basis: "),
        (("clips", "--out", "v", "--workers", "0"), 2, "argument --workers: "),
        (("clips", "--out", "v", "--shard", "3/2"), 2, "'3/2' is no shard: write I/N"),
        (("clips", "--out", "v", "--shard", "1"), 2, "'1' is no shard"),
        (("clips", "--out", "v", "--shard", "1/2", "--latents", "f"), 2, "in one pass"),
        (("clips", "--out", "v", "--merge", "--latents", "f"), 2, "in one pass"),
        (("clips", "--out", "v", "--latents", "no/f"), 7, "No such directory: no"),
        (("clips", "--out", "v", "--name", "a name"), 3, "'a name' cannot name a calibration"),
        (("clips", "--out", "clips"), 7, "Is not empty"),
        (("clips",), 2, "are required: --out"),
        (("missing", "--out", "v"), 2, "'missing' does not exist"),
        (("clips", "--out", "v", "--merge"), 7, "manifest.json"),
    ],
)  # fmt: skip
def test_wrong_use_is_reported_before_any_work(run, folder, monkeypatch, arguments, status, text):
    monkeypatch.setattr(LatentExtraction, "outcomes", None)
    ended = run(*arguments)
    assert ended.exit_code == status
    assert text in " ".join(ended.stderr.split())
    assert not (folder / "v").exists()


def test_failures_are_reported_as_json(run):
    ended = run("clips", "--out", "clips", "--json")
    assert json.loads(ended.stdout)["error"]["reason"] == "FILE"
    ended = run("clips", "--out", "v", "--name", "a name", "--json")
    error = json.loads(ended.stdout)["error"]
    assert error["reason"] == "INVALID_CALIBRATION"
    assert ended.stderr == f"Error: {error['message']}\n"


def test_the_limits_are_those_of_the_service(run, monkeypatch):
    monkeypatch.setenv("CHLADNI_AUDIO_FEATURES_MAX_AUDIO_SECONDS", "0.4")
    ended = run("clips", "--out", "voices", *SHAPE, "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "none of 9 clips could be used" in ended.stderr
    monkeypatch.setenv("CHLADNI_AUDIO_FEATURES_MAX_AUDIO_SECOND", "1")
    assert run("clips", "--out", "voices", *SHAPE, "-q").exit_code == ExitStatus.USAGE


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
    run("clips", "--out", "voices", *SHAPE, "-q")
    (folder / "voices" / name).write_bytes(content)
    ended = run("--merge", "voices", "--out", "merged")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "voices is no calibration: " in ended.stderr
    assert text in ended.stderr
    assert not (folder / "merged").exists()


def test_a_changed_number_in_the_manifest_is_noticed(run, folder):
    run("clips", "--out", "voices", *SHAPE, "-q")
    path = folder / "voices" / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"recording_count": 900}))
    assert "is not what its manifest says" in run("--merge", "voices", "--out", "m").stderr
    path.write_text(json.dumps(manifest | {"digest": "0" * 64}))
    assert "its digest is not that of its files" in run("--merge", "voices", "--out", "m").stderr


def test_a_calibration_of_another_program_is_merged_by_its_moments(run, folder):
    run("clips", "--out", "whole", *SHAPE, "-q")
    for number in (1, 2):
        run("clips", "--out", f"s{number}", *SHAPE, "-q", "--shard", f"{number}/2")
    path = folder / "s1" / "moments.npz"
    with np.load(path) as moments:
        kept = {name: moments[name] for name in ("count", "mean", "m2")}
    np.savez(path, **kept)
    manifest = json.loads((folder / "s1" / "manifest.json").read_text())
    hashes = manifest["sha256"] | {"moments.npz": hashlib.sha256(path.read_bytes()).hexdigest()}
    lines = "".join(f"{name} {value}\n" for name, value in sorted(hashes.items()))
    manifest |= {"sha256": hashes, "digest": hashlib.sha256(lines.encode()).hexdigest()}
    (folder / "s1" / "manifest.json").write_text(json.dumps(manifest))
    assert run("--merge", "s1", "s2", "--out", "merged").exit_code == 0
    whole, merged = read_calibration(folder / "whole").moments, read_calibration(folder / "merged").moments
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.m2, whole.m2, rtol=1e-12)


def test_calibrations_that_do_not_belong_together_are_not_merged(run):
    run("clips", "--out", "one", *SHAPE, "-q")
    run("clips", "--out", "other", *SHAPE, "-q", "--basis", "dct")
    run("clips", "--out", "large", "--shape", "1,8,8", "-q")
    ended = run("--merge", "one", "one", "--out", "merged")
    assert "one and one are the same: their clips would count twice" in ended.stderr
    for second in ("other", "large"):
        ended = run("--merge", "one", second, "--out", "merged")
        assert ended.exit_code == ExitStatus.INVALID_INPUT
        assert "only calibrations of one basis and shape can be merged" in ended.stderr


def test_progress_is_reported_in_tenths(run):
    lines = run("clips", "--out", "voices", *SHAPE).stderr.splitlines()
    assert lines[-1] == "9 of 9 clips"
    assert len(lines) <= 10


def test_ctrl_c_leaves_nothing_behind(folder):
    (folder / "clips").mkdir()
    soundfile.write(folder / "clips" / "0.wav", faded_tone(220, seconds=20.0), RATE_HZ)
    for index in range(1, 100):
        (folder / "clips" / f"{index}.wav").hardlink_to(folder / "clips" / "0.wav")
    program = subprocess.Popen(
        [sys.executable, "-m", calibrate.__name__, "clips", "--out", "v", "--latents", "v.safetensors"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr.readline() == "10 of 100 clips\n"
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err.splitlines()[-1]) == (130, "", "Interrupted.")
    assert sorted(path.name for path in folder.iterdir()) == ["clips"]


def test_clips_are_found_in_the_same_order_everywhere(folder, clips):
    found = find_clips([folder / "clips"])
    assert [path.relative_to(folder).as_posix() for path in found] == list(clips)
    assert find_clips([folder / "clips", folder / "clips" / "a"]) == found
    shards = [Shard(number, 4).of(found) for number in range(1, 5)]
    assert sorted(path for shard in shards for path in shard) == found


def running_service(**variables):
    """A service that reads these variables beside its usual ones."""
    prefix = "CHLADNI_AUDIO_FEATURES_"
    usual = {"GRPC_PORT": "0", "METRICS_PORT": "0", "DRAIN_DELAY_SECONDS": "0", "WORKER_COUNT": "1"}
    settings = load_settings(
        AudioFeaturesSettings, {prefix + name: value for name, value in usual.items()} | variables
    )
    return loopback_service(compose(settings), service_names=SERVICE_NAMES, settings=settings)


async def latents_by(service, content, **options):
    _, channel = service
    request = audio_pb2.ExtractFeaturesRequest(
        audio=media_pb2.AudioClip(content=content),
        features=[audio_pb2.FEATURE_INITIAL_LATENTS],
        initial_latents=audio_pb2.InitialLatentsOptions(**options),
    )
    return await audio_grpc.AudioFeatureServiceStub(channel).ExtractFeatures(request)


def to_values(response):
    return to_array(response.initial_latents, field="l", dtype=np.float32, shape=(4, 32, 32))


@pytest.mark.parametrize("basis", ["mel", "dct"])
async def test_a_service_computes_and_scales_as_the_command_did(run, folder, clips, basis):
    (folder / "clips" / "torn.wav").write_bytes(b"RIFF")
    ended = run(
        "clips", "--out", "voices", "--basis", basis, "--latents", "voices.safetensors", "--shape", "4,32,32"
    )
    assert ended.exit_code == 0, ended.stderr
    assert "voices: 4096 values" in ended.stdout
    assert "of 9 clips, 1 skipped" in ended.stdout
    assert "Notice: skipped clips/torn.wav: " in ended.stderr
    setting = dict([ended.stdout.splitlines()[-1].split("=", 1)])
    latents = load_file(folder / "voices.safetensors")["latents"]
    with safe_open(folder / "voices.safetensors", "np") as file:
        names = json.loads(file.metadata()["names"])
    assert latents.shape == (9, 4, 32, 32)
    varying = latents.reshape(9, -1).std(axis=0) > 0.5
    assert varying.mean() > 0.3
    np.testing.assert_allclose(latents.reshape(9, -1)[:, varying].mean(axis=0), 0, atol=1e-4)
    mode = generation_pb2.NoiseMode.Value(f"NOISE_MODE_{basis.upper()}")
    moments = Moments.empty(4096)
    async with running_service(**setting) as service:
        for name, expected in zip(names, latents, strict=True):
            made = await latents_by(service, clips[name], mode=mode)
            calibration = made.latent_calibration
            assert (calibration.name, calibration.clip_count) == ("voices", 9)
            np.testing.assert_array_equal(to_values(made), expected)
            raw = await latents_by(service, clips[name], mode=mode, unscaled=True)
            moments = moments.with_vector(to_values(raw).reshape(-1))
    write_calibration(folder / "asked", Calibration("voices", LatentBasis(basis), moments))
    for name in FILES:
        assert (folder / "asked" / name).read_bytes() == (folder / "voices" / name).read_bytes()


def test_rows_are_written_as_arrays(run, folder, clips):
    ended = run(
        "clips", "--out", "voices", "--shape", "4,16,16", "--latents", "l.npy", "--vectors", "v.npy", "-q"
    )
    assert ended.exit_code == 0, ended.stderr
    latents, vectors = np.load(folder / "l.npy"), np.load(folder / "v.npy")
    assert (latents.shape, vectors.shape) == ((9, 4, 16, 16), (9, 1024))
    assert latents.dtype == vectors.dtype == np.float32
    mean = np.load(folder / "voices" / "mean.npy")
    np.testing.assert_allclose(vectors.mean(axis=0), mean, atol=1e-5)
    deviation = np.load(folder / "voices" / "std.npy")
    varies = deviation > 1e-3
    scores = (vectors - mean)[:, varies] / deviation[varies]
    np.testing.assert_allclose(latents.reshape(9, -1)[:, varies], scores, atol=1e-3)
    assert run("clips", "--out", "other", "--vectors", "v.txt").exit_code == 2


def test_the_default_shape_is_that_of_the_image_model_that_ships(run, folder, clips):
    ended = run("clips", "--out", "voices")
    assert "voices: 16384 values" in ended.stdout

"""Initial latents and the calibrations that scale them."""

from __future__ import annotations

import hashlib
import io
import json
import shutil

import numpy as np
import pytest
import scipy.fft
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.latents.calibration import (
    CalibrationError,
    LatentCalibration,
    combined_digest,
    load_calibration,
)
from chladni_audio_features.latents.catalog import (
    CALIBRATION_DIRECTORY,
    EMBEDDED_CALIBRATIONS,
    CalibrationCatalog,
    LatentsPlan,
    LatentsRequest,
    load_calibrations,
)
from chladni_audio_features.latents.initial_latents import LatentBasis, latent_values, mel_image
from chladni_audio_features.tools.calibration.files import Calibration, write_calibration
from chladni_audio_features.tools.calibration.moments import Moments
from chladni_audio_features.training.synthesis.corpus import draw_corpus
from chladni_contract.errors import NotFoundError, Reason
from chladni_runtime.models.reference import ModelReference

UNIT_CELLS = st.floats(0, 1, width=32)


@st.composite
def spectrograms(draw):
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 60)))
    return draw(arrays.arrays(np.float32, shape, elements=UNIT_CELLS))


@given(scaled=spectrograms(), side=st.integers(1, 48))
def test_mel_images_stay_in_the_range_of_their_cells(scaled, side):
    image = mel_image(scaled, side=side)
    assert image.shape == (side, side)
    assert image.dtype == np.float32
    assert image.min() >= scaled.min() - 1e-6
    assert image.max() <= scaled.max() + 1e-6


@given(scaled=spectrograms(), side=st.integers(1, 48))
def test_the_cosine_transform_keeps_energy_and_can_be_undone(scaled, side):
    cells = latent_values(scaled, side=side, basis=LatentBasis.MEL)
    coefficients = latent_values(scaled, side=side, basis=LatentBasis.DCT)
    assert cells.shape == coefficients.shape == (side * side,)
    assert np.square(coefficients).sum() == pytest.approx(np.square(cells).sum(), rel=1e-4, abs=1e-6)
    restored = scipy.fft.idctn(coefficients.reshape(side, side), type=2, norm="ortho")
    np.testing.assert_allclose(restored.reshape(-1), cells, atol=1e-4)


def test_low_frequencies_come_first_and_time_runs_to_the_right(transform, sounds):
    low_then_high = np.concatenate([sounds.tone(200, 1.0), sounds.tone(6000, 1.0)])
    image = mel_image(log_mel_spectrogram(transform.power_of_clip(low_then_high)).scaled, side=64)
    assert image[:, 4:28].mean(axis=1).argmax() < 10
    assert image[:, 36:60].mean(axis=1).argmax() > 45
    latents = LatentsPlan(shape=(4, 32, 32), basis=LatentBasis.MEL, calibration=None).make(image)
    np.testing.assert_array_equal(latents[0].reshape(16, 64), image[:16])


def test_shrinking_does_not_alias():
    """Stripes of one frame: picking 64 of 1000 frames would keep them, filtering gives gray."""
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (128, 500))
    assert np.abs(mel_image(stripes, side=64) - 0.5).max() < 0.02


@pytest.mark.parametrize("shape", [(4, 32, 32), (4, 64, 64), (1, 64, 64), (16, 16, 16), (1, 1, 1), (9, 1, 1)])
def test_every_square_count_has_a_shape(shape, sounds, transform):
    scaled = log_mel_spectrogram(transform.power_of_clip(sounds.chord(60, 64, 67))).scaled
    plan = LatentsPlan(shape=shape, basis=LatentBasis.DCT, calibration=None)
    assert plan.make(scaled).shape == shape


def moments_of(rows):
    moments = Moments.empty(rows.shape[1])
    for row in rows:
        moments = moments.with_vector(row)
    return moments


@pytest.fixture
def calibration_directory(tmp_path):
    """A calibration of 16 values, of which one never varies."""
    rows = np.random.default_rng(0).random((20, 16), dtype=np.float32)
    rows[:, 5] = 0.25
    directory = tmp_path / "mine"
    write_calibration(directory, Calibration("mine", LatentBasis.MEL, moments_of(rows)), created_by="a test")
    return directory


def load(directory, digest=""):
    return load_calibration(ModelReference(str(directory), digest or None))


def test_a_written_calibration_is_what_is_loaded(calibration_directory):
    rows = np.random.default_rng(0).random((20, 16), dtype=np.float32)
    rows[:, 5] = 0.25
    calibration = load(calibration_directory)
    assert (calibration.name, calibration.basis) == ("mine", LatentBasis.MEL)
    assert (calibration.clip_count, calibration.value_count) == (20, 16)
    np.testing.assert_allclose(calibration.mean, rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(calibration.deviation, rows.std(0), rtol=1e-4, atol=1e-7)
    scores = np.stack([calibration.z_score(row) for row in rows])
    assert scores.dtype == np.float32
    assert not scores[:, 5].any()
    varying = np.arange(16) != 5
    np.testing.assert_allclose(scores[:, varying].mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scores[:, varying].std(0), 1, atol=1e-4)
    assert calibration.z_score(np.ones(16, np.float32))[5] == 0.0

    with np.load(calibration_directory / "moments.npz", allow_pickle=False) as archive:
        assert archive["count"].dtype == np.int64
        assert archive["mean"].dtype == archive["m2"].dtype == np.float64
        np.testing.assert_allclose(archive["m2"] / archive["count"], rows.astype(float).var(0), atol=1e-12)


def test_the_digest_is_that_of_the_files(calibration_directory):
    names = ("mean.npy", "moments.npz", "std.npy")
    files = {name: hashlib.sha256((calibration_directory / name).read_bytes()).hexdigest() for name in names}
    lines = "".join(f"{name} {files[name]}\n" for name in names)
    assert load(calibration_directory).digest == hashlib.sha256(lines.encode()).hexdigest()
    assert combined_digest(files) == load(calibration_directory).digest


def test_a_reference_may_insist_on_a_digest(calibration_directory):
    digest = load(calibration_directory).digest
    for beginning in (digest[:12], digest):
        assert load(calibration_directory, beginning).digest == digest
    with pytest.raises(CalibrationError, match=r"calibration 'mine' \(mine\) .* asks for 000000000000"):
        load(calibration_directory, "000000000000")


def rewrite(directory, **changes):
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(manifest))


def replace_array(directory, name, array):
    """Replaces a file and makes the manifest agree, so that only the contents are at fault."""
    file = io.BytesIO()
    np.save(file, array)
    replace_file(directory, name, file.getvalue())


def replace_file(directory, name, content):
    (directory / name).write_bytes(content)
    digests = json.loads((directory / "manifest.json").read_text())["sha256"]
    digests[name] = hashlib.sha256(content).hexdigest()
    rewrite(directory, sha256=digests, digest=combined_digest(digests))


def flip_a_byte(directory, name):
    content = bytearray((directory / name).read_bytes())
    content[-1] ^= 1
    (directory / name).write_bytes(content)


FAULTS = {
    "no manifest": (lambda d: (d / "manifest.json").unlink(), "manifest.json cannot be read"),
    "no JSON": (lambda d: (d / "manifest.json").write_text("{"), "is not JSON"),
    "a list": (lambda d: (d / "manifest.json").write_text("[]"), "is not of format 1"),
    "another format": (lambda d: rewrite(d, format=2), "is not of format 1"),
    "no name": (lambda d: rewrite(d, name=""), "no usable name"),
    "another basis": (lambda d: rewrite(d, basis="fft"), "no usable basis"),
    "two bases": (lambda d: rewrite(d, basis=["mel"]), "no usable basis"),
    "no square": (lambda d: rewrite(d, value_count=15), "no usable value_count"),
    "too many": (lambda d: rewrite(d, value_count=1024**2), "no usable value_count"),
    "one clip": (lambda d: rewrite(d, recording_count=1), "calibrate at least 2 clips"),
    "no digests": (lambda d: rewrite(d, sha256=None, digest=None), "no usable sha256, digest"),
    "another digest": (lambda d: rewrite(d, digest="0" * 64), "is not that of its files"),
    "an unknown file": (lambda d: rewrite(d, sha256={"../x": ""}), "lists '../x'"),
    "no mean": (lambda d: (d / "mean.npy").unlink(), "mean.npy cannot be read"),
    "an altered mean": (lambda d: flip_a_byte(d, "mean.npy"), "mean.npy is not the file"),
    "altered moments": (lambda d: flip_a_byte(d, "moments.npz"), "moments.npz is not the file"),
    "no array": (lambda d: replace_file(d, "std.npy", b"text"), "std.npy is not a NumPy array"),
    "pickled": (lambda d: replace_array(d, "std.npy", np.array([None])), "std.npy is not a NumPy array"),
    "double": (lambda d: replace_array(d, "std.npy", np.ones(16)), r"not float32 of shape \(16,\)"),
    "too short": (lambda d: replace_array(d, "std.npy", np.ones(15, "f4")), r"not float32 of shape \(16,\)"),
    "not finite": (lambda d: replace_array(d, "mean.npy", np.full(16, np.nan, "f4")), "not finite"),
    "negative": (lambda d: replace_array(d, "std.npy", np.full(16, -1, "f4")), "negative"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faulty_calibrations_are_refused(calibration_directory, name):
    breaks, words = FAULTS[name]
    breaks(calibration_directory)
    with pytest.raises(CalibrationError, match=words) as caught:
        load(calibration_directory)
    assert "mine" in str(caught.value)


def test_two_calibrations_of_one_name_are_refused(calibration_directory, tmp_path):
    copy = shutil.copytree(calibration_directory, tmp_path / "copy")
    with pytest.raises(CalibrationError, match="the name 'mine'"):
        load_calibrations([ModelReference(str(path)) for path in (calibration_directory, copy)])


def request(shape=(4, 32, 32), basis=LatentBasis.MEL, name="", is_unscaled=False):
    return LatentsRequest(shape=shape, basis=basis, calibration_name=name, is_unscaled=is_unscaled)


def flat(name, basis, count):
    ones = np.ones(count, np.float32)
    return LatentCalibration(name, basis, mean=ones, deviation=ones, clip_count=2, digest="d" * 64)


def test_the_first_calibration_that_fits_is_the_default():
    catalog = CalibrationCatalog(
        [
            flat("small", LatentBasis.MEL, 16),
            flat("own", LatentBasis.MEL, 4096),
            flat("other", LatentBasis.MEL, 4096),
            flat("dct", LatentBasis.DCT, 4096),
        ]
    )
    assert catalog.plan(request()).calibration.name == "own"
    assert catalog.plan(request(basis=LatentBasis.DCT)).calibration.name == "dct"
    assert catalog.plan(request(name="other")).calibration.name == "other"
    assert catalog.plan(request(shape=(1, 4, 4))).calibration.name == "small"
    assert catalog.plan(request(shape=(1, 5, 5), is_unscaled=True)).calibration is None
    for wanted, words in [
        (request(shape=(1, 5, 5)), "No calibration has 25 values in basis mel"),
        (request(name="none"), "No calibration is named 'none'"),
        (request(name="x" * 500), "x" * 80),
        (request(name="dct"), "has 4096 values in basis dct; shape and basis ask for 4096 in mel"),
        (request(shape=(4, 64, 64), name="own"), "ask for 16384 in mel"),
    ]:
        with pytest.raises(NotFoundError, match=words) as caught:
            catalog.plan(wanted)
        assert caught.value.reason is Reason.UNKNOWN_CALIBRATION
        assert "small (16 values, mel); own (4096 values, mel)" in caught.value.message
        assert "chladni-calibrate" in caught.value.message
        assert len(caught.value.message) < 500
        assert [violation.field for violation in caught.value.violations] == ["initial_latents.calibration"]


def test_the_embedded_calibrations_are_whole_and_small():
    catalog = load_calibrations()
    assert [calibration.name for calibration in catalog] == list(EMBEDDED_CALIBRATIONS)
    for calibration in catalog:
        _, basis, count = calibration.name.split("-")
        assert (calibration.basis, calibration.value_count) == (basis, int(count))
        assert calibration.clip_count >= 500
        # An image with more rows than there are mel bins has a few coefficients that never vary.
        assert (calibration.deviation > 1e-6).mean() > (0.97 if count in {"36864", "65536"} else 0.9999)
    files = [path for path in CALIBRATION_DIRECTORY.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 2_200_000


def lag_1_correlation(latents):
    """Correlation of horizontal neighbours; 0 for white noise."""
    return float(np.corrcoef(latents[:, :, :-1].ravel(), latents[:, :, 1:].ravel())[0, 1])


def test_embedded_calibrations_whiten_sounds_they_have_not_seen(transform):
    """Of another seed: z-scores of mean 0 and deviation 1, nearly uncorrelated in the cosine basis."""
    catalog = load_calibrations()
    made = {basis: [] for basis in LatentBasis}
    for sound in draw_corpus(count=40, seed=5, rate_hz=22050):
        scaled = log_mel_spectrogram(transform.power_of_clip(sound.samples)).scaled
        for basis, latents in made.items():
            latents.append(catalog.plan(request(basis=basis)).make(scaled))
    for latents in made.values():
        assert np.isfinite(latents).all()
        assert abs(np.mean(latents)) < 0.15
        assert 0.8 < np.std(latents) < 1.25
    mel, dct = (np.mean([lag_1_correlation(item) for item in made[basis]]) for basis in LatentBasis)
    assert mel > 0.6
    assert abs(dct) < 0.2

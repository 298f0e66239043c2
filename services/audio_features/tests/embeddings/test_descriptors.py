"""The calibrated embedding and its files."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.embeddings.descriptors import (
    CALIBRATED,
    CALIBRATION_FILE,
    MANIFEST_FILE,
    MAP_NAMES,
    MODEL_DIRECTORY,
    DescriptorEmbedder,
    ModelFileError,
    QuantileMap,
    load_embedder,
)
from chladni_audio_features.training.calibrate_embedding import fit_maps, fit_quantile_map
from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_NAMES, TEMPORAL_FEATURES

INDEX = {name: position for position, name in enumerate(COMPONENT_NAMES)}


@pytest.fixture(scope="module")
def embedder():
    return load_embedder()


def test_components_have_their_order():
    assert DESCRIPTOR_NAMES == (
        "loudness", "dynamics", "brightness", "bandwidth", "flatness", "roughness", "onset_rate", "tempo",
        "pitch_height", "pitch_range", "harmonicity", "mode", "chroma_c", "chroma_c_sharp", "chroma_d",
        "chroma_d_sharp", "chroma_e", "chroma_f", "chroma_f_sharp", "chroma_g", "chroma_g_sharp", "chroma_a",
        "chroma_a_sharp", "chroma_b",
    )  # fmt: skip
    assert TEMPORAL_FEATURES == (
        "level", "brightness", "flatness", "onset", "pitch_height", "harmonicity", "tonal_x", "tonal_y",
    )  # fmt: skip
    assert COMPONENT_NAMES[:24] == DESCRIPTOR_NAMES
    assert COMPONENT_NAMES[24:33] == (*(f"course_00_{name}" for name in TEMPORAL_FEATURES), "course_01_level")
    assert COMPONENT_NAMES[-1] == "course_15_tonal_y"
    assert len(set(COMPONENT_NAMES)) == len(COMPONENT_NAMES) == 152


def test_components_are_named_as_descriptors(analyser):
    assert tuple(definition.name for definition in analyser.definitions) == DESCRIPTOR_NAMES


def test_silence(analyser, embedder):
    expected = np.zeros(152, np.float32)
    expected[INDEX["mode"]] = expected[INDEX["pitch_height"]] = 0.5
    for segment in range(16):
        for feature in ("pitch_height", "tonal_x", "tonal_y"):
            expected[INDEX[f"course_{segment:02}_{feature}"]] = 0.5
    assert np.array_equal(embedder.embed(analyser.describe(np.zeros(22050, np.float32))), expected)


def test_noise_has_undecided_pitch_and_mode(analyser, embedder, sounds):
    embedding = embedder.embed(analyser.describe(sounds.noise()))
    assert embedding[INDEX["pitch_height"]] == embedding[INDEX["mode"]] == 0.5
    assert embedding[INDEX["pitch_range"]] == embedding[INDEX["tempo"]] == 0.0
    assert not embedding[INDEX["chroma_c"] : 24].any()
    assert embedding[INDEX["flatness"]] > 0.9


def test_opposites_lie_apart(analyser, embedder, sounds):
    def component(name, samples):
        return embedder.embed(analyser.describe(samples))[INDEX[name]]

    for name, low, high in [
        ("loudness", sounds.tone(440, amplitude=0.01), sounds.tone(440, amplitude=0.9)),
        ("dynamics", sounds.tone(440), sounds.clicks(60)),
        ("brightness", sounds.tone(200), sounds.tone(6000)),
        ("bandwidth", sounds.tone(1000), sounds.noise()),
        ("flatness", sounds.tone(1000), sounds.noise()),
        ("roughness", sounds.tone(1000), sounds.modulated(70)),
        ("onset_rate", sounds.clicks(60), sounds.clicks(230)),
        ("tempo", sounds.clicks(60), sounds.clicks(180)),
        ("pitch_height", sounds.harmonic(80), sounds.harmonic(900)),
        ("harmonicity", sounds.noise(), sounds.tone(440)),
        ("mode", sounds.chord(60, 63, 67), sounds.chord(60, 64, 67)),
    ]:
        assert component(name, low) + 0.3 < component(name, high), name
    assert component("mode", sounds.chord(60, 63, 67)) < 0.3
    assert component("mode", sounds.chord(60, 64, 67)) > 0.55


@given(
    values=st.lists(st.floats(-1e5, 1e5), min_size=11, max_size=11),
    mode=st.none() | st.floats(-1, 1),
    is_absent=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_descriptors_embed_into_the_unit_cube(analyser, embedder, sounds, values, mode, is_absent):
    described = analyser.describe(sounds.noise(0.1))
    changes = dict(zip(CALIBRATED, values, strict=True)) | {"mode": mode}
    if is_absent:
        changes |= {"tempo": None, "pitch_height": None}
    embedding = embedder.embed(replace(described, **changes))
    assert embedding.shape == (152,)
    assert embedding.dtype == np.float32
    assert ((embedding >= 0) & (embedding <= 1)).all()


@given(
    values=st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=2, max_size=200), probes=st.data()
)
@settings(max_examples=150, deadline=None)
def test_fitted_maps_are_monotone_and_hit_both_ends(values, probes):
    if len({float(f"{value:.6g}") for value in np.quantile(values, [0, 1])}) < 2:
        with pytest.raises(ValueError, match="two distinct"):
            fit_quantile_map(values)
        return
    fitted = fit_quantile_map(values)
    assert fitted.position(fitted.values[0] - 1) == 0.0
    assert fitted.position(fitted.values[-1] + 1) == 1.0
    first, second = sorted(probes.draw(st.tuples(*[st.floats(-1e6, 1e6)] * 2)))
    assert fitted.position(first) <= fitted.position(second)


def test_fitted_maps_spread_their_values_evenly():
    values = np.random.default_rng(0).lognormal(size=5000)
    fitted = fit_quantile_map(values)
    positions = [fitted.position(value) for value in values]
    assert np.percentile(positions, [10, 50, 90]) == pytest.approx([0.1, 0.5, 0.9], abs=0.01)


def test_maps_are_fitted_for_every_component(analyser, sounds):
    described = [
        analyser.describe(samples)
        for samples in (
            sounds.noise(),
            sounds.clicks(60) + sounds.tone(300, 8.0),
            sounds.clicks(150) + sounds.modulated(70, seconds=8.0),
            sounds.chord(60, 64, 67),
            sounds.chord(57, 60, 64),
            sounds.harmonic(900),
            np.concatenate([sounds.harmonic(200), sounds.harmonic(500)]),
            np.concatenate([sounds.harmonic(200), sounds.harmonic(900)]),
            np.zeros(22050, np.float32),
        )
    ]
    assert set(fit_maps(described)) == set(MAP_NAMES)


@pytest.mark.parametrize(
    ("values", "positions"),
    [([0.0], [0.0]), ([0.0, 0.0], [0.0, 1.0]), ([0.0, 1.0], [0.0, 0.9]), ([0.0, 1.0], [0.0, 0.5, 1.0])],
)
def test_impossible_maps_are_refused(values, positions):
    with pytest.raises(ModelFileError):
        QuantileMap(np.array(values), np.array(positions))


def test_the_manifest_names_the_shipped_calibration(embedder):
    manifest = json.loads((MODEL_DIRECTORY / MANIFEST_FILE).read_text())
    assert manifest["files"][CALIBRATION_FILE] == embedder.digest
    assert manifest["corpus"]["speech"] > 0
    assert manifest["metrics"]["nearest_neighbour_accuracy"] > 0.8


def break_calibration(folder):
    (folder / CALIBRATION_FILE).write_text("{}")


def break_manifest(folder):
    (folder / MANIFEST_FILE).write_text("no JSON")


def list_manifest(folder):
    (folder / MANIFEST_FILE).write_text("[]")


def remove_calibration(folder):
    (folder / CALIBRATION_FILE).unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (break_calibration, "not the file"),
        (break_manifest, "not JSON"),
        (list_manifest, "object"),
        (remove_calibration, "cannot be read"),
    ],
)
def test_damaged_files_are_refused(tmp_path, damage, words):
    folder = tmp_path / "model"
    shutil.copytree(MODEL_DIRECTORY, folder)
    load_embedder(folder)
    damage(folder)
    with pytest.raises(ModelFileError, match=words) as caught:
        load_embedder(folder)
    assert str(tmp_path) not in str(caught.value)


def sign(folder, calibration):
    content = json.dumps(calibration).encode()
    (folder / CALIBRATION_FILE).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps({"files": {CALIBRATION_FILE: digest}}))


@pytest.mark.parametrize("entry", [{"values": [0, 1]}, {"values": "x", "positions": [0, 1]}, 5])
def test_malformed_calibrations_are_refused(tmp_path, entry):
    sign(tmp_path, {"maps": {"loudness": entry}})
    with pytest.raises(ModelFileError, match="malformed"):
        load_embedder(tmp_path)


def test_missing_maps_are_named(tmp_path):
    sign(tmp_path, {"maps": {"loudness": {"values": [0, 1], "positions": [0, 1]}}})
    with pytest.raises(ModelFileError, match="dynamics"):
        load_embedder(tmp_path)
    with pytest.raises(ModelFileError, match="lacks"):
        DescriptorEmbedder({}, digest="")

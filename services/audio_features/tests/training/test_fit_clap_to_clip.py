"""The job that fits the map from CLAP to CLIP."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soxr
import torch
from PIL import Image
from safetensors.numpy import load_file
from transformers import AutoTokenizer, ClapModel, CLIPModel, CLIPVisionModelWithProjection

from chladni_audio_features.embeddings.clap_to_clip import load_map
from chladni_audio_features.training import fit_clap_to_clip
from chladni_audio_features.training.caption_embeddings import ClapTexts
from chladni_audio_features.training.caption_grammar import draw_captions
from chladni_contract.weight_fingerprint import fingerprint
from chladni_runtime.models.files import ModelLoadingError

CAPTIONS = 1500


def manifest_of(directory):
    return json.loads((directory / "manifest.json").read_text())


def test_the_job_fits_text_to_text(map_directory, clap_directory, clip_directory, clap):
    manifest = manifest_of(map_directory)
    assert manifest["clap_space"] == clap.card.space
    vision = CLIPVisionModelWithProjection.from_pretrained(clip_directory)
    weights = {name: value.numpy() for name, value in vision.state_dict().items()}
    assert manifest["clip_space"] == f"clip-{fingerprint(weights)}"
    assert (manifest["captions"], manifest["held_out_captions"], manifest["images"]) == (1500, 150, 0)
    assert manifest["held_out"]["r_squared"] > 0.1
    assert manifest["held_out"]["recall_at_1"] > 3 / 150

    # A caption held out goes through the map as an embedding of a sound would.
    caption = draw_captions(count=CAPTIONS, seed=3)[:150]
    tokenizer = AutoTokenizer.from_pretrained(clap_directory)
    tokens = tokenizer(caption, return_tensors="pt", padding=True)
    inputs = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        heard = ClapModel.from_pretrained(clap_directory).get_text_features(**inputs).pooler_output.numpy()
        meant = CLIPModel.from_pretrained(clip_directory).get_text_features(**inputs).pooler_output.numpy()
    clip_map = load_map(map_directory)
    mapped = np.stack([clip_map.apply(row) for row in heard])
    np.testing.assert_allclose(np.linalg.norm(mapped, axis=1), manifest["norm"], rtol=1e-5)
    cosines = (mapped * meant).sum(1) / np.linalg.norm(mapped, axis=1) / np.linalg.norm(meant, axis=1)
    assert cosines.mean() == pytest.approx(manifest["held_out"]["cosine"], abs=1e-3)


def test_the_same_seed_gives_the_same_map(map_directory, fit_map):
    again = fit_map()
    assert (again / "map.safetensors").read_bytes() == (map_directory / "map.safetensors").read_bytes()
    assert manifest_of(again) == manifest_of(map_directory)


def test_images_move_the_results_to_their_side(fit_map, map_directory, tmp_path, clip_directory):
    rng = np.random.default_rng(4)
    for index in range(3):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(tmp_path / f"{index}.png")
    moved = fit_map("--images", tmp_path)
    plain_tensors, moved_tensors = (load_file(d / "map.safetensors") for d in (map_directory, moved))
    np.testing.assert_array_equal(plain_tensors["weight"], moved_tensors["weight"])
    assert np.abs(plain_tensors["bias"] - moved_tensors["bias"]).max() > 1e-3
    manifest = manifest_of(moved)
    assert manifest["images"] == 3
    assert manifest["held_out"] == manifest_of(map_directory)["held_out"]
    assert manifest["norm"] != manifest_of(map_directory)["norm"]


def test_clips_are_taken_for_captions(fit_map, map_directory, clap_directory, clap, files, sounds, tmp_path):
    """The mean clip goes where the mean caption goes by the map that was fitted on captions alone."""
    heard = []
    for pitch_hz in (220, 440, 3000):
        samples = sounds.harmonic(pitch_hz, 1.0)
        (tmp_path / f"{pitch_hz}.wav").write_bytes(files.encode(samples, subtype="FLOAT"))
        heard.append(clap.embed_samples(soxr.resample(samples, sounds.rate_hz, 48_000, quality="HQ")))
    directory = fit_map("--audio", tmp_path)
    said = ClapTexts(clap_directory).embed(draw_captions(count=CAPTIONS, seed=3))
    plain, moved = load_map(map_directory), load_map(directory)
    np.testing.assert_allclose(
        moved.weight @ np.mean(heard, axis=0) + moved.bias,
        plain.weight @ said.mean(axis=0) + plain.bias,
        atol=1e-3,
    )
    assert np.abs(moved.bias - plain.bias).max() > 0.1
    assert manifest_of(directory)["recordings"] == 3


def test_norm_and_ridge_can_be_given(fit_map):
    folder = fit_map("--norm", "17.5", "--ridge", "0.5")
    manifest = manifest_of(folder)
    assert (manifest["norm"], manifest["ridge"]) == (17.5, 0.5)
    mapped = load_map(folder).apply(np.eye(512, dtype=np.float32)[0])
    assert np.linalg.norm(mapped) == pytest.approx(17.5, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--captions", "3"], "--captions must be at least 20, but is 3"),
        (["--ridge", "0"], "--ridge must be more than 0"),
        (["--norm", "-1"], "--norm must be more than 0"),
        (["--images", "EMPTY"], "--images has no .jpg"),
        (["--audio", "EMPTY"], "--audio has no .wav"),
    ],
)
def test_impossible_jobs_are_explained(capsys, tmp_path, options, words):
    given = [str(tmp_path) if option == "EMPTY" else option for option in options]
    with pytest.raises(SystemExit):
        fit_clap_to_clip.main(["--clap", "a", "--clip", "b", "--out", "c", *given])
    assert words in capsys.readouterr().err


def test_what_is_no_clip_is_refused(clap_directory, tmp_path):
    words = ["--clap", clap_directory, "--clip", clap_directory, "--out", tmp_path]
    with pytest.raises(ModelLoadingError, match="is no CLIP: its model_type is clap"):
        fit_clap_to_clip.main([*map(str, words), "--captions", "20"])

"""The training of the alignment model: pairs, loss, augmentation, resumption, and what is exported."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from chladni_similarity.embedders.alignment_network import AlignmentConfig
from chladni_similarity.training import alignment_training, train_alignment
from chladni_similarity.training.alignment_training import (
    CheckpointError,
    Recipe,
    Training,
    Watch,
    contrastive_loss,
    train,
)
from chladni_similarity.training.augmentation import augment_audio, augment_images, compress
from chladni_similarity.training.pairs import PairsError, group_clips, read_pairs, split_pairs

SMALL = AlignmentConfig(
    audio_width=32,
    stem_channels=8,
    stage_channels=[8, 8, 16, 16],
    stage_blocks=[1, 1, 1, 1],
    layout_channels=4,
)


@pytest.fixture
def write_pairs(make_pairs, tmp_path):
    def write(count=8, seed=1, name="pairs.safetensors", **changes):
        content = {**make_pairs(count, seed), **changes}
        path = tmp_path / name
        save_file({key: value for key, value in content.items() if value is not None}, path)
        return path

    return write


def test_unseen_sounds_and_images_find_each_other(alignment_directory):
    manifest = json.loads((alignment_directory / "manifest.json").read_text())
    metrics = manifest["metrics"]
    assert metrics["gallery"] == 32  # chance: 0.03 and 0.16
    for direction in ("sound_to_image", "image_to_sound"):
        assert metrics[f"{direction}.r1"] > 0.25
        assert metrics[f"{direction}.r5"] > 0.6


def test_the_exported_directory_is_complete(alignment_directory):
    names = {path.name for path in alignment_directory.iterdir()}
    assert names == {"config.json", "model.safetensors", "calibration.json", "manifest.json", "README.md"}
    manifest = json.loads((alignment_directory / "manifest.json").read_text())
    assert manifest["sha256"].keys() == names - {"manifest.json", "README.md"}
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((alignment_directory / name).read_bytes()).hexdigest() == digest
    training = manifest["training"]
    assert training["data"] == {
        "training_pairs": 288,
        "held_out_pairs": 32,
        "sources": training["data"]["sources"],
    }
    assert sum(training["data"]["sources"].values()) == 288
    assert training["recipe"]["steps"] == 30
    assert "--pairs pairs.safetensors --steps 30" in training["command"]
    assert str(alignment_directory.parent) not in json.dumps(manifest)
    card = (alignment_directory / "README.md").read_text()
    assert training["command"] in card
    assert str(alignment_directory.parent) not in card


def test_a_stopped_training_goes_on_as_if_it_had_not_been_stopped(write_pairs, tmp_path, monkeypatch):
    pairs, held_out = split_pairs(read_pairs([write_pairs(24)]), share=0.2, seed=1)
    recipe = Recipe(steps=5, batch_size=6, use_bfloat16=False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = Training.begin(recipe, SMALL, "cpu")
    train(whole, pairs, held_out, Watch(tmp_path / "whole.pt", checkpoint_every=100))

    def stop(*_):
        raise KeyboardInterrupt

    watch = Watch(tmp_path / "halves.pt", checkpoint_every=2)
    halved = Training.begin(recipe, SMALL, "cpu")
    with monkeypatch.context() as patch:
        patch.setattr(alignment_training, "measure_retrieval", stop)
        with pytest.raises(KeyboardInterrupt):
            train(halved, pairs, held_out, watch)
    resumed = Training.begin(recipe, SMALL, "cpu")
    resumed.resume(watch.checkpoint)
    assert resumed.step == 2
    train(resumed, pairs, held_out, watch)
    torch.set_num_threads(threads)
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name
    with pytest.raises(CheckpointError, match="another learning_rate, steps"):
        Training.begin(replace(recipe, steps=9, learning_rate=1e-4), SMALL, "cpu").resume(watch.checkpoint)


def test_every_row_is_seen_once_an_epoch_from_wherever_it_starts():
    recipe = Recipe(steps=100, batch_size=5)
    batches = alignment_training._batches(15, recipe, first_step=0)
    steps = [next(batches) for _ in range(7)]
    assert sorted(torch.cat(steps[:3]).tolist()) == list(range(15))
    assert sorted(torch.cat(steps[3:6]).tolist()) == list(range(15))
    assert not torch.equal(torch.cat(steps[:3]), torch.cat(steps[3:6]))
    later = alignment_training._batches(15, recipe, first_step=4)
    assert torch.equal(next(later), steps[4])


def test_the_loss_is_the_mean_of_both_cross_entropies():
    logits = torch.randn(5, 5, generator=torch.Generator().manual_seed(1))
    rows = -logits.log_softmax(dim=1).diagonal().mean()
    columns = -logits.log_softmax(dim=0).diagonal().mean()
    torch.testing.assert_close(contrastive_loss(logits, torch.arange(5)), (rows + columns) / 2)


def test_images_of_one_sound_are_right_for_each_other():
    clip = torch.tensor([0, 0, 1])
    blocks = torch.tensor([[9.0, 9.0, 0.0], [9.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    diagonal = 9 * torch.eye(3)
    assert contrastive_loss(blocks, clip) < contrastive_loss(diagonal, clip)
    assert contrastive_loss(diagonal, torch.arange(3)) < contrastive_loss(blocks, torch.arange(3))


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_augmentation_keeps_colours_and_sides(seed):
    torch.manual_seed(seed)
    images = torch.zeros(4, 3, 128, 128, dtype=torch.uint8)
    images[:, 0, :, :64] = 200  # red on the left
    images[:, 2, :, 64:] = 200  # blue on the right
    changed = augment_images(images)
    assert changed.shape == images.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    left, right = changed[:, :, :, :40].mean(dim=(2, 3)), changed[:, :, :, -40:].mean(dim=(2, 3))
    assert (left.argmax(dim=1) == 0).all()
    assert (right.argmax(dim=1) == 2).all()
    assert not torch.equal(changed, images / 255)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**31), noise=st.floats(0, 0.1))
def test_noise_on_sounds_stays_small_and_in_range(seed, noise):
    torch.manual_seed(seed)
    sounds = torch.rand(4, 152)
    changed = augment_audio(sounds, noise)
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert (changed - sounds).abs().max() <= 6 * noise


def test_compression_costs_more_the_lower_the_quality(random_image):
    images = torch.from_numpy(random_image(3, 128, 128)).permute(2, 0, 1)[None] / 255
    errors = [float((compress(images, quality) - images).pow(2).mean()) for quality in (100, 75, 30, 5)]
    assert errors[0] < 1e-5
    assert errors == sorted(errors)


def test_rows_of_one_sound_stay_together(write_pairs, make_pairs):
    once = make_pairs(20, seed=2)
    twice = {name: torch.cat([value, value]) for name, value in once.items()}
    pairs = read_pairs([write_pairs(**twice), write_pairs(20, seed=3, name="other.safetensors")])
    assert len(pairs) == 60
    rest, held_out = split_pairs(pairs, share=0.25, seed=5)
    assert not set(rest.clip.tolist()) & set(held_out.clip.tolist())
    assert len(rest) + len(held_out) == 60
    assert len(set(held_out.clip.tolist())) == 10
    assert set(split_pairs(pairs, share=0.25, seed=6)[1].clip.tolist()) != set(held_out.clip.tolist())


def test_variants_of_a_sound_count_as_that_sound():
    generator = torch.Generator().manual_seed(1)
    recorded = torch.rand(5, 152, generator=generator)
    rows = torch.randint(5, (60,), generator=generator)
    sounds = (recorded[rows] + 0.02 * torch.randn(60, 152, generator=generator)).clamp(0, 1)
    clip = group_clips(sounds)
    assert torch.equal(clip[:, None] == clip[None], rows[:, None] == rows[None])
    assert clip.max() == len(set(rows.tolist())) - 1
    # Steps that are each short join what is far apart.
    chain = torch.zeros(4, 152)
    chain[:, 0] = torch.tensor([0.0, 0.4, 0.8, 0.9])
    chain[3, 1] = 1.0
    assert group_clips(chain).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"source": None}, "lacks the tensor 'source'"),
        ({"sounds": torch.zeros(8, 24)}, r"must be torch\.float32 of shape \(N, \*\(152,\)\)"),
        ({"images": torch.zeros(8, 3, 64, 64, dtype=torch.uint8)}, "images is"),
        ({"images": torch.zeros(8, 3, 128, 128)}, "images is"),
        ({"source": torch.zeros(7, dtype=torch.uint8)}, "equally many"),
        ({"source": torch.full((8,), 2, dtype=torch.uint8)}, "source holds 2"),
        ({"sounds": torch.full((8, 152), 1.01)}, "outside 0 to 1"),
        ({"sounds": torch.full((8, 152), torch.nan)}, "outside 0 to 1"),
    ],
)
def test_a_file_of_something_else_is_refused(write_pairs, changes, complaint):
    with pytest.raises(PairsError, match=complaint):
        read_pairs([write_pairs(**changes)])


def test_the_command_line_says_what_is_wrong(write_pairs, tmp_path, capsys):
    (tmp_path / "text").write_text("no tensors")
    for path, complaint in ((tmp_path / "text", "no safetensors file"), (tmp_path / "none", "No such file")):
        assert train_alignment.main(["--pairs", str(path)]) == 1
        assert complaint in capsys.readouterr().err
    assert train_alignment.main(["--pairs", str(write_pairs(4))]) == 1
    assert "there are 4 pairs, must be at least 8" in capsys.readouterr().err


def test_the_help_teaches(capsys):
    with pytest.raises(SystemExit):
        train_alignment.main(["--help"])
    told = capsys.readouterr().out
    for word in ("safetensors", "R@1", "--fresh", "chladni-descriptors-v2"):
        assert word in told

"""The space of CLIP's image embeddings: named alike by everyone who has the vision tower."""

from __future__ import annotations

import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from chladni_contract.weight_fingerprint import fingerprint
from chladni_image_generation.families.common.clip_image_space import clip_image_space
from chladni_image_generation.models.files import ModelFilesError, find_model_files
from chladni_image_generation.testing.untrained_checkpoints.stable_unclip import vision_tower

LAYERS = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 1}


@pytest.fixture(scope="module")
def clip_directory(tmp_path_factory):
    torch.manual_seed(3)
    text = {**LAYERS, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**LAYERS, "image_size": 8, "patch_size": 4}
    directory = tmp_path_factory.mktemp("models") / "clip"
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)).save_pretrained(
        directory
    )
    return directory


@pytest.fixture
def directory(tmp_path, clip_directory):
    directory = tmp_path / "model"
    vision_tower(clip_directory).save_pretrained(directory / "image_encoder")
    return directory


def space_of(directory):
    return clip_image_space(find_model_files(str(directory), is_addition=True), owner="model")


def test_a_clip_gives_its_vision_tower_the_same_name(directory, clip_directory):
    clip = CLIPModel.from_pretrained(clip_directory)
    weights = {
        name: tensor.numpy()
        for name, tensor in clip.state_dict().items()
        if name.startswith(("vision_model.", "visual_projection."))
    }
    space = space_of(directory)
    assert space.name == f"clip-{fingerprint(weights)}"
    assert space.size == 32
    assert space.limits is None


def test_half_precision_does_not_change_the_name(tmp_path, directory, clip_directory):
    vision_tower(clip_directory).half().save_pretrained(tmp_path / "half" / "image_encoder")
    assert space_of(tmp_path / "half") == space_of(directory)


def test_one_other_weight_does(tmp_path, directory, clip_directory):
    tower = vision_tower(clip_directory)
    tower.visual_projection.weight.data[0, 0] += 0.1
    tower.save_pretrained(tmp_path / "other" / "image_encoder")
    assert space_of(tmp_path / "other").name != space_of(directory).name


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def replace_weights(path):
    save_file({"vision_model.embeddings.class_embedding": torch.zeros(16)}, path)


DAMAGES = [
    ("image_encoder", shutil.rmtree, r"has no image_encoder/config\.json"),
    ("image_encoder/config.json", lambda path: path.write_text("{"), "cannot be loaded"),
    ("image_encoder/model.safetensors", lambda path: path.unlink(), "cannot be loaded"),
    ("image_encoder/model.safetensors", truncate, "cannot be loaded"),
    ("image_encoder/model.safetensors", replace_weights, r"lacks \d+ of the weights"),
]


@pytest.mark.parametrize(("name", "damage", "complaint"), DAMAGES)
def test_a_damaged_tower_is_refused_without_telling_paths(tmp_path, directory, name, damage, complaint):
    damage(directory / name)
    with pytest.raises(ModelFilesError, match=complaint) as caught:
        space_of(directory)
    assert "'model'" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)

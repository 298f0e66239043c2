from __future__ import annotations

import json
import os
import struct
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import torch

from chladni_contract.errors import ChladniError, InvalidInputError, NotFoundError, Reason
from chladni_runtime.files import write_temporary
from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.anomaly.autoencoder import AutoencoderEncoder, SpectrogramEncoder
from chladni_similarity.anomaly.detector import fit_normal_set, judge_windows
from chladni_similarity.anomaly.encoders import EncoderLoader, MelStatistics
from chladni_similarity.anomaly.normal_set import NormalSetFileError, NormalSetInfo, from_bytes, to_bytes
from chladni_similarity.anomaly.normal_set_store import NormalSetStore
from chladni_similarity.anomaly.windows import Spectrogram, scored_windows

LOADER = EncoderLoader()


def info(name="pump", **more):
    return NormalSetInfo(name=name, clip_count=0, window_count=0, encoder="mel-statistics", **more)


@pytest.fixture(scope="module")
def clips(draw):
    return [draw(seed, seconds=20) for seed in range(3)]


@pytest.fixture(scope="module")
def normal_set(clips):
    return fit_normal_set(info(shaft_hz=25.0, description="the pump"), clips, MelStatistics())


def renamed(normal_set, name):
    return replace(normal_set, info=replace(normal_set.info, name=name))


def test_counts_are_found(normal_set):
    assert normal_set.info.clip_count == 3
    assert normal_set.info.window_count >= 18
    assert normal_set.info.audio_seconds == pytest.approx(60, abs=0.1)


def test_too_little_audio_is_refused_with_what_to_do(draw):
    with pytest.raises(InvalidInputError, match="about a minute") as caught:
        fit_normal_set(info(), [draw(1, seconds=3)], MelStatistics())
    assert caught.value.violations[0].field == "audio"


def test_silence_shows_no_range():
    silence = Spectrogram(np.zeros((128, 2000), np.float32))
    with pytest.raises(InvalidInputError, match="the same all the time"):
        fit_normal_set(info(), [silence], MelStatistics())


def test_one_clip_sent_several_times_is_taken(draw):
    clip = draw(1, seconds=12)
    made = fit_normal_set(info(), [clip, clip, clip], MelStatistics())
    assert judge_windows(made, scored_windows(clip))[0].score < 9


def test_short_clips_give_windows_enough(draw):
    made = fit_normal_set(info(), [draw(seed, seconds=10) for seed in range(6)], MelStatistics())
    assert made.info.window_count >= 18


def test_a_file_holds_the_same_set(normal_set, draw):
    again = from_bytes(to_bytes(normal_set), LOADER)
    assert again.info == normal_set.info
    windows = scored_windows(draw(50, tone=0.01))
    (score, attributes), (expected, same) = (judge_windows(item, windows) for item in (again, normal_set))
    assert attributes == same
    assert score.score == pytest.approx(expected.score, rel=1e-12)
    assert score.distance == pytest.approx(expected.distance, rel=1e-12)
    assert again.model.ranges == normal_set.model.ranges


def test_an_autoencoder_travels_with_its_set(clips, draw):
    torch.manual_seed(1)
    encoder = AutoencoderEncoder(SpectrogramEncoder())
    facts = NormalSetInfo(
        name="a", clip_count=0, window_count=0, encoder="autoencoder", backend="mahalanobis"
    )
    made = fit_normal_set(facts, clips, encoder, encoder.weights())
    again = from_bytes(to_bytes(made), LOADER)
    windows = scored_windows(draw(50))
    assert judge_windows(again, windows)[0] == judge_windows(made, windows)[0]


@pytest.mark.parametrize("content", [b"", b"x" * 7, b"\xff" * 64, b"PK\x03\x04" + b"\0" * 200])
def test_other_files_are_refused(content):
    with pytest.raises(NormalSetFileError):
        from_bytes(content, LOADER)


def test_a_set_of_another_version_is_refused(normal_set):
    content = to_bytes(normal_set).replace(b"chladni-normal-set-1", b"chladni-normal-set-9")
    with pytest.raises(NormalSetFileError, match="set-9"):
        from_bytes(content, LOADER)


def test_a_cut_off_file_is_refused(normal_set):
    with pytest.raises(NormalSetFileError):
        from_bytes(to_bytes(normal_set)[:-100], LOADER)


@pytest.fixture(params=["memory", "folder"])
def store(request, tmp_path):
    folder = tmp_path / "sets" if request.param == "folder" else None
    return NormalSetStore(folder, max_sets=2, load_encoder=LOADER)


def test_a_store_keeps_lists_and_deletes(store, normal_set):
    assert store.list() == []
    store.put(normal_set, replace=False)
    assert [item.name for item in store.list()] == ["pump"]
    assert store.get("pump").info == store.get("").info == normal_set.info
    assert store.delete("pump")
    assert not store.delete("pump")
    with pytest.raises(NotFoundError, match="no normal set here yet") as caught:
        store.get("pump")
    assert caught.value.reason is Reason.UNKNOWN_NORMAL_SET


def test_a_name_is_taken_once_unless_it_is_replaced(store, normal_set):
    store.put(normal_set, replace=False)
    with pytest.raises(ChladniError) as caught:
        store.put(normal_set, replace=False)
    assert caught.value.reason is Reason.NORMAL_SET_EXISTS
    store.put(normal_set, replace=True)


def test_a_store_has_a_limit(store, normal_set):
    store.put(normal_set, replace=False)
    store.put(renamed(normal_set, "fan"), replace=False)
    with pytest.raises(ChladniError) as caught:
        store.check_room("third", replace=True)
    assert caught.value.reason is Reason.NORMAL_SETS_FULL
    assert caught.value.metadata["maximum"] == "2"


def test_the_empty_name_is_the_only_set_or_the_default(store, normal_set):
    store.put(normal_set, replace=False)
    store.put(renamed(normal_set, "fan"), replace=False)
    with pytest.raises(NotFoundError, match="several"):
        store.get("")
    store.delete("fan")
    store.put(renamed(normal_set, "default"), replace=False)
    assert store.get("").info.name == "default"


def test_a_folder_is_shared_and_damaged_files_are_left_out(tmp_path, normal_set, caplog):
    first, second = (NormalSetStore(tmp_path, max_sets=9, load_encoder=LOADER) for _ in range(2))
    first.put(normal_set, replace=False)
    assert [item.name for item in second.list()] == ["pump"]
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    (tmp_path / "Not A Name.safetensors").write_bytes(b"no")
    assert [item.name for item in second.list()] == ["pump"]
    assert "left out" in caplog.text
    assert first.delete("pump")
    assert second.list() == []


def test_what_a_killed_process_left_goes_with_the_next_set(tmp_path, normal_set):
    os.utime(write_temporary(tmp_path, b"part"), (0, 0))
    NormalSetStore(tmp_path, max_sets=9, load_encoder=LOADER).put(normal_set, replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["pump.safetensors"]


def altered(content, alter):
    """The same file with other facts and arrays."""
    (length,) = struct.unpack_from("<Q", content)
    metadata = json.loads(content[8 : 8 + length])["__metadata__"]
    facts, tensors = json.loads(metadata["normal_set"]), safetensors.numpy.load(content)
    facts = alter(facts, tensors) or facts
    return safetensors.numpy.save(tensors, metadata={**metadata, "normal_set": json.dumps(facts)})


@pytest.mark.parametrize(
    "alter",
    [
        lambda facts, tensors: facts.update(ranges=[]),
        lambda facts, tensors: facts.update(ranges={"brightness": ["much", 1]}),
        lambda facts, tensors: facts.update(backend="nonsense"),
        lambda facts, tensors: facts.update(encoder="efficientnet-lite0"),
        lambda facts, tensors: facts.update(shaft_hz="25"),
        lambda facts, tensors: facts.update(clip_count="many"),
        lambda facts, tensors: facts.update(audio_seconds=1e300),
        lambda facts, tensors: facts.update(description="\udcff"),
        lambda facts, tensors: tensors.update(row_means=np.zeros(3)),
        lambda facts, tensors: tensors.update(fusion=np.zeros(2)),
        lambda facts, tensors: tensors.update({"mahalanobis.state.mean": np.zeros(7)}),
        lambda facts, tensors: tensors.update({"cosine-knn.moments": np.array([np.nan, 1.0])}),
    ],
)
def test_files_whose_parts_do_not_fit_together_are_left_out(tmp_path, normal_set, alter):
    def load(name, weights):
        if name == "efficientnet-lite0":
            raise ModelLoadingError("its weights are not there")
        return LOADER(name, weights)

    store = NormalSetStore(tmp_path, max_sets=9, load_encoder=load)
    store.put(normal_set, replace=False)
    (tmp_path / "odd.safetensors").write_bytes(altered(to_bytes(normal_set), alter))
    assert [item.name for item in store.list()] == ["pump"]


def test_a_copied_file_goes_by_its_own_name_and_other_things_are_left_out(tmp_path, normal_set):
    (tmp_path / "fan.safetensors").write_bytes(to_bytes(normal_set))
    (tmp_path / "folder.safetensors").mkdir()
    os.mkfifo(tmp_path / "pipe.safetensors")
    store = NormalSetStore(tmp_path, max_sets=9, load_encoder=LOADER)
    assert [item.name for item in store.list()] == ["fan"]
    assert store.get("fan").info.name == "fan"


def test_a_folder_that_cannot_be_written_to_is_reported(tmp_path, normal_set):
    (tmp_path / "file").write_text("")
    store = NormalSetStore(tmp_path / "file" / "sets", max_sets=9, load_encoder=LOADER)
    with pytest.raises(ChladniError) as caught:
        store.put(normal_set, replace=False)
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE


def test_unknown_encoders_are_refused():
    with pytest.raises(ValueError, match="no encoder"):
        LOADER("nonsense", {})
    with pytest.raises(ValueError, match="weights"):
        LOADER("autoencoder", {})

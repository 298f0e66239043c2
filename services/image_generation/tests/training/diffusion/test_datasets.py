"""Each layout gives the same images, and a damaged one is named."""

from __future__ import annotations

import gzip
import io
import tarfile

import numpy as np
import pytest
from PIL import Image

from chladni_image_generation.training.diffusion.datasets import read_images
from chladni_training.errors import DataError


def test_idx_files_are_read_wherever_they_lie(write_idx, tmp_path):
    plain = read_images(write_idx(tmp_path / "plain"))
    assert plain.train.shape == (64, 1, 8, 8)
    assert plain.test.shape == (16, 1, 8, 8)
    assert plain.train_labels[:5].tolist() == [0, 1, 2, 3, 0]
    assert plain.class_names == ("0", "1", "2", "3")
    npm = read_images(write_idx(tmp_path / "npm" / "package" / "data").parents[1])
    assert npm.digest == plain.digest
    compressed = write_idx(tmp_path / "compressed")
    for path in list(compressed.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert read_images(compressed).digest == plain.digest


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("train-images-idx3-ubyte", lambda content: content[:-1], "has 4095 values, must have 64x8x8"),
        ("train-images-idx3-ubyte", lambda content: b"\x89PNG" + content, "is no IDX file of images"),
        ("t10k-images-idx3-ubyte", lambda _: None, "is missing, and t10k-images-idx3-ubyte.gz too"),
        ("train-labels-idx1-ubyte", lambda _: b"", "is no IDX file of labels"),
        ("train-labels-idx1-ubyte.gz", lambda _: b"no gzip", "cannot be read"),
    ],
)
def test_damaged_idx_files_are_named(write_idx, tmp_path, name, change, complaint):
    folder = write_idx(tmp_path)
    plain = folder / name.removesuffix(".gz")
    content = change(plain.read_bytes())
    plain.unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read_images(folder)


def test_labels_must_be_as_many_as_images(write_idx, tmp_path):
    folder = write_idx(tmp_path / "one")
    other = write_idx(tmp_path / "other", train=32)
    (other / "train-labels-idx1-ubyte").rename(folder / "train-labels-idx1-ubyte")
    with pytest.raises(DataError, match="has 64 images and 32 labels"):
        read_images(folder)


def cifar_files():
    rng = np.random.default_rng(0)
    names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    files = {name: rng.integers(0, 10, (4, 3073), np.uint8).tobytes() for name in names}
    return files | {"batches.meta.txt": b"plane\ncar\n"}


def test_cifars_binary_files_are_read_packed_and_unpacked(tmp_path):
    packed, unpacked = tmp_path / "packed", tmp_path / "unpacked"
    packed.mkdir()
    unpacked.mkdir()
    with tarfile.open(packed / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name, content in cifar_files().items():
            (unpacked / name).write_bytes(content)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    images = read_images(packed)
    assert images.train.shape == (20, 3, 32, 32)
    assert images.test.shape == (4, 3, 32, 32)
    assert images.class_names == ("plane", "car")
    assert read_images(unpacked).digest == images.digest
    (unpacked / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"lacks data_batch_3\.bin"):
        read_images(unpacked)
    (unpacked / "data_batch_3.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="is damaged"):
        read_images(unpacked)
    (packed / "cifar-10-binary.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        read_images(packed)


def save_images(folder, count, size=(12, 12), mode="L"):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.new(mode, size, number if mode == "L" else (number, 0, 0)).save(folder / f"{number}.png")


def test_a_folder_of_images_is_split_and_its_folders_are_classes(tmp_path):
    for name in ("cat", "dog"):
        save_images(tmp_path / name, 20)
    images = read_images(tmp_path, seed=1)
    assert (images.train.shape, images.test.shape) == ((36, 1, 12, 12), (4, 1, 12, 12))
    assert images.class_names == ("cat", "dog")
    assert read_images(tmp_path, seed=1).digest == images.digest != read_images(tmp_path, seed=2).digest


def test_folders_train_and_test_are_taken_as_they_are(tmp_path):
    save_images(tmp_path / "train", 5, mode="RGB")
    save_images(tmp_path / "test", 2)
    images = read_images(tmp_path)
    assert (images.train.shape, images.test.shape) == ((5, 3, 12, 12), (2, 3, 12, 12))
    assert images.train_labels is None


def test_images_of_several_sizes_are_scaled_when_asked(tmp_path):
    save_images(tmp_path / "wide", 5, size=(30, 10))
    save_images(tmp_path / "large", 5, size=(100, 100))
    with pytest.raises(DataError, match="say with --image-size"):
        read_images(tmp_path)
    assert read_images(tmp_path, size_pixels=16).train.shape == (9, 1, 16, 16)


def test_what_is_no_image_is_named(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        read_images(tmp_path / "missing")
    with pytest.raises(DataError, match="nor enough images"):
        read_images(tmp_path)
    save_images(tmp_path, 3)
    (tmp_path / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3\.png is no image"):
        read_images(tmp_path)

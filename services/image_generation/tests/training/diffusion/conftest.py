"""Small sets of images for tests."""

from __future__ import annotations

import numpy as np
import pytest

SIDE = 8


def idx(array):
    """The bytes of an IDX file."""
    magic = 0x0800 + array.ndim
    sides = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return magic.to_bytes(4, "big") + sides + array.tobytes()


def bars(count, seed):
    """Images (N, 8, 8) of a bright bar in one of four rows, and their labels: the row."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.uint8) % 4
    images = rng.integers(0, 30, (count, SIDE, SIDE), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] += rng.integers(150, 220, dtype=np.uint8)
    return images, labels


@pytest.fixture
def write_idx():
    """Write a set of images as IDX files."""

    def write(folder, *, train=64, test=16):
        folder.mkdir(parents=True, exist_ok=True)
        for part, count in (("train", train), ("t10k", test)):
            images, labels = bars(count, seed=count)
            (folder / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
        return folder

    return write

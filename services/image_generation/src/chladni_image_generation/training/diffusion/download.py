"""Published sets of small images: fetched once, their sizes and digests checked, resumable."""

from __future__ import annotations

import hashlib
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chladni_training.errors import DataError, StorageError

_CHUNK_BYTES: Final = 1 << 18
_TIMEOUT_SECONDS: Final = 60
_ALGORITHMS: Final = {32: "md5", 64: "sha256"}
"""By the length of the digest: Fashion-MNIST's publisher gives MD5."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to fetch.

    Attributes:
        url: Where it is.
        size_bytes: Its size.
        digest: Its SHA-256, or its MD5.
    """

    url: str
    size_bytes: int
    digest: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.url.rpartition("/")[2]


_MNIST: Final = "https://storage.googleapis.com/cvdf-datasets/mnist"
_FASHION: Final = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion"

PUBLISHED: Final[Mapping[str, Sequence[RemoteFile]]] = {
    "mnist": (
        RemoteFile(
            f"{_MNIST}/train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            f"{_MNIST}/train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            f"{_MNIST}/t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "fashion-mnist": (
        RemoteFile(f"{_FASHION}/train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        RemoteFile(f"{_FASHION}/train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
        RemoteFile(f"{_FASHION}/t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
        RemoteFile(f"{_FASHION}/t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
    ),
    "cifar10": (
        RemoteFile(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            170_052_171,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
}
"""Files by the name of their set."""


def download(files: Sequence[RemoteFile], folder: Path) -> None:
    """Fetch the files that a folder does not have yet; one that was cut short is continued.

    Raises:
        DataError: One cannot be fetched, or it is not the one that was published.
        StorageError: One cannot be written.
    """
    for file in files:
        destination = folder / file.name
        if destination.is_file() and destination.stat().st_size == file.size_bytes:
            _require_digest(destination, file)
            continue
        partial = destination.with_name(destination.name + ".partial")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _fetch(file, partial)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            raise DataError(
                f"{file.url} cannot be fetched ({getattr(error, 'reason', error)}); run the same command "
                "again, which goes on where it stopped, or put the file into the folder yourself"
            ) from error
        except OSError as error:
            raise StorageError(f"{partial} cannot be written: {error.strerror}") from error
        _require_digest(partial, file)
        partial.replace(destination)


def _fetch(file: RemoteFile, partial: Path) -> None:
    """Fetch what a partial file lacks."""
    have = partial.stat().st_size if partial.exists() else 0
    if have > file.size_bytes:
        have = 0
    if have == file.size_bytes:
        return
    request = urllib.request.Request(file.url)  # noqa: S310 -- the addresses are those above
    if have:
        request.add_header("Range", f"bytes={have}-")
    print(f"Fetching {file.url} ({file.size_bytes / 1e6:.1f} MB)", file=sys.stderr)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        continues = answer.status == 206
        with partial.open("ab" if continues else "wb") as target:
            while chunk := answer.read(_CHUNK_BYTES):
                target.write(chunk)
                if target.tell() > file.size_bytes:
                    break


def _require_digest(path: Path, file: RemoteFile) -> None:
    size_bytes = path.stat().st_size
    if size_bytes < file.size_bytes:
        raise DataError(
            f"{file.url} ended after {size_bytes} of {file.size_bytes} bytes; run the same command again, "
            "which goes on where it stopped"
        )
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, _ALGORITHMS[len(file.digest)]).hexdigest()
    if size_bytes != file.size_bytes or digest != file.digest:
        path.unlink()
        raise DataError(
            f"{file.url} is not the file that was published: {size_bytes} bytes, digest {digest}; must be "
            f"{file.size_bytes}, {file.digest}. It was removed"
        )

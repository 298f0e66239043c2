"""Files written whole or not at all, and digests of data."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from chladni_training.errors import StorageError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def model_directory(checkpoint: Path, manifest_name: str) -> Path:
    """Return the directory that a run's model is exported to: its checkpoint without the suffix.

    Args:
        checkpoint: The run's checkpoint.
        manifest_name: Name of a file that every exported model of the kind has.

    Raises:
        StorageError: The checkpoint has no suffix, or something else would be replaced by the model.
    """
    directory = checkpoint.with_suffix("")
    if directory == checkpoint:
        raise StorageError(
            f"the checkpoint {checkpoint} has no suffix, so the model's directory would have its name; add "
            ".pt to --checkpoint"
        )
    if directory.exists() and not (directory / manifest_name).is_file():
        raise StorageError(
            f"{directory}, where the model is to be written, exists and is no exported model; name another "
            "file with --checkpoint, or move it away"
        )
    return directory


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its destination, wait until the disk has it, and move it there in one step.

    However the process or the machine ends, the destination holds the old content or the new one.

    Raises:
        StorageError: It cannot be written; what was there before is intact.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        kept = "; the one written before is intact" if path.exists() else ""
        if error.errno in _FULL:
            raise StorageError(
                f"{path} cannot be written, the disk is full{kept}. Free {len(content) / 1e6:.1f} MB and run "
                "the same command again"
            ) from error
        raise StorageError(f"{path} cannot be written ({error.strerror}){kept}") from error


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object as indented JSON, whole or not at all."""
    write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write an array as NumPy's file, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_whole(path, buffer.getvalue())


def digest_of_arrays(*arrays: npt.NDArray[Any]) -> str:
    """Return the SHA-256 over the types, shapes and values of arrays, in their order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()

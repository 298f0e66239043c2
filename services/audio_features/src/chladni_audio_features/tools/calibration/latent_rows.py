"""Latents of any number of clips in one file.

The format is safetensors (https://github.com/huggingface/safetensors#format): the length of the header, the
header as JSON, the values. How many rows there will be and what scales them is known only at the end, so rows
wait in a temporary file, and memory holds one of them at a time.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from chladni_audio_features.latents.calibration import CalibrationError, LatentCalibration
from chladni_audio_features.latents.initial_latents import LatentShape
from chladni_runtime.files import FOR_ALL, whole_file

_MAX_HEADER_BYTES: Final = 100_000_000  # what readers of the format accept
_BYTES_BESIDE_LABELS: Final = 4096


class LatentRows:
    """Rows that wait for the calibration of all of them; to be used in a `with` statement.

    Args:
        folder: Where they wait; the place needs as much room as the finished file.
        value_count: Values in a row.

    Raises:
        OSError: Nothing can be written there.
    """

    def __init__(self, folder: Path, value_count: int) -> None:
        self._row_bytes = 4 * value_count
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._names: list[str] = []
        self._digests: list[str] = []
        self._label_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, values: npt.NDArray[np.float32], *, name: str, sha256: str) -> None:
        """Add the row of a clip, (V,).

        Raises:
            CalibrationError: There are more names than one file can hold.
            OSError: It cannot be written.
        """
        # Each list is a JSON text inside a JSON text, where quotes are escaped.
        self._label_bytes += len(json.dumps(json.dumps([name, sha256])))
        if self._label_bytes + _BYTES_BESIDE_LABELS > _MAX_HEADER_BYTES:
            raise CalibrationError(
                f"a file of latents can name {len(self._names)} of these clips and no more; write the "
                "latents of fewer clips, directory by directory"
            )
        self._file.write(values.astype("<f4").tobytes())
        self._names.append(name)
        self._digests.append(sha256)

    def save(self, path: Path, *, shape: LatentShape, calibration: LatentCalibration) -> None:
        """Write the rows as ``latents`` of shape (N, C, H, W), scaled by the calibration; all or nothing.

        A file that ends in .npy holds the array alone; any other one is in the format of safetensors, with
        the names and the digests of the clips.

        Raises:
            OSError: It cannot be written.
        """
        scaled = map(calibration.z_score, self._rows())
        if path.suffix == ".npy":
            self._write(path, _npy_header((len(self._names), *shape)), scaled)
            return
        count = len(self._names)
        header = {
            "__metadata__": {
                "calibration_digest": calibration.digest,
                "names": json.dumps(self._names),
                "audio_sha256": json.dumps(self._digests),
            },
            "latents": {
                "dtype": "F32",
                "shape": [count, *shape],
                "data_offsets": [0, count * self._row_bytes],
            },
        }
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self._write(path, len(text).to_bytes(8, "little") + text, scaled)

    def save_vectors(self, path: Path) -> None:
        """Write the rows as they are, (N, values), as a .npy file; all or nothing.

        Raises:
            OSError: It cannot be written.
        """
        shape = (len(self._names), self._row_bytes // np.dtype("<f4").itemsize)
        self._write(path, _npy_header(shape), self._rows())

    def _write(self, path: Path, header: bytes, rows: Iterable[npt.NDArray[np.float32]]) -> None:
        with whole_file(path.resolve(), mode=FOR_ALL) as file:
            file.write(header)
            for row in rows:
                file.write(row.astype("<f4").tobytes())

    def _rows(self) -> Iterator[npt.NDArray[np.float32]]:
        self._file.seek(0)
        while row := self._file.read(self._row_bytes):
            yield np.frombuffer(row, "<f4")


def _npy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()

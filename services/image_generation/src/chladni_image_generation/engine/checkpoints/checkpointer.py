"""Checkpoints in a folder, each under a name that only an identical computation has."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from chladni_image_generation.engine.batching import BatchGroup
from chladni_image_generation.engine.checkpoints.sampler_state import (
    UnknownStateError,
    decode_state,
    encode_state,
)
from chladni_image_generation.engine.sampler import Sampler

if TYPE_CHECKING:
    from chladni_image_generation.engine.executor import ExecutionState
    from chladni_image_generation.models.interface import LatentDiffusionModel

_log = logging.getLogger(__name__)

MAX_BYTES: Final = 256 * 1024**2
"""Bytes of checkpoints at most; the oldest are removed first."""
RETENTION_SECONDS: Final = 3600.0
"""Time after which a checkpoint is removed."""
_SWEEP_SECONDS: Final = 60.0
_DIGEST_BYTES: Final = 32


class CheckpointFolder:
    """Named bytes in a folder that several processes may share. A fault of the folder is logged, no more.

    Args:
        path: The folder; made if absent.
        interval_seconds: Computing time of a request between two checkpoints.
        clock: The time of the files' dates, in seconds.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(
        self, path: Path, *, interval_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self.interval_seconds: Final = interval_seconds
        self._path = path
        self._clock = clock
        self._swept_at = 0.0
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, name: str, content: bytes) -> None:
        """Keep bytes under a name, in place of earlier ones."""
        temporary = self._path / f".{uuid4().hex}"
        try:
            self._sweep()
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(self._path / name)
        except OSError:
            _log.warning("a checkpoint could not be written", exc_info=True)
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a name; `None` if there are none, or they are damaged."""
        try:
            held = (self._path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            _log.warning("a checkpoint could not be read", exc_info=True)
            return None
        digest, content = held[:_DIGEST_BYTES], held[_DIGEST_BYTES:]
        return content if hashlib.sha256(content).digest() == digest else None

    def _sweep(self) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        now = self._clock()
        if now - self._swept_at < _SWEEP_SECONDS:
            return
        self._swept_at = now
        held = []
        with os.scandir(self._path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # Another process has removed it.
                    status = entry.stat()
                    held.append((status.st_mtime, status.st_size, entry.path))
        total_bytes = 0
        for changed_at, size_bytes, path in sorted(held, reverse=True):
            total_bytes += size_bytes
            if changed_at < now - RETENTION_SECONDS or total_bytes > MAX_BYTES:
                Path(path).unlink(missing_ok=True)


class Checkpointer:
    """The checkpoints of one engine. Only its compute thread calls it.

    Args:
        folder: Where they are.
        environment: What decides the bits of an image beside its request: model, device, versions.
        clock: Monotonic clock in seconds.
        note_resumed: Called with the steps that a request need not take again.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        *,
        environment: str,
        clock: Callable[[], float],
        note_resumed: Callable[[int], object],
    ) -> None:
        self._folder = folder
        self._environment = environment
        self._clock = clock
        self._note_resumed = note_resumed
        self._unknown: set[str] = set()

    def keep(self, execution: ExecutionState) -> None:
        """Write the state of a request, between two steps, if the last time was long enough ago."""
        sampler, now = execution.sampler, self._clock()
        if execution.checkpoint_key is None or sampler is None or sampler.is_denoised:
            return
        if execution.checkpointed_at is None:
            execution.checkpointed_at = now
        scheduler = execution.request.scheduler
        if now - execution.checkpointed_at < self._folder.interval_seconds or scheduler in self._unknown:
            return
        execution.checkpointed_at = now
        batch_sizes = [
            (group.latent_shape, group.rows_per_request, group.reproducible, group.network, rows)
            for group, rows in execution.batch_sizes.items()
        ]
        try:
            content = encode_state(sampler.state(), {"batch_sizes": batch_sizes})
        except UnknownStateError as error:
            self._unknown.add(scheduler)
            _log.warning("requests with %s have no checkpoints: %s", scheduler, error)
            return
        except Exception:  # noqa: BLE001 - no checkpoint is worth an image
            _log.warning("a checkpoint could not be made", exc_info=True)
            return
        self._folder.write(self._name_of(execution.checkpoint_key), content)

    def resume(self, execution: ExecutionState, model: LatentDiffusionModel) -> Sampler | None:
        """Return the sampler of a request that was begun before, and note with which calls it was.

        Returns `None` if there is no checkpoint of it, or none that can be used.
        """
        if execution.checkpoint_key is None:
            return None
        content = self._folder.read(self._name_of(execution.checkpoint_key))
        if content is None:
            return None
        try:
            state, facts = decode_state(content)
            sampler = Sampler(model, execution.request)
            sampler.resume(state)
            batch_sizes = {
                BatchGroup(tuple(shape), rows_per_request, reproducible, network): rows
                for shape, rows_per_request, reproducible, network, rows in facts["batch_sizes"]
            }
        except Exception:  # noqa: BLE001 - without it the request is computed from the start
            _log.warning("a checkpoint cannot be used", exc_info=True)
            return None
        execution.batch_sizes = batch_sizes
        self._note_resumed(state.steps_done)
        return sampler

    def _name_of(self, key: str) -> str:
        return hashlib.sha256(f"{key}\n{self._environment}".encode()).hexdigest()

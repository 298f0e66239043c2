"""The unscaled latents of many recordings, some at a time, in order."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chladni_client.client import Client
from chladni_client.errors import ChladniError, FaultError, InvalidInputError, NotOfferedError
from chladni_client.types.audio import Feature
from chladni_client.types.initial_latents import InitialLatentsOptions

_OPTIONS_FIELD: Final = "initial_latents"


@dataclass(frozen=True, eq=False)
class RawLatents:
    """What one recording gives.

    Attributes:
        path: The recording.
        values: Its latents before scaling, (V,) float32.
        sha256: SHA-256 of the file.
    """

    path: Path
    values: NDArray[np.float32]
    sha256: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A recording that gives nothing.

    Attributes:
        path: The recording.
        error: Why.
    """

    path: Path
    error: ChladniError | OSError

    @property
    def reason(self) -> str:
        """Why, in words."""
        if isinstance(self.error, OSError):
            return self.error.strerror or str(self.error)
        return self.error.message


class LatentExtraction:
    """Asks the audio-feature service for unscaled latents.

    Args:
        client: How to reach it; used by several threads.
        options: Shape and basis.
        worker_count: Recordings in progress at a time.
    """

    def __init__(self, client: Client, options: InitialLatentsOptions, *, worker_count: int) -> None:
        self._client = client
        self._options = options
        self._value_count = int(np.prod(options.shape))
        self._worker_count = worker_count

    def outcomes(self, recordings: Sequence[Path]) -> Iterator[RawLatents | Skipped]:
        """Yields what each recording gives, in their order, so that the sums do not depend on the timing.

        Raises:
            ChladniError: The server cannot do it for any recording, or cannot be reached.
        """
        executor = ThreadPoolExecutor(self._worker_count, thread_name_prefix="chladni-calibrate")
        try:
            yield from _in_order(executor, self._outcome, recordings, window=2 * self._worker_count)
        finally:
            # Those still under way end when their caller closes the client.
            executor.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, path: Path) -> RawLatents | Skipped:
        try:
            return self._extract(path)
        except InvalidInputError as error:
            if any(violation.field.startswith(_OPTIONS_FIELD) for violation in error.violations):
                raise
            return Skipped(path, error)
        except (FaultError, OSError) as error:
            return Skipped(path, error)

    def _extract(self, path: Path) -> RawLatents:
        features = self._client.extract_features(
            path, features=[Feature.INITIAL_LATENTS], initial_latents=self._options
        )
        latents = features.initial_latents
        if latents is None:
            raise NotOfferedError(
                "The audio-feature service makes no initial latents; it is of an earlier version.",
                reason="NOT_IMPLEMENTED",
            )
        values = np.frombuffer(latents.data, latents.dtype).astype(np.float32)
        if values.size != self._value_count:
            raise NotOfferedError(
                f"The audio-feature service gave {values.size} values where {self._value_count} were asked "
                "for; it is of another version.",
                reason="NOT_IMPLEMENTED",
            )
        if not np.isfinite(values).all():
            raise FaultError("The audio-feature service gave values that are no numbers.", reason="INTERNAL")
        return RawLatents(path, values, features.sound.sha256)


def _in_order(
    executor: ThreadPoolExecutor,
    function: Callable[[Path], RawLatents | Skipped],
    recordings: Sequence[Path],
    *,
    window: int,
) -> Iterator[RawLatents | Skipped]:
    """Yields the results in order; at most `window` are under way or wait for their turn."""
    pending: deque[Future[RawLatents | Skipped]] = deque()
    for path in recordings:
        pending.append(executor.submit(function, path))
        if len(pending) == window:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()

"""Operations: the accepted requests for images, so that a retry is the same request.

A caller may name its request. A retry of that name gets the operation of the first try: the same seed, the
same identifier of the image, and so the image itself if it is already made. Names are remembered in memory.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from cachetools import TTLCache

from chladni_contract.errors import ChladniError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from chladni_gateway.domain.request import CreationRequest

RETENTION: Final = timedelta(hours=1)
"""Time for which a named request is remembered."""
_MAX_REMEMBERED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Operation:
    """An accepted request.

    Attributes:
        operation_id: Identifier: of the image to come, and of the job if there is one.
        seed: Seed of the noise.
        is_retry: Whether an earlier request of the same name was accepted as this operation.
        is_rerun: Whether the work on this operation was begun before, by a gateway that may have died since.
        digest: Digest of everything that decides the image, in hexadecimal digits; empty without a name.
    """

    operation_id: UUID
    seed: int
    is_retry: bool = False
    is_rerun: bool = False
    digest: str = ""


class OperationLog:
    """Accepts requests, and remembers those that have a name.

    Args:
        draw_seed: Gives a seed, 0 to 4294967295, for requests without one.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, *, draw_seed: Callable[[], int], clock: Callable[[], float]) -> None:
        self._draw_seed = draw_seed
        self._lock = threading.Lock()
        self._named: TTLCache[tuple[str, UUID], Operation] = TTLCache(
            _MAX_REMEMBERED, ttl=RETENTION.total_seconds(), timer=clock
        )

    def accept(self, request: CreationRequest) -> Operation:
        """Return the operation of a request: a new one, or that of the first request of its name.

        Raises:
            ChladniError: Another request has the same name and caller (REQUEST_CONFLICT).
        """
        if request.request_id is None:
            return self._make(request)
        name = request.owner or request.caller, request.request_id
        digest = _digest(request).hex()
        with self._lock:
            known = self._named.get(name)
            if known is None:
                operation = replace(self._make(request), digest=digest)
                self._named[name] = operation
                return operation
        if known.digest != digest:
            raise ChladniError(
                Reason.REQUEST_CONFLICT,
                f"The request_id {request.request_id} belongs to a different request; draw a new one.",
                metadata={"request_id": str(request.request_id)},
            )
        return replace(known, is_retry=True)

    def _make(self, request: CreationRequest) -> Operation:
        seed = request.settings.seed
        return Operation(uuid4(), self._draw_seed() if seed is None else seed)


def _digest(request: CreationRequest) -> bytes:
    """Return a digest of everything that decides the image, and where its job is reported to."""
    clip = request.clip
    part = (clip.start_seconds, clip.end_seconds)
    digest = hashlib.sha256(clip.content)
    digest.update(repr((clip.name, part, request.recipe, request.settings, request.options)).encode())
    if request.webhook is not None:
        digest.update(repr((request.webhook.url, request.webhook.secret)).encode())
    return digest.digest()

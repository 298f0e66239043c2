"""What the stores of images have in common: the form of records, and which images make room for others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import heapify, heappop, heappush
from typing import Final

from pydantic import TypeAdapter

from chladni_contract.errors import ChladniError, Reason
from chladni_contract.warnings import WarningReason, new_warning
from chladni_gateway.domain.storage.image_store import ImageRecord, ImageStore
from chladni_runtime.background import repeating

RECORDS: Final = TypeAdapter(ImageRecord)
"""Records as JSON. Those of earlier versions, and of later ones, are read too."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image that a store holds.

    Attributes:
        name: Name of it in the store: its identifier.
        owner: Whose it is; empty for nobody's.
        is_pinned: Whether it must stay.
    """

    name: str
    owner: str
    is_pinned: bool


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """How many images a store keeps.

    Attributes:
        max_images: Images of all owners.
        max_images_per_owner: Images of one owner.
    """

    max_images: int
    max_images_per_owner: int

    def to_remove(self, kept: Sequence[KeptImage], owner: str) -> list[KeptImage]:
        """Return the images that one more image of an owner leaves no room for.

        Args:
            kept: All images, the oldest first.
            owner: The owner; nobody's images have no limit of their own.
        """
        removed: list[KeptImage] = []
        if owner:
            own = [image for image in kept if image.owner == owner]
            removed = _free(own)[: max(0, len(own) - self.max_images_per_owner + 1)]
        gone = set(removed)
        remaining = [image for image in kept if image not in gone]
        return removed + self.in_excess(remaining, room=1)

    def in_excess(self, kept: Sequence[KeptImage], *, room: int = 0) -> list[KeptImage]:
        """Return the images that all owners together have too many; the one with the most gives its oldest.

        Args:
            kept: All images, the oldest first.
            room: Images for which there must be room.
        """
        by_owner: dict[str, list[KeptImage]] = {}
        for image in kept:
            by_owner.setdefault(image.owner, []).append(image)
        # The owner with the most first; of equal ones the one whose oldest image is the oldest.
        giving = [
            (-len(images), order, iter(_free(images))) for order, images in enumerate(by_owner.values())
        ]
        heapify(giving)
        removed: list[KeptImage] = []
        while giving and len(removed) < len(kept) - self.max_images + room:
            negative_count, order, free = heappop(giving)
            if (oldest := next(free, None)) is not None:
                removed.append(oldest)
                heappush(giving, (negative_count + 1, order, free))
        return removed

    def check_pin(self, kept: Sequence[KeptImage], owner: str) -> None:
        """Require that one more image of an owner may be pinned.

        Raises:
            ChladniError: As many as may be are pinned.
        """
        pinned = [image for image in kept if image.is_pinned]
        own_count = sum(image.owner == owner for image in pinned)
        if own_count >= self.max_images_per_owner // 2:
            raise _too_many_pinned(f"You have {own_count} pinned images, the limit", own_count)
        if len(pinned) >= self.max_images // 2:
            raise _too_many_pinned(f"The server keeps {len(pinned)} pinned images, the limit", len(pinned))

    def with_removal(self, record: ImageRecord, count: int) -> ImageRecord:
        """Return a record that warns of so many images of its owner that made room for it."""
        if not count:
            return record
        removed = "Your oldest image was" if count == 1 else f"Your {count} oldest images were"
        warning = new_warning(
            WarningReason.IMAGES_REMOVED,
            f"{removed} removed to make room: at most {self.max_images_per_owner} are kept. Download what "
            "you want to keep, or delete what you do not need.",
            count=count,
            maximum=self.max_images_per_owner,
        )
        return replace(record, warnings=(*record.warnings, warning))


def _free(images: Sequence[KeptImage]) -> list[KeptImage]:
    return [image for image in images if not image.is_pinned]


def _too_many_pinned(problem: str, count: int) -> ChladniError:
    return ChladniError(
        Reason.COLLECTION_FULL,
        f"{problem}. Unpin one first.",
        metadata={"count": count, "requested": 1, "maximum": count},
    )


def periodic_sweep(store: ImageStore, *, interval_seconds: float) -> AbstractAsyncContextManager[None]:
    """Sweep a store at once and then at intervals, while the context lasts."""

    async def sweep() -> None:
        try:
            removed = await store.sweep()
        except ChladniError as error:
            _log.warning("the sweep failed and will be tried again", extra={"detail": error.message})
        else:
            if removed:
                _log.info("expired images removed", extra={"count": removed})

    return repeating(sweep, interval_seconds=interval_seconds)

"""Records of images for tests of the gateway's stores, and a clock that tests move."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from chladni_contract.provenance import Provenance
from chladni_gateway.domain.audio import AudioProperties, Descriptor
from chladni_gateway.domain.storage.image_store import ImageRecord

if TYPE_CHECKING:
    from chladni_gateway.domain.storage.image_store import ImageStore

DAY: Final = timedelta(days=1)


class SteppedClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.time


def record_at(moment: datetime, content: bytes = b"png") -> ImageRecord:
    """Return the record of an image that was made at a time."""
    return ImageRecord(
        image_id=uuid.uuid4(),
        created_at=moment,
        expires_at=moment + DAY,
        sha256=hashlib.sha256(content).hexdigest(),
        width_pixels=512,
        height_pixels=512,
        source_name="voice ü.wav",
        recipe="embedded",
        processing_seconds=1.5,
        audio=AudioProperties("wav", 44100, 2, 3.25, "ab" * 32),
        descriptors=(Descriptor("tempo", 120.5, "bpm", 0, 300, "How fast."),),
        provenance=Provenance(model="m", seed=7, library_versions={"torch": "2"}),
    )


async def put(
    store: ImageStore, clock: SteppedClock, content: bytes = b"png", owner: str = ""
) -> ImageRecord:
    """Put an image a second after the last one; return its record."""
    clock.time += timedelta(seconds=1)
    record = replace(record_at(clock.time, content), owner=owner)
    return await store.put(content, record)

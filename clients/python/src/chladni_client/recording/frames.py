"""`chladni live --frames FOLDER`: images that the audio moves while it lasts."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chladni_client.client import Client
from chladni_client.errors import InvalidInputError
from chladni_client.files import write_atomically
from chladni_client.recording.sources import AudioSource


@dataclass(frozen=True, slots=True)
class SavedFrames:
    """Images that were written.

    Attributes:
        count: How many.
        skipped: How many were due and left out.
        folder: Where they are.
        seconds: Length of the audio that they show.
    """

    count: int
    skipped: int
    folder: Path
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return them as JSON."""
        return {
            "frames": self.count,
            "skipped_frames": self.skipped,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 3),
        }


def save_frames(
    client: Client,
    source: AudioSource,
    folder: Path,
    *,
    seconds: float,
    is_stopped: Callable[[], bool],
    seed: int | None,
    look: str = "",
    on_frame: Callable[[int], object] = lambda _: None,
) -> SavedFrames:
    """Write an image of each moment of live audio as it comes.

    Args:
        client: Asks the server.
        source: Where the audio comes from.
        folder: Where images are written, as ``frame-000000.jpg`` and so on.
        seconds: When to end.
        is_stopped: Whether to end earlier.
        seed: Seed of all images; `None` lets the server draw one.
        look: Looks by name; empty for the model's first one.
        on_frame: Is called with the number of images written.

    Raises:
        ChladniError: The server refused or failed, or nothing was heard.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count, skipped, heard_seconds = 0, 0, 0.0
    images = client.stream_images(_until(source, seconds, is_stopped), source.pcm, seed=seed, look=look)
    with closing(images):
        for image in images:
            write_atomically(folder / f"frame-{image.index:06}.{_ending_of(image.format)}", image.content)
            count, skipped, heard_seconds = count + 1, image.skipped_images, image.time_seconds
            on_frame(count)
    if not count:
        raise InvalidInputError("Nothing was heard.", reason="EMPTY_AUDIO")
    return SavedFrames(count, skipped, folder, heard_seconds)


def _until(
    source: AudioSource, seconds: float, is_stopped: Callable[[], bool]
) -> Generator[bytes, None, None]:
    ends_at = time.monotonic() + seconds
    with closing(source.chunks()) as chunks:
        for chunk in chunks:
            yield chunk
            if is_stopped() or time.monotonic() >= ends_at:
                return


def _ending_of(image_format: str) -> str:
    return "jpg" if image_format == "jpeg" else image_format

"""Images in a folder of the local file system.

    <uuid>.png     the image, or .jpg or .webp
    <uuid>.json    its record; an image exists when its record does
    <uuid>.pinned  empty; there if the image is pinned

Files are written under another name, flushed to the disk and then renamed, the record last: whenever the
process or the machine stops, an image is there whole or not at all. The modification time of a record is
the creation time of its image, so that the limit and the expiry are kept without opening a file.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

from chladni_contract.errors import ChladniError, Reason, UnavailableError
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.storage.image_store import ImageRecord, StoredImage, unknown_image
from chladni_gateway.storage.image_records import RECORDS, ImageLimits, KeptImage, utc_now
from chladni_runtime.files import TEMPORARY_SUFFIX, write_temporary

_PIN_SUFFIX: Final = ".pinned"
_ABANDONED_AFTER: Final = timedelta(hours=1)  # Longer than any write takes, for any process on this folder.
_SUFFIXES: Final = tuple(form.suffix for form in ImageFormat)
_REMNANT_SUFFIXES: Final = frozenset({*_SUFFIXES, _PIN_SUFFIX})
_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})

_log = logging.getLogger(__name__)


class FolderImageStore:
    """Keeps images in a folder. File work runs on threads.

    Args:
        folder: The folder; made, with its parents, if absent.
        max_images: Images kept at most; the owner with the most gives its oldest.
        max_images_per_owner: Images of one owner kept at most; the oldest go first.
        retention: Time after which an image expires.
        on_removed: Called with each image that is removed; on a thread, and before the lock is released.
        now: Clock.

    Raises:
        UnavailableError: The folder cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_images: int,
        max_images_per_owner: int,
        retention: timedelta,
        on_removed: Callable[[UUID], None] = lambda _: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.retention = retention
        self._folder = folder
        self.max_images_per_owner = max_images_per_owner
        self._limits = ImageLimits(max_images, max_images_per_owner)
        self._on_removed = on_removed
        self._now = now
        self._lock = threading.Lock()
        self._owners = RecordOwners()
        with _answering("opened"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._write_temporary(b"", now()).unlink()

    async def put(self, content: bytes, record: ImageRecord) -> ImageRecord:
        """Keep an image; see `ImageStore`."""
        return await asyncio.to_thread(self._put, content, record)

    async def get(self, image_id: UUID) -> StoredImage:
        """Return an image; see `ImageStore`."""
        return await asyncio.to_thread(self._get, image_id)

    async def describe(self, image_id: UUID) -> ImageRecord:
        """Return what is kept with an image; see `ImageStore`."""
        return await asyncio.to_thread(self._describe, image_id)

    async def list_owned(
        self, owner: str, *, limit: int, before: UUID | None = None
    ) -> tuple[ImageRecord, ...]:
        """Return what is kept with the images of an owner; see `ImageStore`."""
        return await asyncio.to_thread(self._list_owned, owner, limit, before)

    async def count_owned(self, owner: str) -> int:
        """Return how many images of an owner are kept."""
        return await asyncio.to_thread(self._count_owned, owner)

    async def delete(self, image_id: UUID, *, owner: str) -> None:
        """Remove an image; see `ImageStore`."""
        await asyncio.to_thread(self._delete, image_id, owner)

    async def pin(self, image_id: UUID, *, owner: str, is_pinned: bool) -> ImageRecord:
        """Pin an image, or unpin it; see `ImageStore`."""
        return await asyncio.to_thread(self._pin, image_id, owner, is_pinned)

    async def sweep(self) -> int:
        """Remove what has expired and what was abandoned half-written; see `ImageStore`."""
        return await asyncio.to_thread(self._sweep)

    def _put(self, content: bytes, record: ImageRecord) -> ImageRecord:
        temporary: list[Path] = []
        try:
            with _answering("written"):
                temporary.append(self._write_temporary(content, record.created_at))
                temporary.append(self._write_temporary(RECORDS.dump_json(record), record.created_at))
                with self._lock:
                    if removed_count := self._make_room(record.owner):
                        record = self._limits.with_removal(record, removed_count)
                        temporary.pop().unlink()
                        temporary.append(self._write_temporary(RECORDS.dump_json(record), record.created_at))
                    paths = self._image_path(record), self._record_path(record.image_id)
                    for source, path in zip(temporary, paths, strict=True):
                        source.replace(path)
                    self._flush_folder()
        finally:
            for path in temporary:
                path.unlink(missing_ok=True)
        return record

    def _count_owned(self, owner: str) -> int:
        with _answering("listed"), self._lock:
            return len(self._owners.owned_by(owner, [path for _, path in self._records()]))

    def _get(self, image_id: UUID) -> StoredImage:
        record = self._describe(image_id)
        with _answering("read"):
            try:
                return StoredImage(record, self._image_path(record).read_bytes())
            except FileNotFoundError:
                raise unknown_image(image_id) from None

    def _describe(self, image_id: UUID) -> ImageRecord:
        record_path = self._record_path(image_id)
        with _answering("read"):
            try:
                record = RECORDS.validate_json(record_path.read_bytes())
            except FileNotFoundError:
                raise unknown_image(image_id) from None
            record = replace(record, is_pinned=record_path.with_suffix(_PIN_SUFFIX).exists())
        if record.is_expired(self._now()):
            raise unknown_image(image_id)
        return record

    def _list_owned(self, owner: str, limit: int, before: UUID | None) -> tuple[ImageRecord, ...]:
        with _answering("listed"), self._lock:
            paths = [path for _, path in reversed(self._records())]
            owned = self._owners.owned_by(owner, paths)
        identifiers = [UUID(path.stem) for path in owned]
        if before is not None:
            if before not in identifiers:
                raise unknown_image(before)
            identifiers = identifiers[identifiers.index(before) + 1 :]
        records: list[ImageRecord] = []
        for image_id in identifiers:
            if len(records) == limit:
                break
            with suppress(ChladniError):  # Removed since it was listed, expired, or damaged and logged.
                records.append(self._describe(image_id))
        return tuple(records)

    def _delete(self, image_id: UUID, owner: str) -> None:
        record = self._describe(image_id)
        if not owner or record.owner != owner:
            raise unknown_image(image_id)
        with _answering("changed"), self._lock:
            self._remove(self._record_path(image_id))

    def _pin(self, image_id: UUID, owner: str, is_pinned: bool) -> ImageRecord:
        record = self._describe(image_id)
        if not owner or record.owner != owner:
            raise unknown_image(image_id)
        path = self._record_path(image_id)
        with _answering("changed"), self._lock:
            if not path.exists():
                raise unknown_image(image_id)
            if not is_pinned:
                path.with_suffix(_PIN_SUFFIX).unlink(missing_ok=True)
            elif not record.is_pinned:
                self._limits.check_pin(self._kept(), owner)
                path.with_suffix(_PIN_SUFFIX).touch(mode=0o600)
            self._flush_folder()
        return replace(record, is_pinned=is_pinned)

    def _sweep(self) -> int:
        now = self._now()
        with _answering("swept"), self._lock:
            pinned = self._pinned()
            expired = [
                path
                for created_at, path in self._records()
                if created_at + self.retention <= now and path.stem not in pinned
            ]
            for path in expired:
                self._remove(path)
            for path in self._abandoned(now):
                path.unlink(missing_ok=True)
        return len(expired)

    def _make_room(self, owner: str) -> int:
        """Remove what one more image of an owner leaves no room for; return how many of the owner's went."""
        removed = self._limits.to_remove(self._kept(), owner)
        for image in removed:
            self._remove(self._folder / f"{image.name}.json")
        return sum(image.owner == owner for image in removed) if owner else 0

    def _kept(self) -> list[KeptImage]:
        """Return every image, the oldest first."""
        paths = [path for _, path in self._records()]
        owners, pinned = self._owners.owners_of(paths), self._pinned()
        return [KeptImage(path.stem, owners[path.stem], path.stem in pinned) for path in paths]

    def _pinned(self) -> set[str]:
        return {path.stem for path in self._folder.glob(f"*{_PIN_SUFFIX}")}

    def _records(self) -> list[tuple[datetime, Path]]:
        """Return the creation time and the path of each record, the oldest first."""
        return sorted((_modified_at(path), path) for path in self._folder.glob("*.json"))

    def _abandoned(self, now: datetime) -> Iterator[Path]:
        for path in self._folder.iterdir():
            is_remnant = path.suffix == TEMPORARY_SUFFIX or (
                path.suffix in _REMNANT_SUFFIXES and not path.with_suffix(".json").exists()
            )
            if is_remnant and _modified_at(path) + _ABANDONED_AFTER <= now:
                yield path

    def _remove(self, record_path: Path) -> None:
        record_path.unlink(missing_ok=True)
        for suffix in _REMNANT_SUFFIXES:
            record_path.with_suffix(suffix).unlink(missing_ok=True)
        _log.debug("image removed", extra={"image_id": record_path.stem})
        with suppress(ValueError):  # Another file that somebody put there is no image.
            self._on_removed(UUID(record_path.stem))

    def _record_path(self, image_id: UUID) -> Path:
        return self._folder / f"{image_id}.json"

    def _image_path(self, record: ImageRecord) -> Path:
        return self._folder / f"{record.image_id}{record.format.suffix}"

    def _write_temporary(self, data: bytes, modified_at: datetime) -> Path:
        path = write_temporary(self._folder, data)
        os.utime(path, (modified_at.timestamp(), modified_at.timestamp()))
        return path

    def _flush_folder(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _modified_at(path: Path) -> datetime:
    with suppress(FileNotFoundError):  # Another process may have removed it since it was listed.
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return datetime.fromtimestamp(0, UTC)


@contextmanager
def _answering(verb: str) -> Iterator[None]:
    """Turn faults of the file system into errors that callers may see."""
    try:
        yield
    except OSError as error:
        _log.exception("the image folder failed")
        hint = "the disk is full" if error.errno in _DISK_FULL else "the file system refused it"
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE,
            f"The image storage cannot be {verb}: {hint}. Try again later.",
            retry_after_seconds=30.0,
        ) from error
    except ValueError as error:
        _log.exception("a stored record is damaged")
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE, "The stored image is damaged. Create it again."
        ) from error


class RecordOwners:
    """Remembers the owner of every record that it has seen; a record's owner never changes.

    Not thread-safe: its user holds a lock.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}

    def owned_by(self, owner: str, paths: Sequence[Path]) -> list[Path]:
        """Return those records that are an owner's, in their order; an empty owner has none.

        Args:
            owner: The owner.
            paths: Every record of the folder; all others are forgotten.

        Raises:
            OSError: A record cannot be read.
        """
        owners = self.owners_of(paths)
        return [path for path in paths if owner and owners[path.stem] == owner]

    def owners_of(self, paths: Sequence[Path]) -> dict[str, str]:
        """Return the owner of each record by its stem.

        Args:
            paths: Every record of the folder; all others are forgotten.

        Raises:
            OSError: A record cannot be read.
        """
        self._owners = {path.stem: self._owner_of(path) for path in paths}
        return self._owners

    def _owner_of(self, path: Path) -> str:
        known = self._owners.get(path.stem)
        return _read_owner(path) if known is None else known


def _read_owner(path: Path) -> str:
    """Return the owner that a record names; empty if it names none, or is no record of an image."""
    try:
        UUID(path.stem)
        facts = json.loads(path.read_bytes())
        return str(facts.get("owner", ""))
    except FileNotFoundError:  # Another process may have removed it since it was listed.
        return ""
    except (ValueError, AttributeError):
        _log.warning("a file in the image folder is no record of an image", extra={"file": path.name[:64]})
        return ""

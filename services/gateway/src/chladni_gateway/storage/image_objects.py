"""Images in an object store, such as S3, which several gateways share.

    images/<uuid>.png                       the image, or .jpg or .webp
    records/<uuid>.json                     its record; an image exists when its record does
    owners/by-<owner>/<milliseconds>-<uuid> empty; orders an owner's images by their creation
    pins/<uuid>                             empty; there if the image is pinned

An image is written in the order index, file, record, and removed in the reverse order: whenever a gateway
stops, an image is there whole or not at all. Object stores have no transactions, so gateways that put images
at the same moment may together exceed a limit by a few images, until the next sweep.

obstore is called on threads: its own futures may abort the interpreter if it ends right after one of them.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.exceptions import NotFoundError as MissingObjectError
from obstore.store import S3Store

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.domain.images import ImageFormat
from chladni_gateway.domain.storage.image_store import ImageRecord, StoredImage, unknown_image
from chladni_gateway.storage.image_records import RECORDS, ImageLimits, KeptImage, utc_now

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, S3Config

_ABANDONED_AFTER: Final = timedelta(hours=1)  # Longer than any write takes.
_CONNECT_TIMEOUT: Final = timedelta(seconds=3)
_REQUEST_TIMEOUT: Final = timedelta(seconds=20)
_MAX_TRIES: Final = 4
_MAX_CONCURRENT_READS: Final = 16
_MAX_CONCURRENT_WRITES: Final = 8
_OWNERS: Final = "owners/"
_PINS: Final = "pins/"
_RECORDS: Final = "records/"
_IMAGES: Final = "images/"
_INDEX_KEY: Final = re.compile(
    r"owners/by-(?P<owner>[^/]*)/(?P<milliseconds>[0-9]{1,15})-(?P<image_id>[^/]+)"
)

_log = logging.getLogger(__name__)


def s3_bucket(
    bucket: str,
    *,
    prefix: str = "",
    endpoint: str = "",
    region: str = "",
    access_key_id: str = "",
    secret_access_key: str = "",
) -> ObjectStore:
    """Return a bucket of S3, or of a server that speaks its protocol.

    Args:
        bucket: Name of the bucket.
        prefix: Beginning of all keys.
        endpoint: Address of the server; empty for Amazon's.
        region: Region; empty for that of the environment.
        access_key_id: Name of the key; empty for what the environment or the machine gives.
        secret_access_key: The key.
    """
    given = {
        "endpoint": endpoint,
        "region": region,
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
    }
    config: S3Config = {name: value for name, value in given.items() if value}  # type: ignore[assignment]
    client: ClientConfig = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "timeout": _REQUEST_TIMEOUT,
        "allow_http": endpoint.startswith("http://"),
    }
    return S3Store(
        bucket,
        prefix=prefix or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": _MAX_TRIES - 1, "retry_timeout": _REQUEST_TIMEOUT},
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """An image by its key in the index of owners."""

    owner: str
    created_at: datetime
    image_id: UUID

    @property
    def key(self) -> str:
        milliseconds = round(self.created_at.timestamp() * 1000)
        return f"{_prefix_of(self.owner)}{milliseconds:015d}-{self.image_id}"


class ObjectImageStore:
    """Keeps images in an object store.

    Args:
        objects: The object store.
        max_images: Images kept at most; the owner with the most gives its oldest.
        max_images_per_owner: Images of one owner kept at most; the oldest go first.
        retention: Time after which an image expires.
        on_removed: Called with each image that is removed.
        now: Clock.
    """

    def __init__(
        self,
        objects: ObjectStore,
        *,
        max_images: int,
        max_images_per_owner: int,
        retention: timedelta,
        on_removed: Callable[[UUID], None] = lambda _: None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.retention = retention
        self.max_images_per_owner = max_images_per_owner
        self._objects = objects
        self._limits = ImageLimits(max_images, max_images_per_owner)
        self._on_removed = on_removed
        self._now = now
        self._lock = asyncio.Lock()
        self._reads = asyncio.Semaphore(_MAX_CONCURRENT_READS)
        self._writes = asyncio.Semaphore(_MAX_CONCURRENT_WRITES)
        self._expected_count: int | None = None  # Images of all owners, as far as this gateway knows.

    async def check(self) -> None:
        """Require that the object store can be listed and written to.

        Raises:
            UnavailableError: It cannot.
        """
        with _answering("opened"):
            await self._write(f"{_PINS}probe", b"")
            await self._delete(f"{_PINS}probe")
            await self._keys(_PINS)

    async def put(self, content: bytes, record: ImageRecord) -> ImageRecord:
        """Keep an image; see `ImageStore`."""
        entry = _Entry(record.owner, record.created_at, record.image_id)
        with _answering("written"):
            # Once an image is in the index, others that need room count it: its files may take their time.
            async with self._lock:
                removed_count = await self._make_room(entry)
                await self._write(entry.key, b"")
            record = self._limits.with_removal(record, removed_count)
            async with self._writes:
                await self._write(_image_key(record), content, content_type=record.format.media_type)
                await self._write(
                    _record_key(record.image_id), RECORDS.dump_json(record), content_type="application/json"
                )
        return record

    async def count_owned(self, owner: str) -> int:
        """Return how many images of an owner are kept."""
        with _answering("listed"):
            return len(await self._entries(owner)) if owner else 0

    async def get(self, image_id: UUID) -> StoredImage:
        """Return an image; see `ImageStore`."""
        record = await self.describe(image_id)
        with _answering("read"):
            try:
                return StoredImage(record, await self._read(_image_key(record)))
            except FileNotFoundError:
                raise unknown_image(image_id) from None

    async def describe(self, image_id: UUID) -> ImageRecord:
        """Return what is kept with an image; see `ImageStore`."""
        with _answering("read"):
            record, is_pinned = await asyncio.gather(self._record(image_id), self._is_pinned(image_id))
        if record is None or (record := replace(record, is_pinned=is_pinned)).is_expired(self._now()):
            raise unknown_image(image_id)
        return record

    async def list_owned(
        self, owner: str, *, limit: int, before: UUID | None = None
    ) -> tuple[ImageRecord, ...]:
        """Return what is kept with the images of an owner; see `ImageStore`."""
        if not owner:
            return ()
        with _answering("listed"):
            entries, pinned = await asyncio.gather(self._entries(owner), self._pinned())
            identifiers = [entry.image_id for entry in reversed(entries)]
            if before is not None:
                if before not in identifiers:
                    raise unknown_image(before)
                identifiers = identifiers[identifiers.index(before) + 1 :]
            found: list[ImageRecord] = []
            while identifiers and len(found) < limit:
                batch, identifiers = identifiers[: limit - len(found)], identifiers[limit - len(found) :]
                listed = await asyncio.gather(*(self._listed(image_id) for image_id in batch))
                records = (replace(item, is_pinned=item.image_id in pinned) for item in listed if item)
                found.extend(record for record in records if not record.is_expired(self._now()))
        return tuple(found)

    async def delete(self, image_id: UUID, *, owner: str) -> None:
        """Remove an image; see `ImageStore`."""
        record = await self._owned(image_id, owner)
        with _answering("changed"):
            await self._remove(_Entry(owner, record.created_at, image_id))

    async def pin(self, image_id: UUID, *, owner: str, is_pinned: bool) -> ImageRecord:
        """Pin an image, or unpin it; see `ImageStore`."""
        record = await self._owned(image_id, owner)
        async with self._lock:
            with _answering("changed"):
                if not is_pinned:
                    await self._delete(f"{_PINS}{image_id}")
                elif not record.is_pinned:
                    kept = _kept(await self._entries(), await self._pinned())
                    self._limits.check_pin(kept, owner)
                    await self._write(f"{_PINS}{image_id}", b"")
        return replace(record, is_pinned=is_pinned)

    async def sweep(self) -> int:
        """Remove what has expired, is in excess or was abandoned half-written; see `ImageStore`."""
        now = self._now()
        with _answering("swept"):
            # The index last: what another gateway writes meanwhile is in it if it is anywhere.
            others = [key for prefix in (_RECORDS, _IMAGES, _PINS) for key in await self._keys(prefix)]
            indexed, pinned = await self._index(), await self._pinned()
            entries = _newest(indexed)
            expired = {
                entry
                for entry in entries
                if entry.created_at + self.retention <= now and entry.image_id not in pinned
            }
            recorded = {_stem(key) for key in others if key.startswith(_RECORDS)}
            abandoned = {
                entry
                for entry in entries
                if str(entry.image_id) not in recorded and entry.created_at + _ABANDONED_AFTER <= now
            }
            gone = expired | abandoned
            by_name = {str(entry.image_id): entry for entry in entries if entry not in gone}
            excess = self._limits.in_excess(_kept(list(by_name.values()), pinned))
            for entry in (*gone, *(by_name[image.name] for image in excess)):
                await self._remove(entry)
            for entry in set(indexed).difference(entries):  # Of an image that was written twice.
                await self._delete(entry.key)
            known = {str(entry.image_id) for entry in entries}
            for key in others:
                if _stem(key) not in known:
                    await self._delete(key)
            self._expected_count = len(by_name) - len(excess)
        return len(expired)

    async def _make_room(self, new: _Entry) -> int:
        """Remove what one more image leaves no room for; return how many of its owner's went."""
        count = self._expected_count
        own = await self._entries(new.owner) if new.owner else []
        is_full = len(own) >= self.max_images_per_owner and bool(new.owner)
        if count is not None and count < self._limits.max_images and not is_full:
            self._expected_count = count + 1
            return 0
        entries, pinned = await self._entries(), await self._pinned()
        by_name = {str(entry.image_id): entry for entry in entries if entry.image_id != new.image_id}
        removed = self._limits.to_remove(_kept(list(by_name.values()), pinned), new.owner)
        for image in removed:
            await self._remove(by_name[image.name])
        self._expected_count = len(by_name) - len(removed) + 1
        return sum(image.owner == new.owner for image in removed) if new.owner else 0

    async def _owned(self, image_id: UUID, owner: str) -> ImageRecord:
        record = await self.describe(image_id)
        if not owner or record.owner != owner:
            raise unknown_image(image_id)
        return record

    async def _listed(self, image_id: UUID) -> ImageRecord | None:
        async with self._reads:
            try:
                return await self._record(image_id)
            except ValueError:
                _log.warning("a stored record is damaged", extra={"image_id": str(image_id)})
                return None

    async def _record(self, image_id: UUID) -> ImageRecord | None:
        try:
            return RECORDS.validate_json(await self._read(_record_key(image_id)))
        except FileNotFoundError:
            return None

    async def _is_pinned(self, image_id: UUID) -> bool:
        try:
            await asyncio.to_thread(obstore.head, self._objects, f"{_PINS}{image_id}")
        except (FileNotFoundError, MissingObjectError):
            return False
        return True

    async def _pinned(self) -> frozenset[UUID]:
        return frozenset(filter(None, map(_image_id_of, map(_stem, await self._keys(_PINS)))))

    async def _entries(self, owner: str | None = None) -> list[_Entry]:
        """Return the images of an owner, or of all, by the index, the oldest first."""
        return _newest(await self._index(owner))

    async def _index(self, owner: str | None = None) -> list[_Entry]:
        keys = await self._keys(_OWNERS if owner is None else _prefix_of(owner))
        return [entry for entry in map(_entry_of, keys) if entry is not None]

    async def _keys(self, prefix: str) -> list[str]:
        def list_all() -> list[str]:
            return [item["path"] for item in obstore.list(self._objects, prefix=prefix).collect()]

        return await asyncio.to_thread(list_all)

    async def _remove(self, entry: _Entry) -> None:
        name = str(entry.image_id)
        await self._delete(_record_key(entry.image_id))
        for form in ImageFormat:
            await self._delete(f"{_IMAGES}{name}{form.suffix}")
        await self._delete(f"{_PINS}{name}")
        await self._delete(entry.key)
        _log.debug("image removed", extra={"image_id": name})
        self._on_removed(entry.image_id)

    async def _delete(self, key: str) -> None:
        with suppress(FileNotFoundError, MissingObjectError):  # Removed by another gateway.
            await asyncio.to_thread(obstore.delete, self._objects, key)

    async def _read(self, key: str) -> bytes:
        def read_all() -> bytes:
            return bytes(obstore.get(self._objects, key).bytes())

        return await asyncio.to_thread(read_all)

    async def _write(self, key: str, data: bytes, *, content_type: str = "") -> None:
        attributes = {"Content-Type": content_type} if content_type else None
        await asyncio.to_thread(obstore.put, self._objects, key, data, attributes=attributes)


def _kept(entries: list[_Entry], pinned: frozenset[UUID]) -> list[KeptImage]:
    return [KeptImage(str(entry.image_id), entry.owner, entry.image_id in pinned) for entry in entries]


def _prefix_of(owner: str) -> str:
    return f"{_OWNERS}by-{quote(owner, safe='')}/"


def _entry_of(key: str) -> _Entry | None:
    """Return the image of a key of the index; `None` for what somebody else put there."""
    match = _INDEX_KEY.fullmatch(key)
    image_id = _image_id_of(match["image_id"]) if match else None
    if match is None or image_id is None:
        return None
    created_at = datetime.fromtimestamp(int(match["milliseconds"]) / 1000, UTC)
    return _Entry(unquote(match["owner"]), created_at, image_id)


def _image_id_of(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _newest(entries: Iterable[_Entry]) -> list[_Entry]:
    """Return the entry of each image, the oldest image first.

    An image has two if two gateways made it: one that was slow, and the one that took over its job.
    """
    in_order = sorted(entries, key=attrgetter("created_at", "image_id"))
    newest = {entry.image_id: entry for entry in in_order}
    return [entry for entry in in_order if newest[entry.image_id] is entry]


def _stem(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _record_key(image_id: UUID) -> str:
    return f"{_RECORDS}{image_id}.json"


def _image_key(record: ImageRecord) -> str:
    return f"{_IMAGES}{record.image_id}{record.format.suffix}"


@contextmanager
def _answering(verb: str) -> Iterator[None]:
    """Turn faults of the object store into errors that callers may see."""
    try:
        yield
    except (OSError, BaseError) as error:
        _log.exception("the object store failed")
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE,
            f"The image storage cannot be {verb}: the object store does not answer or refused it. "
            "Try again later.",
            retry_after_seconds=30.0,
        ) from error
    except ValueError as error:
        _log.exception("a stored record is damaged")
        raise UnavailableError(
            Reason.STORAGE_UNAVAILABLE, "The stored image is damaged. Create it again."
        ) from error

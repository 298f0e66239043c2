"""Links to single images, which their owners make and withdraw, in a folder of the local file system.

    <link>.json    what the link leads to
    <link>.audio   the clip that may be heard with it, if its owner wants that

An image is private: people need a link to see its page, and a link exists only after the owner of the
image made it. It says nothing about the image's identifier, so that a withdrawn link leads nowhere. A link
ends with its image, and its clip with the link.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import TypeAdapter

from chladni_contract.errors import ChladniError, InvalidInputError, NotFoundError, Reason
from chladni_runtime.background import repeating
from chladni_runtime.files import remove_abandoned, write_whole

if TYPE_CHECKING:
    from chladni_gateway.domain.storage.image_store import ImageStore

SHARE_FOLDER: Final = "shared"
"""Folder of the links, in that of the images."""

_TOKEN_BYTES: Final = 16
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
_AUDIO_SUFFIX: Final = ".audio"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareLink:
    """A link to an image.

    Attributes:
        token: What its address ends with; unguessable.
        image_id: Image that it leads to.
        owner: Who made it and may withdraw it: the owner of the image.
        created_at: When it was made.
        audio_media_type: Media type of the clip that may be heard with it; empty for none.
    """

    token: str
    image_id: UUID
    owner: str
    created_at: datetime
    audio_media_type: str = ""


_LINKS: Final = TypeAdapter(ShareLink)


class ShareLinks:
    """Keeps links in a folder, one for an image at most. File work runs on threads.

    Args:
        folder: The folder; made with the first link.
        max_links: Links kept at most; the oldest go first.
        max_bytes: Bytes of clips at most; the owner with the most loses the oldest first.
        now: Clock.
    """

    def __init__(self, folder: Path, *, max_links: int, max_bytes: int, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._max_links = max_links
        self._max_bytes = max_bytes
        self._now = now
        self._lock = threading.Lock()

    async def make(self, image_id: UUID, *, owner: str) -> ShareLink:
        """Return the link to an image of an owner; make it if there is none."""
        return await asyncio.to_thread(self._make, image_id, owner)

    async def find(self, token: str) -> ShareLink | None:
        """Return a link by its token; `None` if there is none."""
        return await asyncio.to_thread(self._find, token)

    async def of_image(self, image_id: UUID, *, owner: str) -> ShareLink | None:
        """Return the link to an image of an owner; `None` if there is none."""
        return await asyncio.to_thread(self._of_image, image_id, owner)

    async def add_audio(self, link: ShareLink, content: bytes, media_type: str) -> ShareLink | None:
        """Keep a clip with a link, in place of the one before; return the link as it is then.

        If the link was withdrawn meanwhile, keep nothing and return `None`.

        Raises:
            InvalidInputError: The clip alone is larger than all clips may be; nothing makes room for it.
        """
        if len(content) > self._max_bytes:
            raise InvalidInputError(
                Reason.FILE_TOO_LARGE,
                f"The clip has {len(content)} bytes, those of all links together may have {self._max_bytes}. "
                "Share the link without it, or with a shorter one.",
                field="file",
                metadata={"size_bytes": len(content), "max_bytes": self._max_bytes},
            )
        return await asyncio.to_thread(self._add_audio, link, content, media_type)

    async def audio(self, link: ShareLink) -> bytes | None:
        """Return the clip of a link; `None` if it has none."""
        return await asyncio.to_thread(self._audio, link)

    async def withdraw(self, token: str) -> None:
        """Remove a link with its clip; unknown ones are ignored."""
        await asyncio.to_thread(self._withdraw, token)

    async def sweep(self, store: ImageStore) -> int:
        """Remove the links to images that are gone, and unfinished files; return how many links those were.

        Args:
            store: The store of the images.

        Raises:
            ChladniError: The store cannot be read.
            OSError: The folder cannot be used.
        """
        await asyncio.to_thread(remove_abandoned, self._folder)
        gone = 0
        for link in await asyncio.to_thread(lambda: tuple(self._all())):
            try:
                await store.describe(link.image_id)
            except NotFoundError:
                await self.withdraw(link.token)
                gone += 1
        return gone

    def swept(self, store: ImageStore, *, interval_seconds: float) -> AbstractAsyncContextManager[None]:
        """Sweep at once and then at intervals, while the context lasts."""

        async def sweep() -> None:
            try:
                await self.sweep(store)
            except (ChladniError, OSError) as error:
                _log.warning("links to removed images stay for now", extra={"detail": str(error)})

        return repeating(sweep, interval_seconds=interval_seconds)

    def _make(self, image_id: UUID, owner: str) -> ShareLink:
        with self._lock:
            if (known := self._of_image(image_id, owner)) is not None:
                return known
            links = sorted(self._all(), key=lambda link: link.created_at)
            for oldest in links[: max(0, len(links) - self._max_links + 1)]:
                self._remove(oldest.token)
            link = ShareLink(
                token=secrets.token_urlsafe(_TOKEN_BYTES),
                image_id=image_id,
                owner=owner,
                created_at=self._now(),
            )
            self._write(link)
            return link

    def _find(self, token: str) -> ShareLink | None:
        if not _TOKEN.fullmatch(token):
            return None
        try:
            return _LINKS.validate_json(self._path(token).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def _of_image(self, image_id: UUID, owner: str) -> ShareLink | None:
        matching = (link for link in self._all() if link.image_id == image_id and link.owner == owner)
        return next(matching, None)

    def _all(self) -> Iterator[ShareLink]:
        paths: Iterable[Path] = self._folder.glob("*.json")
        found = (self._find(path.stem) for path in paths)
        return (link for link in found if link is not None)

    def _add_audio(self, link: ShareLink, content: bytes, media_type: str) -> ShareLink | None:
        changed = replace(link, audio_media_type=media_type)
        with self._lock:
            if self._find(link.token) is None:
                return None
            self._make_room(link, len(content))
            write_whole(self._path(link.token, _AUDIO_SUFFIX), content)
            self._write(changed)
        return changed

    def _make_room(self, added: ShareLink, size_bytes: int) -> None:
        """Remove clips of other links until one more has room: the oldest of the owner with the most bytes.

        The new one counts as its owner's. So who shares a lot takes nothing from the others.
        """
        clips = sorted(
            (link for link in self._all() if link.audio_media_type and link.token != added.token),
            key=lambda link: link.created_at,
        )
        sizes = {link.token: self._audio_bytes(link) for link in clips}
        while clips and sum(sizes[link.token] for link in clips) + size_bytes > self._max_bytes:
            owned: Counter[str] = Counter({added.owner: size_bytes})
            for link in clips:
                owned[link.owner] += sizes[link.token]
            most = max(owned[link.owner] for link in clips)
            oldest = next(link for link in clips if owned[link.owner] == most)
            clips.remove(oldest)
            self._write(replace(oldest, audio_media_type=""))
            self._path(oldest.token, _AUDIO_SUFFIX).unlink(missing_ok=True)

    def _audio_bytes(self, link: ShareLink) -> int:
        try:
            return self._path(link.token, _AUDIO_SUFFIX).stat().st_size
        except FileNotFoundError:
            return 0

    def _audio(self, link: ShareLink) -> bytes | None:
        if not link.audio_media_type:
            return None
        try:
            return self._path(link.token, _AUDIO_SUFFIX).read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, link: ShareLink) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(self._path(link.token), _LINKS.dump_json(link))

    def _withdraw(self, token: str) -> None:
        with self._lock:
            self._remove(token)

    def _remove(self, token: str) -> None:
        if _TOKEN.fullmatch(token):
            # The clip first: without its link nothing would ever remove it.
            for suffix in (_AUDIO_SUFFIX, ".json"):
                self._path(token, suffix).unlink(missing_ok=True)

    def _path(self, token: str, suffix: str = ".json") -> Path:
        return self._folder / f"{token}{suffix}"

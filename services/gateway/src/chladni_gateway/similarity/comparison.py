"""The comparison of two pictures, each stored or sent along."""

import asyncio
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.image_store import ImageStore
from chladni_gateway.domain.images import Picture
from chladni_gateway.domain.ports import Likeness, PictureComparer
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_runtime.execution.deadlines import Deadline

PictureSource = UUID | Picture
"""A stored picture by its identifier, or a picture itself."""


class ImageComparator:
    """Compares pictures. One for all transports.

    Args:
        store: Holds the pictures that are given by identifier.
        comparer: Compares.
        max_image_bytes: Largest picture that may be sent along, in bytes.
    """

    def __init__(self, *, store: ImageStore, comparer: PictureComparer, max_image_bytes: int) -> None:
        self._store = store
        self._comparer = comparer
        self._max_image_bytes = max_image_bytes

    async def compare(self, first: PictureSource, second: PictureSource, deadline: Deadline) -> Likeness:
        """Returns how alike two pictures are.

        Raises:
            InvalidInputError: A picture is empty, too large or not a picture.
            NotFoundError: An identifier is unknown.
            ChladniError: A service failed.
        """
        pictures = await asyncio.gather(self._load(first, "first"), self._load(second, "second"))
        with at_stage(Stage.SIMILARITY):
            return await self._comparer.compare(*pictures, deadline)

    async def _load(self, source: PictureSource, field: str) -> Picture:
        if isinstance(source, UUID):
            with at_stage(Stage.STORAGE):
                return Picture((await self._store.get(source)).content, "image/png")
        with at_stage(Stage.VALIDATION):
            self._check(source, f"{field}.image.content")
        return source

    def _check(self, picture: Picture, field: str) -> None:
        if not picture.content:
            raise InvalidInputError(
                Reason.MISSING_FIELD, f"{field} is empty; send the bytes of a PNG or JPEG file.", field=field
            )
        if len(picture.content) > self._max_image_bytes:
            raise InvalidInputError(
                Reason.FILE_TOO_LARGE,
                f"{field} is larger than {self._max_image_bytes / 2**20:g} MiB, the limit; "
                "send a smaller picture.",
                field=field,
            )

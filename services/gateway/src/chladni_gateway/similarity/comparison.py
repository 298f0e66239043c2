"""The comparison of two images, each stored or sent along."""

from __future__ import annotations

import asyncio
from uuid import UUID

from chladni_contract.errors import InvalidInputError, Reason
from chladni_gateway.domain.images import Image
from chladni_gateway.domain.ports import ImageComparer, ImageSimilarity
from chladni_gateway.domain.stages import Stage, at_stage
from chladni_gateway.domain.storage.image_store import ImageStore
from chladni_runtime.execution.deadlines import Deadline

ImageSource = UUID | Image
"""A stored image by its identifier, or an image itself."""


class ImageComparator:
    """Compares images. One for all transports.

    Args:
        store: Holds the images that are given by identifier.
        comparer: Compares.
        max_image_bytes: Largest image that may be sent along, in bytes.
    """

    def __init__(self, *, store: ImageStore, comparer: ImageComparer, max_image_bytes: int) -> None:
        self._store = store
        self._comparer = comparer
        self._max_image_bytes = max_image_bytes

    async def compare(self, first: ImageSource, second: ImageSource, deadline: Deadline) -> ImageSimilarity:
        """Return how alike two images are.

        Raises:
            InvalidInputError: An image is empty, too large or not an image.
            NotFoundError: An identifier is unknown.
            ChladniError: A service failed.
        """
        images = await asyncio.gather(self._load(first, "first"), self._load(second, "second"))
        with at_stage(Stage.SIMILARITY):
            return await self._comparer.compare(*images, deadline)

    async def _load(self, source: ImageSource, field: str) -> Image:
        if isinstance(source, UUID):
            with at_stage(Stage.STORAGE):
                return (await self._store.get(source)).image
        with at_stage(Stage.VALIDATION):
            self._check(source, f"{field}.file.content")
        return source

    def _check(self, image: Image, field: str) -> None:
        if not image.content:
            raise InvalidInputError(
                Reason.MISSING_FIELD, f"{field} is empty; send the bytes of a PNG or JPEG file.", field=field
            )
        if len(image.content) > self._max_image_bytes:
            raise InvalidInputError(
                Reason.FILE_TOO_LARGE,
                f"{field} is larger than {self._max_image_bytes / 2**20:g} MiB, the limit; "
                "send a smaller image.",
                field=field,
                metadata={"size_bytes": len(image.content), "max_bytes": self._max_image_bytes},
            )

"""What every store of collections offers, and what it keeps."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from chladni_runtime.execution.cancellation import CancellationToken
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.embedding.cache import Vector

_FINGERPRINT_LENGTH: Final = 16
_MAX_NAMED_LENGTH: Final = 80


class VectorKind(StrEnum):
    """What a vector of an image is found by."""

    IMAGE = "image"
    AUDIO = "sound"  # as stores have it in the names of vectors


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """A space that every image of a collection has one vector in.

    Attributes:
        kind: What finds images in it.
        model_id: Model that makes its vectors.
        fingerprint: Another for other weights, and for another preparation of images.
        dimension: Length of a vector.
    """

    kind: VectorKind
    model_id: str
    fingerprint: str
    dimension: int

    @classmethod
    def of_model(cls, kind: VectorKind, card: ModelCard) -> VectorSpace:
        """Return the space of a model's vectors."""
        fingerprint = hashlib.sha256(f"{card.digest} {card.space}".encode()).hexdigest()
        return cls(kind, card.model_id, fingerprint[:_FINGERPRINT_LENGTH], card.dimension)

    @property
    def name(self) -> str:
        """Name of its vectors in the store, such as ``image@efficientnet-lite0@0123456789abcdef``.

        A collection so says for itself which models made it.
        """
        model = re.sub(r"[^A-Za-z0-9._-]", "_", self.model_id)[:_MAX_NAMED_LENGTH]
        return f"{self.kind}@{model}@{self.fingerprint}"


def model_in(space_name: str) -> str:
    """Return the model in the name of a space, as far as a name holds it."""
    parts = space_name.split("@")
    return parts[1] if len(parts) == 3 else space_name


@dataclass(frozen=True, slots=True)
class CollectionLimits:
    """Limits of what a store keeps.

    Attributes:
        max_collections: Collections at most.
        max_images: Images in one collection at most.
    """

    max_collections: int
    max_images: int


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """How a Qdrant server is reached.

    Attributes:
        url: ``http://`` or ``https://``, host, and a port unless it is 6333.
        api_key: The server's key; `None` if it has none.
        ca_file: Certificates in PEM format to trust instead of the system's.
        timeout_seconds: Time for one call of the server.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    timeout_seconds: int = 5


@dataclass(frozen=True, slots=True, eq=False)
class StoredImage:
    """An image as a collection keeps it.

    Attributes:
        image_id: Identifier, unique in the collection.
        vectors: One vector of length 1, of shape (dimension,), for each space of the store.
        metadata: A text to return with it, `None` for none.
    """

    image_id: str
    vectors: Mapping[VectorKind, Vector]
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that a search found.

    Attributes:
        image_id: Identifier.
        cosine: Of its vector and the query's, -1 to 1 but for rounding.
        metadata: The text that was stored with it; `None` if none was.
    """

    image_id: str
    cosine: float
    metadata: str | None


@dataclass(frozen=True, slots=True)
class ListedImage:
    """An image of a collection, without its vectors.

    Attributes:
        image_id: Identifier.
        metadata: The text that was stored with it; `None` if none was.
    """

    image_id: str
    metadata: str | None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection as a whole.

    Attributes:
        name: Its name.
        image_count: Number of images.
        model_ids: Models whose vectors it holds, that of images first.
        is_outdated: Whether they are not the models of this server.
    """

    name: str
    image_count: int
    model_ids: Sequence[str]
    is_outdated: bool


class CollectionStore(Protocol):
    """Keeps collections. Lives on one event loop, which it never blocks.

    Every call raises `UnavailableError` if the store cannot be reached or written, and `QueueFullError`
    if too many calls wait for it.
    """

    async def add(
        self,
        collection: str,
        images: Sequence[StoredImage],
        token: CancellationToken,
        *,
        replace_outdated: bool = False,
    ) -> int:
        """Add images, replacing those of the same identifier; create the collection if there is none.

        Args:
            collection: Name of the collection.
            images: The images, of different identifiers.
            token: Cancelled when the result is no longer needed.
            replace_outdated: Whether a collection of other models is emptied first, instead of an error.

        Returns:
            The number of images in the collection now.

        Raises:
            ChladniError: The collection is full, there are too many collections, or it is of other models.
        """
        ...

    async def search(
        self,
        collection: str,
        kind: VectorKind,
        vector: Vector,
        count: int,
        token: CancellationToken,
        *,
        candidate_ids: Sequence[str] = (),
        excluded_id: str | None = None,
        skipped: int = 0,
    ) -> Sequence[FoundImage]:
        """Return the images nearest to a vector, at most `count`, nearest first.

        Args:
            collection: Where to search.
            kind: Which of the images' vectors to compare.
            vector: (dimension,) of length 1.
            count: Number of images, at least 1.
            token: Cancelled when the result is no longer needed.
            candidate_ids: Identifiers of the images to search among; none for all of the collection.
            excluded_id: Identifier of an image that is not to be found.
            skipped: Number of the nearest images to leave out.

        Raises:
            NotFoundError: There is no such collection.
            ChladniError: Its vectors are of another model.
        """
        ...

    async def vector_of(
        self, collection: str, kind: VectorKind, image_id: str, token: CancellationToken
    ) -> Vector:
        """Return the vector of an image, (dimension,) of length 1.

        Raises:
            NotFoundError: There is no such collection, or no such image in it.
            ChladniError: Its vectors are of another model.
        """
        ...

    async def delete(self, collection: str, image_ids: Sequence[str], token: CancellationToken) -> int:
        """Delete images, whatever model made their vectors. One that is not there is ignored.

        Returns:
            How many were deleted.
        """
        ...

    async def list_images(
        self, collection: str, count: int, token: CancellationToken, *, first_id: str | None = None
    ) -> Sequence[ListedImage]:
        """Return images of a collection, at most `count`, in an order that stays the same.

        Args:
            collection: Name of the collection.
            count: Number of images, at least 1.
            token: Cancelled when the result is no longer needed.
            first_id: Identifier to begin at, whether its image is still there or not; `None` for the first.

        Raises:
            NotFoundError: There is no such collection.
        """
        ...

    async def sizes(self, token: CancellationToken) -> Mapping[str, int]:
        """Return the number of images in each collection."""
        ...

    async def list_collections(
        self, count: int, token: CancellationToken, *, first_name: str = ""
    ) -> Sequence[CollectionInfo]:
        """Return collections, at most `count`, by name.

        Args:
            count: Number of collections, at least 1.
            token: Cancelled when the result is no longer needed.
            first_name: Name to begin at, whether its collection is still there or not.
        """
        ...

    async def describe(self, collection: str, token: CancellationToken) -> CollectionInfo:
        """Return what a collection is.

        Raises:
            NotFoundError: There is no such collection.
        """
        ...

    async def drop(self, collection: str, token: CancellationToken) -> int:
        """Delete a collection, whatever models made it, and return how many images it had.

        Raises:
            NotFoundError: There is no such collection.
        """
        ...


class OpenStore(Protocol):
    """Opens stores; `chladni_similarity.collections.opening.open_store` does."""

    def __call__(
        self,
        location: Path | ServerAccess | None,
        *,
        spaces: Sequence[VectorSpace],
        limits: CollectionLimits,
        max_waiting: int,
    ) -> AbstractAsyncContextManager[CollectionStore]:
        """Open a store while the context lasts."""
        ...

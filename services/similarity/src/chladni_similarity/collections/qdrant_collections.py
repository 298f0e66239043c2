"""Collections as Qdrant keeps them, in its local mode and on a server alike.

A collection ``name`` is the Qdrant collection ``chladni-name``, an image one of its points. The point's
identifier is a UUID made of the image's, its payload holds the identifier and the metadata, and its vectors
are named after the spaces they are of.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import numpy as np
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from chladni_similarity.collections.interface import (
    CollectionInfo,
    CollectionLimits,
    FoundImage,
    ListedImage,
    StoredImage,
    VectorKind,
    VectorSpace,
    model_in,
)
from chladni_similarity.collections.refusals import (
    describe_spaces,
    full_collection,
    outdated_collection,
    too_many_collections,
    unknown_collection,
    unknown_image,
)
from chladni_similarity.embedding.cache import Vector

PREFIX: Final = "chladni-"

_ID_NAMESPACE: Final = uuid.UUID("5e0d0b9c-6a58-5f0e-9f0c-3a3d7a1f2c44")


def qdrant_name(collection: str) -> str:
    """Return the name of a collection in Qdrant.

    It may become a folder's, hence "." and ".." need the prefix, and on some file systems "Cats" and "cats"
    would be one: capitals are written "~c".
    """
    return PREFIX + re.sub("[A-Z]", lambda found: f"~{found[0].lower()}", collection)


def collection_name(name: str) -> str:
    """Return the collection that a name in Qdrant stands for."""
    return re.sub("~(.)", lambda found: found[1].upper(), name.removeprefix(PREFIX))


def point_id(image_id: str) -> str:
    """Return the identifier of an image's point: Qdrant takes only numbers and UUIDs."""
    return str(uuid.uuid5(_ID_NAMESPACE, image_id))


class QdrantCollections:
    """The calls of a store, as calls of a Qdrant client. Writes must not run at the same time.

    Every call raises what the client raises besides.

    Args:
        client: The client.
        spaces: Spaces of the models of this server, of different kinds.
        limits: Limits of what is kept.
    """

    def __init__(
        self, client: AsyncQdrantClient, *, spaces: Sequence[VectorSpace], limits: CollectionLimits
    ) -> None:
        self._client = client
        self._spaces = {space.kind: space for space in spaces}
        self._limits = limits

    async def add(
        self, collection: str, images: Sequence[StoredImage], *, replace_outdated: bool = False
    ) -> int:
        """Add images of different identifiers; see `CollectionStore.add`."""
        name = qdrant_name(collection)
        await self._prepare(collection, replace_outdated=replace_outdated)
        points = [self._point(image) for image in images]
        known = await self._client.retrieve(
            name, [point.id for point in points], with_payload=False, with_vectors=False
        )
        count, added = await self._count(name), len(points) - len(known)
        if count + added > self._limits.max_images:
            raise full_collection(collection, count=count, added=added, limits=self._limits)
        await self._client.upsert(name, points, wait=True)
        return await self._count(name)

    async def search(
        self,
        collection: str,
        kind: VectorKind,
        vector: Vector,
        count: int,
        *,
        candidate_ids: Sequence[str] = (),
        excluded_id: str | None = None,
        skipped: int = 0,
    ) -> Sequence[FoundImage]:
        """Search; see `CollectionStore.search`."""
        space = await self._require_space(collection, kind)
        response = await self._client.query_points(
            qdrant_name(collection),
            query=vector,
            using=space.name,
            query_filter=_filter(candidate_ids, excluded_id),
            limit=count,
            offset=skipped,
            with_payload=True,
        )
        return [
            FoundImage(payload["id"], point.score, payload.get("metadata"))
            for point in response.points
            if (payload := point.payload)
        ]

    async def delete(self, collection: str, image_ids: Sequence[str]) -> int:
        """Delete images of different identifiers; see `CollectionStore.delete`."""
        name = qdrant_name(collection)
        if await self._space_names(name) is None:
            return 0
        ids: list[models.ExtendedPointId] = [point_id(image_id) for image_id in image_ids]
        present = await self._client.retrieve(name, ids, with_payload=False, with_vectors=False)
        if present:
            await self._client.delete(name, points_selector=[record.id for record in present], wait=True)
        return len(present)

    async def vector_of(self, collection: str, kind: VectorKind, image_id: str) -> Vector:
        """Return the vector of an image; see `CollectionStore.vector_of`."""
        space = await self._require_space(collection, kind)
        records = await self._client.retrieve(
            qdrant_name(collection), [point_id(image_id)], with_payload=False, with_vectors=[space.name]
        )
        vectors = records[0].vector if records else None
        if not isinstance(vectors, dict):
            raise unknown_image(collection, image_id)
        return np.array(vectors[space.name], np.float32)

    async def list_images(
        self, collection: str, count: int, *, first_id: str | None = None
    ) -> Sequence[ListedImage]:
        """Return images of a collection, in the order of their points; see `CollectionStore.list_images`."""
        name = qdrant_name(collection)
        await self._require_space_names(collection)
        offset = None if first_id is None else point_id(first_id)
        records, _ = await self._client.scroll(name, limit=count, offset=offset, with_payload=True)
        return [
            ListedImage(payload["id"], payload.get("metadata"))
            for record in records
            if (payload := record.payload)
        ]

    async def sizes(self) -> Mapping[str, int]:
        """Return the number of images in each collection."""
        return {collection_name(name): await self._count(name) for name in await self._names()}

    async def list_collections(self, count: int, *, first_name: str = "") -> Sequence[CollectionInfo]:
        """Return collections by name; see `CollectionStore.list_collections`."""
        names = sorted(map(collection_name, await self._names()))
        listed = [name for name in names if name >= first_name][:count]
        infos = [await self._find(name) for name in listed]
        return [info for info in infos if info is not None]  # another replica may delete one meanwhile

    async def describe(self, collection: str) -> CollectionInfo:
        """Return what a collection is; see `CollectionStore.describe`."""
        info = await self._find(collection)
        if info is None:
            raise unknown_collection(collection)
        return info

    async def drop(self, collection: str) -> int:
        """Delete a collection; see `CollectionStore.drop`."""
        count = (await self.describe(collection)).image_count
        await self._client.delete_collection(qdrant_name(collection))
        return count

    async def _find(self, collection: str) -> CollectionInfo | None:
        name = qdrant_name(collection)
        present = await self._space_names(name)
        if present is None:
            return None
        own = {space.name: space.model_id for space in self._spaces.values()}
        model_ids = [own.get(item) or model_in(item) for item in sorted(present)]
        return CollectionInfo(
            name=collection,
            image_count=await self._count(name),
            model_ids=list(dict.fromkeys(model_ids)),
            is_outdated=present != set(own),
        )

    async def _require_space(self, collection: str, kind: VectorKind) -> VectorSpace:
        """Return the space of a kind of vectors that a collection must have."""
        space = self._spaces[kind]
        present = await self._require_space_names(collection)
        if space.name not in present:
            raise self._outdated(collection, present)
        return space

    async def _require_space_names(self, collection: str) -> set[str]:
        present = await self._space_names(qdrant_name(collection))
        if present is None:
            raise unknown_collection(collection)
        return present

    async def _prepare(self, collection: str, *, replace_outdated: bool) -> None:
        """Ensure that a collection exists and has vectors of this server's models."""
        name = qdrant_name(collection)
        wanted = {space.name for space in self._spaces.values()}
        present = await self._space_names(name)
        if present is None:
            await self._make_room()
        elif present != wanted:
            if not replace_outdated and await self._count(name):
                raise self._outdated(collection, present)
            await self._client.delete_collection(name)
        if present != wanted:
            await self._create(name)

    async def _create(self, name: str) -> None:
        # The vectors have length 1, so their product is the cosine, and Qdrant need not scale them again.
        vectors = {
            space.name: models.VectorParams(size=space.dimension, distance=models.Distance.DOT)
            for space in self._spaces.values()
        }
        try:
            await self._client.create_collection(name, vectors_config=vectors)
        except UnexpectedResponse as error:
            if error.status_code != HTTPStatus.CONFLICT:  # another replica has made it in the meantime
                raise

    async def _make_room(self) -> None:
        """Drop an empty collection if there is no room for another one."""
        names = await self._names()
        if len(names) < self._limits.max_collections:
            return
        for name in names:
            if await self._count(name) == 0:
                await self._client.delete_collection(name)
                return
        raise too_many_collections(self._limits)

    async def _names(self) -> list[str]:
        response = await self._client.get_collections()
        return [item.name for item in response.collections if item.name.startswith(PREFIX)]

    async def _space_names(self, name: str) -> set[str] | None:
        """Return the names of a collection's vectors; `None` if there is no such collection."""
        if not await self._client.collection_exists(name):
            return None
        vectors = (await self._client.get_collection(name)).config.params.vectors
        return set(vectors) if isinstance(vectors, dict) else set()

    async def _count(self, name: str) -> int:
        return int((await self._client.count(name, exact=True)).count)

    def _point(self, image: StoredImage) -> models.PointStruct:
        payload = {"id": image.image_id}
        if image.metadata is not None:
            payload["metadata"] = image.metadata
        vectors = {self._spaces[kind].name: vector.tolist() for kind, vector in image.vectors.items()}
        return models.PointStruct(id=point_id(image.image_id), vector=vectors, payload=payload)

    def _outdated(self, collection: str, present: set[str]) -> Exception:
        return outdated_collection(
            collection,
            made_with=describe_spaces(list(present)),
            needed=describe_spaces([space.name for space in self._spaces.values()]),
        )


def _filter(candidate_ids: Sequence[str], excluded_id: str | None) -> models.Filter | None:
    """Return the filter that lets candidates pass, or all images if there are none, but never one."""
    if not candidate_ids and excluded_id is None:
        return None
    return models.Filter(
        must=[_has_id(candidate_ids)] if candidate_ids else None,
        must_not=None if excluded_id is None else [_has_id([excluded_id])],
    )


def _has_id(image_ids: Sequence[str]) -> models.HasIdCondition:
    return models.HasIdCondition(has_id=[point_id(image_id) for image_id in image_ids])

"""Between the messages about collections and the types of this service."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from google.protobuf import struct_pb2

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.tensors import to_array
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.collections.interface import CollectionInfo, ListedImage
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.embedding.cache import Vector
from chladni_similarity.grpc_api.messages import MAX_IMAGES_PER_REQUEST, encoded_image
from chladni_similarity.grpc_api.pages import page_token, read_page_size, read_page_start
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.search import MAX_REACHABLE_MATCHES, NewImage, SearchResult, SearchScope

DEFAULT_COLLECTION: Final = "default"
DEFAULT_NEIGHBOR_COUNT: Final = 10
MAX_NEIGHBOR_COUNT: Final = 100
DEFAULT_LISTED_COUNT: Final = 100
MAX_LISTED_COUNT: Final = 1000
MAX_LIST_BYTES: Final = 3 * 1024 * 1024
"""Metadata of one page at most: clients take answers of 4 MiB unless they are set to take more."""
MAX_CANDIDATE_IDS: Final = 1000
MAX_DELETED_IDS: Final = 1000
MAX_METADATA_BYTES: Final = 16 * 1024

_COLLECTION_PATTERN: Final = "[A-Za-z0-9._-]{1,64}"
_COLLECTION_MEANING: Final = "1 to 64 letters, digits, '.', '_' or '-'"
_ID_PATTERN: Final = "[A-Za-z0-9._-]{1,128}"
_ID_MEANING: Final = "1 to 128 letters, digits, '.', '_' or '-'"
_MAX_SHOWN_LENGTH: Final = 80
_MAX_REPORTED: Final = 5
"""How many images an error names for each thing that is wrong: gRPC carries an error in 8 KiB."""


def images_to_add(
    request: similarity_pb2.UpsertImagesRequest, limits: ImageLimits
) -> tuple[str, Sequence[NewImage]]:
    """Return the collection of a request, and the images to add to it.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
    """
    validator = RequestValidator()
    collection = _collection(request.collection, validator)
    _check_count("images", len(request.images), MAX_IMAGES_PER_REQUEST, "images", validator)
    _check_ids([(f"images[{index}].id", image.id) for index, image in enumerate(request.images)], validator)
    _check_contents(request.images, validator)
    validator.raise_if_invalid()
    return collection, [
        NewImage(
            image.id,
            encoded_image(image.image, f"images[{index}].image", limits),
            _to_text(image.metadata) if image.HasField("metadata") else None,
        )
        for index, image in enumerate(request.images)
    ]


def search_scope(request: similarity_pb2.SearchImagesRequest) -> SearchScope:
    """Return what a request searches.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
    """
    validator = RequestValidator()
    collection = _collection(request.collection, validator)
    query = request.WhichOneof("query")
    validator.require("query", present=query is not None, hint="set image, audio, id or embedding")
    if query == "id":
        _check_patterns([("id", request.id)], validator)
    count = read_page_size(
        request, validator, default=DEFAULT_NEIGHBOR_COUNT, maximum=MAX_NEIGHBOR_COUNT, unit="neighbours"
    )
    min_score = request.min_score if request.HasField("min_score") else 0.0
    validator.check_range("min_score", min_score, minimum=0, maximum=1)
    skipped = _read_skipped(request, validator)
    validator.check_range(
        "candidate_ids", len(request.candidate_ids), minimum=0, maximum=MAX_CANDIDATE_IDS, unit="identifiers"
    )
    _check_ids(
        [(f"candidate_ids[{index}]", image_id) for index, image_id in enumerate(request.candidate_ids)],
        validator,
    )
    validator.raise_if_invalid()
    return SearchScope(
        collection=collection,
        max_matches=count,
        candidate_ids=tuple(request.candidate_ids),
        min_score=min_score,
        skipped=skipped,
    )


def query_vector(embedding: tensor_pb2.Embedding, card: ModelCard) -> Vector:
    """Return the embedding of a query as a vector of length 1.

    Args:
        embedding: The message.
        card: The model whose embeddings images are found by.

    Raises:
        InvalidInputError: It is of another space, has another length, or points nowhere.
    """
    if embedding.space != card.space:
        raise _invalid_embedding(
            "space",
            f"is {embedding.space[:_MAX_SHOWN_LENGTH]!r}, must be {card.space}, in which EmbedImages "
            f"embeds with the model {card.model_id}.",
        )
    values = to_array(
        embedding.values, field="embedding.values", dtype=np.float32, shape=(card.dimension,)
    ).astype(np.float64)
    length = np.linalg.norm(values)
    if not length:
        raise _invalid_embedding("values", "holds zeros alone; send what EmbedImages returned.")
    vector: Vector = (values / length).astype(np.float32)
    return vector


def images_to_list(request: similarity_pb2.ListImagesRequest) -> tuple[str, int, str | None]:
    """Return the collection of a request, how many of its images a page has, and the first one's identifier.

    Raises:
        InvalidFieldsError: A field is wrong.
    """
    validator = RequestValidator()
    collection = _collection(request.collection, validator)
    count = read_page_size(
        request, validator, default=DEFAULT_LISTED_COUNT, maximum=MAX_LISTED_COUNT, unit="images"
    )
    first_id = read_page_start(request, request.page_token, validator)
    validator.raise_if_invalid()
    return collection, count, first_id or None


def collections_to_list(request: similarity_pb2.ListCollectionsRequest) -> tuple[int, str]:
    """Return how many collections a page has, and the name to begin at.

    Raises:
        InvalidFieldsError: A field is wrong.
    """
    validator = RequestValidator()
    count = read_page_size(
        request, validator, default=DEFAULT_LISTED_COUNT, maximum=MAX_LISTED_COUNT, unit="collections"
    )
    first_name = read_page_start(request, request.page_token, validator)
    validator.raise_if_invalid()
    return count, first_name


def collection_to_describe(request: similarity_pb2.GetCollectionRequest) -> str:
    """Return the collection of a request.

    Raises:
        InvalidFieldsError: Its name cannot be one.
    """
    validator = RequestValidator()
    collection = _collection(request.collection, validator)
    validator.raise_if_invalid()
    return collection


def collection_to_delete(request: similarity_pb2.DeleteCollectionRequest) -> str:
    """Return the collection of a request.

    Raises:
        InvalidFieldsError: It is missing, or its name cannot be one.
    """
    validator = RequestValidator()
    validator.require(
        "collection", present=bool(request.collection), hint=f"name it, even if it is {DEFAULT_COLLECTION!r}"
    )
    validator.raise_if_invalid()
    collection = _collection(request.collection, validator)
    validator.raise_if_invalid()
    return collection


def ids_to_delete(request: similarity_pb2.DeleteImagesRequest) -> tuple[str, Sequence[str]]:
    """Return the collection of a request, and the different identifiers to delete from it.

    Raises:
        InvalidFieldsError: A field is wrong.
    """
    validator = RequestValidator()
    collection = _collection(request.collection, validator)
    _check_count("ids", len(request.ids), MAX_DELETED_IDS, "identifiers", validator)
    _check_patterns([(f"ids[{index}]", image_id) for index, image_id in enumerate(request.ids)], validator)
    validator.raise_if_invalid()
    return collection, list(dict.fromkeys(request.ids))


def search_images_response(
    request: similarity_pb2.SearchImagesRequest, scope: SearchScope, result: SearchResult
) -> similarity_pb2.SearchImagesResponse:
    """Return the response to a search."""
    next_skipped = scope.skipped + len(result.matches)
    has_next = result.has_more and next_skipped < MAX_REACHABLE_MATCHES
    return similarity_pb2.SearchImagesResponse(
        neighbors=[
            similarity_pb2.Neighbor(
                id=match.image_id,
                score=match.score,
                metadata=None if match.metadata is None else _to_struct(match.metadata),
            )
            for match in result.matches
        ],
        absent_ids=result.absent_ids,
        next_page_token=page_token(request, str(next_skipped)) if has_next else "",
    )


def list_images_response(
    request: similarity_pb2.ListImagesRequest, images: Sequence[ListedImage], count: int
) -> similarity_pb2.ListImagesResponse:
    """Return a page of images.

    Args:
        request: The request.
        images: Images of the page, and at least one more if more follow.
        count: Images of the page at most; fewer if their metadata are large.
    """
    response = similarity_pb2.ListImagesResponse()
    size = 0
    for image in images:
        metadata = None if image.metadata is None else _to_struct(image.metadata)
        message = similarity_pb2.StoredImage(id=image.image_id, metadata=metadata)
        size += message.ByteSize()
        if len(response.images) == count or (response.images and size > MAX_LIST_BYTES):
            response.next_page_token = page_token(request, image.image_id)
            break
        response.images.append(message)
    return response


def list_collections_response(
    request: similarity_pb2.ListCollectionsRequest, infos: Sequence[CollectionInfo], count: int
) -> similarity_pb2.ListCollectionsResponse:
    """Return a page of collections; `infos` are those of the page, and one more if more follow."""
    return similarity_pb2.ListCollectionsResponse(
        collections=map(to_collection, infos[:count]),
        next_page_token=page_token(request, infos[count].name) if len(infos) > count else "",
    )


def to_collection(info: CollectionInfo) -> similarity_pb2.Collection:
    """Return the message of a collection."""
    return similarity_pb2.Collection(
        name=info.name, image_count=info.image_count, models=info.model_ids, outdated=info.is_outdated
    )


def _read_skipped(request: similarity_pb2.SearchImagesRequest, validator: RequestValidator) -> int:
    """Return how many neighbours come before the page of a request."""
    start = read_page_start(request, request.page_token, validator)
    if not start:
        return 0
    skipped = int(start) if re.fullmatch("[0-9]{1,4}", start) else MAX_REACHABLE_MATCHES
    validator.check_range("page_token", skipped, minimum=1, maximum=MAX_REACHABLE_MATCHES - 1)
    return skipped


def _invalid_embedding(name: str, description: str) -> InvalidInputError:
    field = f"embedding.{name}"
    return InvalidInputError(Reason.INVALID_FIELD, f"{field} {description}", field=field)


def _collection(name: str, validator: RequestValidator) -> str:
    name = name or DEFAULT_COLLECTION
    validator.check_pattern("collection", name, pattern=_COLLECTION_PATTERN, meaning=_COLLECTION_MEANING)
    return name


def _check_count(field: str, count: int, maximum: int, unit: str, validator: RequestValidator) -> None:
    validator.check_range(field, count, minimum=1, maximum=maximum, unit=unit)


def _check_ids(ids: Sequence[tuple[str, str]], validator: RequestValidator) -> None:
    """Require identifiers of the right form, each once."""
    _check_patterns(ids, validator)
    first_fields: dict[str, str] = {}
    repeated = [
        (field, first_field)
        for field, image_id in ids
        if (first_field := first_fields.setdefault(image_id, field)) != field and image_id
    ]
    for field, first_field in repeated[:_MAX_REPORTED]:
        validator.check(
            field, valid=False, description=f"is the same as {first_field}; name each image once."
        )


def _check_patterns(ids: Sequence[tuple[str, str]], validator: RequestValidator) -> None:
    wrong = [(field, image_id) for field, image_id in ids if not re.fullmatch(_ID_PATTERN, image_id)]
    for field, image_id in wrong[:_MAX_REPORTED]:
        validator.check_pattern(field, image_id, pattern=_ID_PATTERN, meaning=_ID_MEANING)


def _check_contents(images: Sequence[similarity_pb2.CollectionImage], validator: RequestValidator) -> None:
    absent = [index for index, image in enumerate(images) if not image.HasField("image")]
    for index in absent[:_MAX_REPORTED]:
        validator.require(f"images[{index}].image", present=False, hint="send a PNG, JPEG or WebP image")
    sizes = [(index, image.metadata.ByteSize()) for index, image in enumerate(images)]
    for index, size in [item for item in sizes if item[1] > MAX_METADATA_BYTES][:_MAX_REPORTED]:
        validator.check_range(
            f"images[{index}].metadata", size, minimum=0, maximum=MAX_METADATA_BYTES, unit="bytes"
        )


def _to_text(metadata: struct_pb2.Struct) -> str:
    """Return metadata as JSON, with every number as it is: people can read that in the store."""
    return json.dumps(_to_plain(metadata), ensure_ascii=False)


def _to_plain(metadata: struct_pb2.Struct | struct_pb2.ListValue | struct_pb2.Value) -> Any:
    if isinstance(metadata, struct_pb2.Struct):
        return {key: _to_plain(value) for key, value in metadata.fields.items()}
    if isinstance(metadata, struct_pb2.ListValue):
        return [_to_plain(value) for value in metadata.values]
    kind = metadata.WhichOneof("kind")
    if kind in ("struct_value", "list_value"):
        return _to_plain(getattr(metadata, kind))
    return None if kind in (None, "null_value") else getattr(metadata, kind)


def _to_struct(text: str) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(json.loads(text))
    return struct

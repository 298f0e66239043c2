"""Between the messages about collections and the types of this service."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from google.protobuf import struct_pb2

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.grpc_api.messages import MAX_IMAGES_PER_REQUEST, encoded_image
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.search import NewImage, SearchResult, SearchScope

DEFAULT_COLLECTION: Final = "default"
DEFAULT_NEIGHBOR_COUNT: Final = 10
MAX_NEIGHBOR_COUNT: Final = 100
MAX_CANDIDATE_IDS: Final = 1000
MAX_DELETED_IDS: Final = 1000
MAX_METADATA_BYTES: Final = 16 * 1024

_COLLECTION_PATTERN: Final = "[A-Za-z0-9._-]{1,64}"
_COLLECTION_MEANING: Final = "1 to 64 letters, digits, '.', '_' or '-'"
_ID_PATTERN: Final = "[A-Za-z0-9._-]{1,128}"
_ID_MEANING: Final = "1 to 128 letters, digits, '.', '_' or '-'"
_MAX_REPORTED: Final = 5
"""How many images an error names for each thing that is wrong: gRPC carries an error in 8 KiB."""


def images_to_add(
    request: similarity_pb2.UpsertImagesRequest, limits: ImageLimits
) -> tuple[str, Sequence[NewImage]]:
    """Return the collection of a request, and the images to add to it.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
        InvalidInputError: An image says to be of no known format.
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
    validator.require("query", present=request.WhichOneof("query") is not None, hint="set image or audio")
    count = request.page_size or DEFAULT_NEIGHBOR_COUNT
    validator.check_range("page_size", count, minimum=1, maximum=MAX_NEIGHBOR_COUNT, unit="neighbours")
    validator.check_range(
        "candidate_ids", len(request.candidate_ids), minimum=0, maximum=MAX_CANDIDATE_IDS, unit="identifiers"
    )
    _check_ids(
        [(f"candidate_ids[{index}]", image_id) for index, image_id in enumerate(request.candidate_ids)],
        validator,
    )
    validator.raise_if_invalid()
    return SearchScope(collection=collection, max_matches=count, candidate_ids=tuple(request.candidate_ids))


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


def search_images_response(result: SearchResult) -> similarity_pb2.SearchImagesResponse:
    """Return the response to a search."""
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
    )


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

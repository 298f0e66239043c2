"""Errors about collections, with what the caller can do."""

from __future__ import annotations

from typing import Final

from chladni_contract.errors import (
    ChladniError,
    FieldViolation,
    NotFoundError,
    Reason,
    UnavailableError,
)
from chladni_similarity.collections.interface import CollectionLimits, VectorKind

_RETRY_SECONDS: Final = 2.0


def unknown_collection(collection: str) -> NotFoundError:
    """Return the error that there is no such collection."""
    message = f"There is no collection {collection!r} here; UpsertImages makes one with its first images."
    return NotFoundError(
        Reason.UNKNOWN_COLLECTION,
        message,
        violations=[FieldViolation("collection", message)],
        metadata={"collection": collection},
    )


def unknown_image(collection: str, image_id: str) -> NotFoundError:
    """Return the error that a collection has no such image."""
    message = f"The collection {collection!r} holds no image {image_id!r}; ListImages lists those it holds."
    return NotFoundError(
        Reason.UNKNOWN_IMAGE,
        message,
        violations=[FieldViolation("id", message)],
        metadata={"image_id": image_id},
    )


def full_collection(collection: str, *, count: int, added: int, limits: CollectionLimits) -> ChladniError:
    """Return the error that images do not fit a collection."""
    message = (
        f"The collection {collection!r} holds {count} images, with these it would hold {count + added}; "
        f"this server keeps at most {limits.max_images} in one. Delete some with DeleteImages, or add these "
        "to another collection."
    )
    return ChladniError(
        Reason.COLLECTION_FULL,
        message,
        violations=[FieldViolation("images", message)],
        metadata={
            "collection": collection,
            "count": count,
            "requested": added,
            "maximum": limits.max_images,
        },
    )


def too_many_collections(limits: CollectionLimits) -> ChladniError:
    """Return the error that there is no room for another collection."""
    message = (
        f"This server keeps at most {limits.max_collections} collections and has as many. Add the images "
        "to one of them, or delete one with DeleteCollection."
    )
    return ChladniError(
        Reason.COLLECTION_FULL,
        message,
        violations=[FieldViolation("collection", message)],
        metadata={"count": limits.max_collections, "maximum": limits.max_collections},
    )


def outdated_collection(collection: str, *, made_with: str, needed: str) -> ChladniError:
    """Return the error that a collection was made with other models than this server now has.

    Args:
        collection: The collection.
        made_with: The models that made it, in words.
        needed: The models of this server, in words.
    """
    message = (
        f"The collection {collection!r} was made with {made_with}; this server has {needed}. Vectors of "
        "different models cannot be compared. Add the images again to another collection, or delete "
        "this one with DeleteCollection first."
    )
    return ChladniError(
        Reason.COLLECTION_OUTDATED,
        message,
        violations=[FieldViolation("collection", message)],
        metadata={"collection": collection},
    )


def store_unavailable(what: str, *, retry_after_seconds: float = _RETRY_SECONDS) -> UnavailableError:
    """Return the error that the store fails; `what` says how, without paths or addresses."""
    return UnavailableError(
        Reason.STORAGE_UNAVAILABLE,
        f"The collections cannot be reached now: {what}. Try again later.",
        retry_after_seconds=retry_after_seconds,
    )


def describe_spaces(names: list[str]) -> str:
    """Return names of vector spaces in words: "efficientnet-lite0 (0123456789abcdef) for images"."""
    known = [name.split("@") for name in sorted(names) if name.count("@") == 2]
    words = [
        f"{model} ({fingerprint}) for {'audio' if kind == VectorKind.AUDIO else 'images'}"
        for kind, model, fingerprint in known
    ]
    return " and ".join(words) or "nothing that this service knows"

"""Metrics of collections. No label holds anything of a request, such as a collection's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chladni_runtime.server.metrics import LATENCY_BUCKETS_SECONDS
from chladni_similarity.collections.interface import VectorKind

_LARGEST: Final = "largest"
_ALL: Final = "all"


class CollectionMetrics:
    """Metrics of collections.

    Sizes are as this process last saw them: what other replicas add to a shared server shows once this one
    writes to the same collection.

    Args:
        registry: Registry that they join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._sizes: dict[str, int] = {}
        collections = Gauge("chladni_collections", "Collections of images.", registry=registry)
        collections.set_function(lambda: len(self._sizes))
        images = Gauge(
            "chladni_collection_images",
            "Images in collections: in the largest one, and in all together.",
            ["collections"],
            registry=registry,
        )
        images.labels(_LARGEST).set_function(lambda: max(self._sizes.values(), default=0))
        images.labels(_ALL).set_function(lambda: sum(self._sizes.values()))
        self.added_images = Counter(
            "chladni_collection_images_added_total", "Images added or replaced.", registry=registry
        )
        self.deleted_images = Counter(
            "chladni_collection_images_deleted_total", "Images deleted.", registry=registry
        )
        searches = Histogram(
            "chladni_collection_search_seconds",
            "Time of a search in the store, without the embedding of the query.",
            ["query"],
            buckets=LATENCY_BUCKETS_SECONDS,
            registry=registry,
        )
        self.search_seconds = {kind: searches.labels(kind.value) for kind in VectorKind}

    def note_sizes(self, sizes: Mapping[str, int]) -> None:
        """Note the number of images in each collection."""
        self._sizes = dict(sizes)

    def note_added(self, collection: str, *, added: int, size: int) -> None:
        """Count images that were added, and note the size of their collection."""
        self.added_images.inc(added)
        self._sizes[collection] = size

    def note_deleted(self, collection: str, deleted: int) -> None:
        """Count images that were deleted."""
        self.deleted_images.inc(deleted)
        if collection in self._sizes:
            self._sizes[collection] = max(0, self._sizes[collection] - deleted)

    def note_dropped(self, collection: str, deleted: int) -> None:
        """Count the images of a collection that was deleted."""
        self.deleted_images.inc(deleted)
        self._sizes.pop(collection, None)

"""What operators see of the embedding of images. Labels are models, which the configuration bounds."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64)


class EmbeddingMetrics:
    """Metrics of embedding.

    Args:
        registry: Registry that they join.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._cache_hits = Counter(
            "chladni_embedding_cache_hits_total",
            "Images whose embedding was known.",
            ["model"],
            registry=registry,
        )
        self._cache_misses = Counter(
            "chladni_embedding_cache_misses_total",
            "Images whose embedding had to be computed.",
            ["model"],
            registry=registry,
        )
        self.cached_embeddings = Gauge(
            "chladni_embedding_cache_entries", "Embeddings in the cache.", registry=registry
        )
        self.queued_images = Gauge(
            "chladni_embedding_queue_images", "Images that wait for the model.", registry=registry
        )
        self.batch_images = Histogram(
            "chladni_embedding_batch_images",
            "Images in a run of a model.",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self._of_models: dict[str, tuple[Counter, Counter]] = {}

    def count_images(self, model_id: str, *, cached: int, computed: int) -> None:
        """Count the images of a request."""
        if model_id not in self._of_models:
            self._of_models[model_id] = self._cache_hits.labels(model_id), self._cache_misses.labels(model_id)
        hits, misses = self._of_models[model_id]
        hits.inc(cached)
        misses.inc(computed)

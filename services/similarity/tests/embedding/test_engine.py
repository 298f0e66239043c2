"""The engine: what is computed, what is remembered, and who fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from chladni_contract.errors import (
    ChladniError,
    DeadlineExceededError,
    InvalidFieldsError,
    InvalidInputError,
    QueueFullError,
    Reason,
)
from chladni_runtime.batching.batcher import DynamicBatcher
from chladni_runtime.batching.queue import BatchLimits
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.deadlines import Deadline
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.embedding.cache import EmbeddingCache
from chladni_similarity.embedding.engine import EmbeddingEngine, compute_batch
from chladni_similarity.images.decoder import ImageDecoder
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.images.sources import EncodedImage, RawImage
from chladni_similarity.metrics import EmbeddingMetrics


class MeanColourEmbedder:
    """Embeds an image as its mean colour; refuses black, for which it has no direction."""

    card = ModelCard(
        model_id="mean-colour", digest="0" * 64, description="", license="", space="colours", dimension=3
    )

    def __init__(self):
        self.batches = []
        self.prepared_count = 0

    def prepare(self, pixels):
        self.prepared_count += 1
        return np.ascontiguousarray(pixels)

    def takes_as_is(self, pixels):
        return pixels.shape[-1] < 10

    def embed(self, inputs):
        self.batches.append(inputs)
        return inputs.mean(axis=(2, 3), dtype=np.float32)

    @property
    def computed_count(self):
        return sum(len(batch) for batch in self.batches)


@asynccontextmanager
async def running_engine(*, capacity=64, cache_capacity=100, delay_seconds=0.05):
    registry = CollectorRegistry()
    metrics = EmbeddingMetrics(registry)
    limits = BatchLimits(max_batch_size=4, max_delay_seconds=delay_seconds, max_queued_items=capacity)

    def admission():
        return Admission(capacity, clock=time.monotonic)

    async with (
        WorkerPool(2, admission=admission(), queue="work") as workers,
        DynamicBatcher(
            compute_batch,
            batch_key_of=lambda job: job.group,
            limits=limits,
            clock=time.monotonic,
            observe_batch=metrics.batch_images.observe,
        ) as batcher,
    ):
        engine = EmbeddingEngine(
            workers=workers,
            decoder=ImageDecoder(),
            batcher=batcher,
            cache=EmbeddingCache(cache_capacity),
            admission=admission(),
            metrics=metrics,
        )
        engine.registry = registry
        yield engine


def plain(colour, size=(2, 3)):
    return RawImage(np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, *size)))


def counted(engine, name):
    return engine.registry.get_sample_value(name, {"model": "mean-colour"})


async def test_vectors_have_length_one_and_the_order_of_the_images():
    async with running_engine() as engine:
        images = [plain((9, 0, 0)), plain((0, 3, 4)), plain((0, 0, 7))]
        result = await engine.embed(MeanColourEmbedder(), images, CancellationToken())
    np.testing.assert_allclose(result.vectors, [[1, 0, 0], [0, 0.6, 0.8], [0, 0, 1]], atol=1e-7)
    assert result.vectors.dtype == np.float32
    assert result.cached_count == 0
    assert result.processing_seconds > 0


@pytest.fixture
def file_of(encode):
    """Gives an image of one colour as a PNG file."""

    def encoded(colour, size=(2, 3)):
        pixels = np.broadcast_to(np.array(colour, np.uint8), (*size, 3))
        return EncodedImage(encode(np.ascontiguousarray(pixels)), "image", ImageLimits())

    return encoded


async def test_equal_files_of_a_request_are_computed_once(file_of):
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        images = [file_of((1, 2, 3)), file_of((3, 2, 1)), file_of((1, 2, 3)), file_of((1, 2, 3))]
        result = await engine.embed(embedder, images, CancellationToken())
    assert embedder.computed_count == 2
    assert result.cached_count == 0
    np.testing.assert_array_equal(result.vectors[0], result.vectors[2])
    np.testing.assert_array_equal(result.vectors[0], result.vectors[3])


async def test_an_image_that_comes_again_is_not_computed_again(file_of):
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        first = await engine.embed(embedder, [file_of((1, 2, 3))], CancellationToken())
        images = [file_of((1, 2, 3)), file_of((4, 4, 4))]
        again = await engine.embed(embedder, images, CancellationToken())
        assert counted(engine, "chladni_embedding_cache_hits_total") == 1
        assert counted(engine, "chladni_embedding_cache_misses_total") == 2
    assert embedder.computed_count == 2
    assert again.cached_count == 1
    np.testing.assert_array_equal(first.vectors[0], again.vectors[0])


async def test_raw_pixels_go_to_the_model_as_they_are_and_are_not_remembered():
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        for _ in range(2):
            result = await engine.embed(embedder, [plain((1, 2, 3))] * 2, CancellationToken())
            assert result.cached_count == 0
    assert embedder.prepared_count == 0
    assert embedder.computed_count == 4


async def test_raw_pixels_of_another_size_are_prepared():
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        images = [plain((1, 2, 3)), plain((0, 3, 4), (20, 20))]
        result = await engine.embed(embedder, images, CancellationToken())
    assert embedder.prepared_count == 2
    np.testing.assert_allclose(result.vectors[1], [0, 0.6, 0.8], atol=1e-7)


async def test_images_with_a_batch_of_their_own_share_it_with_nobody(file_of):
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:

        def ask(level, own_batch):
            images = [plain((level, 1, 1)) for _ in range(3)]
            return engine.embed(embedder, images, CancellationToken(), own_batch=own_batch)

        await asyncio.gather(*(ask(level, own_batch=level % 2 == 1) for level in range(1, 6)))
    levels = [batch[:, 0, 0, 0].tolist() for batch in embedder.batches]
    for level in (1, 3, 5):
        assert [level] * 3 in levels
    shared = [batch for batch in levels if not {1, 3, 5} & set(batch)]
    assert sorted(level for batch in shared for level in batch) == [2, 2, 2, 4, 4, 4]


async def test_a_request_with_a_batch_of_its_own_neither_asks_the_cache_nor_fills_it(file_of):
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        for own_batch in (True, False, True):
            images = [file_of((1, 2, 3)), file_of((1, 2, 3))]
            result = await engine.embed(embedder, images, CancellationToken(), own_batch=own_batch)
            assert result.cached_count == 0
            np.testing.assert_array_equal(result.vectors[0], result.vectors[1])
    assert embedder.computed_count == 3


async def test_a_batch_that_does_not_fit_the_memory_is_computed_in_parts():
    class Cramped(MeanColourEmbedder):
        def embed(self, inputs):
            if len(inputs) > 1:
                raise MemoryError
            return super().embed(inputs)

    async with running_engine() as engine:
        images = [plain((level, 0, 0)) for level in range(1, 5)]
        result = await engine.embed(Cramped(), images, CancellationToken())
    np.testing.assert_allclose(result.vectors, [[1, 0, 0]] * 4)


async def test_a_file_that_comes_again_is_not_even_decoded(encode, random_image):
    embedder = MeanColourEmbedder()
    image = EncodedImage(encode(random_image(1)), "image", ImageLimits())
    async with running_engine() as engine:
        await engine.embed(embedder, [image], CancellationToken())
        result = await engine.embed(embedder, [image], CancellationToken())
    assert embedder.prepared_count == 1
    assert result.cached_count == 1


async def test_two_files_of_equal_pixels_share_a_vector(encode, random_image):
    embedder = MeanColourEmbedder()
    image = random_image(2)
    files = [encode(image), encode(image, "WEBP", lossless=True)]
    images = [EncodedImage(content, "image", ImageLimits()) for content in files]
    async with running_engine() as engine:
        result = await engine.embed(embedder, images, CancellationToken())
    assert embedder.computed_count == 1
    assert len(np.unique(result.vectors, axis=0)) == 1


async def test_a_file_known_to_be_good_is_still_refused_by_narrower_limits(encode, random_image):
    content = encode(random_image(3))
    async with running_engine() as engine:
        good = EncodedImage(content, "image", ImageLimits())
        await engine.embed(MeanColourEmbedder(), [good], CancellationToken())
        too_large = EncodedImage(content, "image", ImageLimits(max_bytes=len(content) - 1))
        with pytest.raises(InvalidInputError, match="at most"):
            await engine.embed(MeanColourEmbedder(), [too_large], CancellationToken())


@pytest.mark.parametrize("cache_capacity", [0, 1])
async def test_a_small_cache_forgets_and_stays_right(file_of, cache_capacity):
    embedder = MeanColourEmbedder()
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)] * 3
    async with running_engine(cache_capacity=cache_capacity, delay_seconds=0) as engine:
        for colour in colours:
            result = await engine.embed(embedder, [file_of(colour)], CancellationToken())
            np.testing.assert_allclose(result.vectors[0], np.array(colour) / 255, atol=1e-7)
    assert embedder.computed_count == 9


async def test_models_do_not_share_vectors(file_of):
    class Negative(MeanColourEmbedder):
        card = ModelCard("negative", "1" * 64, "", "", "negative colours", 3)

        def embed(self, inputs):
            return -super().embed(inputs)

    async with running_engine() as engine:
        results = [
            await engine.embed(embedder, [file_of((0, 0, 5))], CancellationToken())
            for embedder in (MeanColourEmbedder(), Negative())
        ]
    assert [result.cached_count for result in results] == [0, 0]
    np.testing.assert_allclose(results[0].vectors, -results[1].vectors)


async def test_what_was_used_last_is_remembered(file_of):
    embedder = MeanColourEmbedder()
    red, green, blue = file_of((5, 0, 0)), file_of((0, 5, 0)), file_of((0, 0, 5))
    async with running_engine(cache_capacity=2, delay_seconds=0) as engine:
        counts = [
            (await engine.embed(embedder, [image], CancellationToken())).cached_count
            for image in (red, green, red, blue, red, green)
        ]
    assert counts == [0, 0, 1, 0, 1, 0]


async def test_images_of_several_requests_share_batches_grouped_by_shape():
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        await asyncio.gather(
            *(
                engine.embed(embedder, [plain((level, 1, 1), (2, 2 + level % 2))], CancellationToken())
                for level in range(8)
            )
        )
        assert engine.registry.get_sample_value("chladni_embedding_batch_images_sum") == 8
    assert sorted(len(batch) for batch in embedder.batches) == [4, 4]


async def test_an_image_without_a_usable_vector_fails_alone():
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        results = await asyncio.gather(
            *(engine.embed(embedder, [plain((level, 0, 0))], CancellationToken()) for level in range(4)),
            return_exceptions=True,
        )
    assert len(embedder.batches) == 1
    assert isinstance(results[0], ChladniError)
    assert results[0].reason is Reason.NON_FINITE_OUTPUT
    for result in results[1:]:
        np.testing.assert_allclose(result.vectors, [[1, 0, 0]])


async def test_a_model_that_fails_fails_the_batch_and_not_the_engine():
    class Failing(MeanColourEmbedder):
        def embed(self, inputs):
            raise RuntimeError("the model fell over")

    async with running_engine() as engine:
        with pytest.raises(RuntimeError, match="fell over"):
            await engine.embed(Failing(), [plain((1, 1, 1)), plain((2, 1, 1))], CancellationToken())
        result = await engine.embed(MeanColourEmbedder(), [plain((1, 0, 0))], CancellationToken())
    np.testing.assert_allclose(result.vectors, [[1, 0, 0]])


async def test_all_bad_images_are_reported_and_nothing_is_computed(encode, random_image):
    embedder = MeanColourEmbedder()
    contents = [encode(random_image(4)), b"no image", b"", encode(random_image(5))]
    images = [
        EncodedImage(content, f"images[{index}].content", ImageLimits())
        for index, content in enumerate(contents)
    ]
    async with running_engine() as engine:
        with pytest.raises(InvalidFieldsError) as caught:
            await engine.embed(embedder, images, CancellationToken())
        with pytest.raises(InvalidInputError) as single:
            await engine.embed(embedder, images[:2], CancellationToken())
    assert [item.field for item in caught.value.violations] == ["images[1].content", "images[2].content"]
    assert caught.value.reason is Reason.INVALID_IMAGE
    assert caught.value.message.count("images[1].content") == 1
    assert single.value.violations[0].field == "images[1].content"
    assert embedder.computed_count == 0


async def test_more_images_than_there_is_room_for_are_refused_whole():
    embedder = MeanColourEmbedder()
    async with running_engine(capacity=4) as engine:
        with pytest.raises(QueueFullError) as caught:
            await engine.embed(embedder, [plain((level, 1, 1)) for level in range(5)], CancellationToken())
        assert caught.value.retry_after_seconds > 0
        assert embedder.prepared_count == 0
        result = await engine.embed(
            embedder, [plain((level, 1, 1)) for level in range(4)], CancellationToken()
        )
    assert len(result.vectors) == 4


async def test_a_passed_deadline_computes_nothing():
    embedder = MeanColourEmbedder()
    async with running_engine() as engine:
        with pytest.raises(DeadlineExceededError):
            await engine.embed(embedder, [plain((1, 1, 1))], CancellationToken(Deadline.after(0.0)))
    assert embedder.prepared_count == 0
    assert embedder.computed_count == 0


async def test_a_deadline_that_passes_in_the_queue_computes_nothing():
    embedder = MeanColourEmbedder()
    async with running_engine(delay_seconds=1) as engine:
        token = CancellationToken(Deadline.after(0.2))
        with pytest.raises(DeadlineExceededError):
            await engine.embed(embedder, [plain((1, 1, 1)), plain((2, 1, 1), (20, 20))], token)
    assert embedder.prepared_count == 2
    assert embedder.computed_count == 0


async def test_a_caller_that_leaves_gives_its_place_back():
    embedder = MeanColourEmbedder()
    async with running_engine(capacity=1, delay_seconds=0.3) as engine:
        token = CancellationToken()
        leaving = asyncio.create_task(engine.embed(embedder, [plain((1, 1, 1))], token))
        await asyncio.sleep(0.1)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        token.cancel()
        result = await engine.embed(embedder, [plain((2, 0, 0))], CancellationToken())
    np.testing.assert_allclose(result.vectors, [[1, 0, 0]])
    assert embedder.computed_count == 1

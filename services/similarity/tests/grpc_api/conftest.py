"""The service over loopback, with a model of colours in place of the one that hears.

Its sounds are colours, so what fits is known beforehand.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.protobuf import struct_pb2

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings
from chladni_similarity import composition
from chladni_similarity.config import SimilaritySettings
from chladni_similarity.embedders.catalog import ModelCatalog
from chladni_similarity.embedders.interface import ModelCard
from chladni_similarity.models.scoring import CosineScore


class Colours:
    """Embeds an image as its mean colour, and a sound as its first three components."""

    concurrent_batch_count = 1
    score_map = CosineScore()
    alignment_score_map = CosineScore()

    def __init__(self, model_id):
        self.card = ModelCard(model_id, f"digest of {model_id}", "Mean colours.", "", f"{model_id}-v1", 3)

    def prepare(self, pixels):
        return pixels.mean(axis=(1, 2), dtype=np.float32) + np.float32(0.001)

    def takes_as_is(self, pixels):
        return False

    def embed(self, inputs):
        return inputs.copy()

    def embed_audio(self, sounds):
        return sounds[:, :3].copy()


@asynccontextmanager
async def served(monkeypatch, **environ):
    environ = {f"CHLADNI_SIMILARITY_{name.upper()}": value for name, value in environ.items()}
    compose = composition.compose(load_settings(SimilaritySettings, environ))
    async with AsyncExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(composition, "load_catalog", lambda *_, **__: ModelCatalog([Colours("colours")]))
            service = loopback_service(compose, service_names=composition.SERVICE_NAMES)
            running, channel = await stack.enter_async_context(service)
        yield running, similarity_grpc.SimilarityServiceStub(channel)


@pytest.fixture(scope="session", name="served")
def _served():
    """Return a function that serves with other settings."""
    return served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service():
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with served(monkeypatch, max_images_per_collection="200", max_collections="200") as running:
            yield running


@pytest.fixture(scope="module")
def stub(service):
    return service[1]


@pytest.fixture(scope="module")
def coloured(encode):
    """Gives a PNG of one colour."""
    return lambda *rgb: media_pb2.EncodedImage(content=encode(np.full((8, 8, 3), rgb, np.uint8)))


class Build:
    """Makes requests."""

    @staticmethod
    def item(image_id, image, metadata=None):
        struct = None
        if metadata is not None:
            struct = struct_pb2.Struct()
            struct.update(metadata)
        return similarity_pb2.CollectionImage(id=image_id, image=image, metadata=struct)

    @staticmethod
    def add(collection, *items):
        return similarity_pb2.UpsertImagesRequest(collection=collection, images=items)

    @staticmethod
    def search(collection, image, count=0):
        return similarity_pb2.SearchImagesRequest(collection=collection, image=image, page_size=count)

    @staticmethod
    def search_among(collection, image, candidate_ids, count=0):
        return similarity_pb2.SearchImagesRequest(
            collection=collection, image=image, page_size=count, candidate_ids=candidate_ids
        )

    @staticmethod
    def search_by_audio(collection, *colour, count=0):
        values = np.zeros(COMPONENT_COUNT, np.float32)
        values[:3] = colour
        embedding = tensor_pb2.Embedding(space=DESCRIPTOR_SPACE, values=to_tensor(values))
        audio = similarity_pb2.AudioQuery(embedding=embedding)
        return similarity_pb2.SearchImagesRequest(collection=collection, audio=audio, page_size=count)

    @staticmethod
    def search_by(**fields):
        return similarity_pb2.SearchImagesRequest(**fields)

    @staticmethod
    def search_by_vector(space, values, collection="", **fields):
        embedding = tensor_pb2.Embedding(space=space, values=to_tensor(np.array(values, np.float32)))
        return Build.search_by(collection=collection, embedding=embedding, **fields)


@pytest.fixture(scope="session")
def build():
    return Build


async def all_pages(call, request):
    """Gives the answers of all pages of a request."""
    pages = [await call(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await call(request))
    return pages


@pytest.fixture(scope="session", name="all_pages")
def _all_pages():
    return all_pages


def ids_of(response):
    return [neighbor.id for neighbor in response.neighbors]


@pytest.fixture(scope="session", name="ids_of")
def _ids_of():
    return ids_of


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), from_rpc_error(caught.value)


@pytest.fixture(scope="session", name="refusal")
def _refusal():
    return refusal

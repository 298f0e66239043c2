"""Retrieval through a stand-in for the similarity service, whose scores are known."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
from rich.console import Console

from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.similarity.v1 import similarity_service_pb2_grpc as similarity_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_benchmarks.conditions import NotMeasurableError
from chladni_benchmarks.figures import MeasurementError
from chladni_contract.tensors import to_array, to_tensor
from chladni_evaluation.clients.audio_features import AudioEmbedding
from chladni_evaluation.clients.similarity import SimilarityClient
from chladni_evaluation.reports.progress import ProgressDisplay
from chladni_evaluation.sections import retrieval

SEED_COUNT = 2
POSITIONS = [2, 5, 8, 9]


class KnownScores(similarity_grpc.SimilarityServiceServicer):
    """Scores sounds, whose embedding is their number, against images, whose bytes are their number."""

    def __init__(self, scores: np.ndarray, *, forgets: bool = False) -> None:
        self._scores = scores
        self._forgets = forgets
        self.collections: dict[str, dict[str, int]] = {}

    def UpsertImages(self, request, context):
        images = self.collections.setdefault(request.collection, {})
        images |= {image.id: int(image.image.content) for image in request.images}
        return similarity_pb2.UpsertImagesResponse(image_count=len(images))

    def SearchImages(self, request, context):
        assert request.page_size == 100
        row = self._row(request.audio)
        found = sorted(
            ((row[image], name) for name, image in self.collections[request.collection].items()),
            reverse=True,
        )
        return similarity_pb2.SearchImagesResponse(
            neighbors=[
                similarity_pb2.Neighbor(id=name, score=score) for score, name in found[self._forgets :]
            ]
        )

    def ScoreAlignment(self, request, context):
        score = self._row(request.audio)[int(request.image.content or b"0")]
        return similarity_pb2.ScoreAlignmentResponse(score=score, cosine=score)

    def DeleteImages(self, request, context):
        images = self.collections[request.collection]
        count = len([images.pop(name) for name in request.ids])
        return similarity_pb2.DeleteImagesResponse(deleted_count=count)

    def _row(self, sound):
        values = to_array(sound.embedding.values, field="sound", dtype=np.float32, shape=(None,))
        return self._scores[int(values[0])]


@pytest.fixture
def client_of():
    """Return a function that serves a stand-in on loopback and return a client of it."""
    servers, channels = [], []

    def serve(servicer):
        server = grpc.server(ThreadPoolExecutor(2))
        similarity_grpc.add_SimilarityServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]))
        return SimilarityClient(channels[-1])

    yield serve
    for channel in channels:
        channel.close()
    for server in servers:
        server.stop(None).wait()


def dataset_with(similarity: SimilarityClient) -> SimpleNamespace:
    """Ten clips, of which four are to be found."""
    numbers = [np.array([number], np.float32) for number in range(10)]
    return SimpleNamespace(
        retrieval_positions=POSITIONS,
        size=SimpleNamespace(seeds=SEED_COUNT),
        audio_embeddings=[
            AudioEmbedding(tensor_pb2.Embedding(space="s", values=to_tensor(number)), number)
            for number in numbers
        ],
        spectrograms=[b"0"] * 10,
        images=[[str(number).encode()] * SEED_COUNT for number in range(10)],
        similarity=similarity,
        progress=ProgressDisplay(Console(file=io.StringIO())),
    )


def test_both_directions_are_kept_apart(client_of) -> None:
    scores = np.zeros((10, 10))
    for position in POSITIONS:
        scores[position, position] = 0.5
    # This image is every sound's favourite: three sounds do not find their own, but it finds its sound.
    scores[:, POSITIONS[0]] = 0.8
    scores[POSITIONS[0], POSITIONS[0]] = 0.9
    servicer = KnownScores(scores)
    figures = retrieval.measure(dataset_with(client_of(servicer)))
    assert figures["retrieval.clips"] == 4
    assert figures["retrieval.seeds"] == SEED_COUNT
    assert figures["retrieval.clip_to_image.r1"] == 0.25
    assert figures["retrieval.clip_to_image.r5"] == 1
    assert figures["retrieval.clip_to_image.mean_reciprocal_rank"] == pytest.approx((1 + 3 * 0.5) / 4)
    assert figures["retrieval.image_to_clip.r1"] == 1
    assert figures["retrieval.align_difference"] == pytest.approx(0, abs=1e-6)
    assert all(not images for images in servicer.collections.values()), "nothing is left behind"


def test_an_incomplete_search_is_an_error(client_of) -> None:
    servicer = KnownScores(np.eye(10), forgets=True)
    with pytest.raises(MeasurementError, match="gives 3 images of 4"):
        retrieval.measure(dataset_with(client_of(servicer)))
    assert all(not images for images in servicer.collections.values())


def test_a_service_without_alignment_is_reported_and_never_passes(client_of) -> None:
    similarity = client_of(similarity_grpc.SimilarityServiceServicer())
    with pytest.raises(NotMeasurableError, match=re.escape("ScoreAlignment answers UNIMPLEMENTED")):
        retrieval.measure(dataset_with(similarity))

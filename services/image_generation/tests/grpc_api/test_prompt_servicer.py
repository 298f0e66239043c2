"""Prompts over a real loopback connection, without any image model."""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import AsyncExitStack

import grpc
import numpy as np
import pytest

from chladni.image.v1 import prompt_service_pb2 as prompt_pb2
from chladni.image.v1 import prompt_service_pb2_grpc as prompt_grpc
from chladni.media.v1 import media_pb2
from chladni.music.v1 import music_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.descriptor_space import COMPONENT_COUNT, DESCRIPTOR_SPACE
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_image_generation.grpc_api.prompt_servicer import PromptServicer
from chladni_image_generation.prompts.registry import WriterRegistry, WriterSettings
from chladni_runtime.execution.admission import Admission
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.server.arrivals import Arrivals
from chladni_runtime.server.interceptor import CallInterceptor
from chladni_runtime.server.receiver import MessageReceiver

_RECEIVER = MessageReceiver(
    Arrivals(capacity=64, slow_capacity=8, timeout_seconds=60), max_bytes=1024 * 1024, stream_idle_seconds=60
)
FEATURES = music_pb2.MusicFeatures(key="A minor", tempo_bpm=70, mood=["sad"], valence=-0.5)


def number(value):
    """Features with a number that JSON may not know."""
    return music_pb2.MusicFeatures(valence=value)


class HangingWriter:
    """A writer whose server does not answer."""

    name = "hanging"
    model = "none"
    takes_seed = False

    def __init__(self):
        self.may_go_on = threading.Event()

    def write(self, order, *, timeout_seconds):
        self.may_go_on.wait(20)
        return ["late"] * order.count


class Writers(WriterRegistry):
    """The writers, and one that hangs."""

    def __init__(self):
        super().__init__(WriterSettings())
        self.hanging = HangingWriter()
        self._writers = {**self._writers, "hanging": self.hanging}


@pytest.fixture
def writers():
    return Writers()


@pytest.fixture
async def stub(writers):
    def pool():
        return WorkerPool(1, admission=Admission(8, clock=lambda: 0.0), queue="prompts")

    async with AsyncExitStack() as stack:
        workers = await stack.enter_async_context(pool())
        of_writers = {name: await stack.enter_async_context(pool()) for name in writers.names}
        stack.callback(writers.hanging.may_go_on.set)
        server = grpc.aio.server(interceptors=[CallInterceptor(receiver=_RECEIVER)])
        servicer = PromptServicer(writers, workers=workers, writer_workers=of_writers)
        prompt_grpc.add_PromptServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield prompt_grpc.PromptServiceStub(channel)
        await server.stop(grace=0)


async def test_three_convergent_and_two_divergent_prompts_by_default(stub):
    request = prompt_pb2.WritePromptsRequest(features=FEATURES, seed=7)
    response = await stub.WritePrompts(request)
    styles = [prompt.style for prompt in response.prompts]
    assert styles == [prompt_pb2.PROMPT_STYLE_CONVERGENT] * 3 + [prompt_pb2.PROMPT_STYLE_DIVERGENT] * 2
    assert [prompt.temperature for prompt in response.prompts] == [0.4] * 3 + [0.8] * 2
    assert (response.writer, response.seed, response.features) == ("grammar", 7, FEATURES)
    assert (await stub.WritePrompts(request)).prompts == response.prompts


async def test_prompts_are_scored_in_order(stub):
    written = await stub.WritePrompts(prompt_pb2.WritePromptsRequest(features=FEATURES, seed=7))
    prompts = [prompt.text for prompt in written.prompts]
    response = await stub.ScorePrompts(prompt_pb2.ScorePromptsRequest(prompts=prompts, features=FEATURES))
    assert len(response.scores) == 5
    assert all(score.alignment > 0.5 for score in response.scores[:3])
    assert 1.0 < response.vendi_score <= 5.0
    assert response.similarity
    bare = await stub.ScorePrompts(prompt_pb2.ScorePromptsRequest(prompts=prompts[:1]))
    assert not bare.scores[0].HasField("alignment")


@pytest.mark.parametrize(
    ("request_", "field", "reason"),
    [
        (prompt_pb2.WritePromptsRequest(), "features", Reason.MISSING_FIELD),
        (
            prompt_pb2.WritePromptsRequest(features=FEATURES, convergent_count=17),
            "convergent_count",
            Reason.INVALID_FIELD,
        ),
        (
            prompt_pb2.WritePromptsRequest(features=FEATURES, divergent_temperature=2.5),
            "divergent_temperature",
            Reason.INVALID_FIELD,
        ),
        (
            prompt_pb2.WritePromptsRequest(features=FEATURES, convergent_count=0, divergent_count=0),
            "convergent_count",
            Reason.INVALID_FIELD,
        ),
        (prompt_pb2.WritePromptsRequest(features=number(math.nan)), "features.valence", Reason.INVALID_FIELD),
        (
            prompt_pb2.ScorePromptsRequest(prompts=["a"], features=number(math.inf)),
            "features.valence",
            Reason.INVALID_FIELD,
        ),
        (
            prompt_pb2.WritePromptsRequest(audio=media_pb2.AudioClip(content=b"RIFF")),
            "audio",
            Reason.INVALID_FIELD,
        ),
        (
            prompt_pb2.WritePromptsRequest(features=FEATURES, with_time_course=True),
            "with_time_course",
            Reason.INVALID_FIELD,
        ),
        (prompt_pb2.ScorePromptsRequest(), "prompts", Reason.INVALID_FIELD),
        (prompt_pb2.ScorePromptsRequest(prompts=["a", " "]), "prompts[1]", Reason.MISSING_FIELD),
    ],
)
async def test_wrong_requests_are_refused(stub, request_, field, reason):
    is_writing = isinstance(request_, prompt_pb2.WritePromptsRequest)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (stub.WritePrompts if is_writing else stub.ScorePrompts)(request_)
    error = from_rpc_error(caught.value)
    assert (error.reason, error.metadata["field"]) == (reason, field)


async def test_an_unknown_writer_is_named_as_such(stub):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.WritePrompts(prompt_pb2.WritePromptsRequest(features=FEATURES, writer="poet"))
    assert from_rpc_error(caught.value).reason == Reason.UNKNOWN_MODEL


async def test_a_writer_that_hangs_keeps_no_thread_from_the_others(stub, writers):
    waiting = [
        asyncio.ensure_future(
            stub.WritePrompts(prompt_pb2.WritePromptsRequest(features=FEATURES, writer="hanging"))
        )
        for _ in range(4)
    ]
    await asyncio.sleep(0.05)
    response = await stub.WritePrompts(prompt_pb2.WritePromptsRequest(features=FEATURES, seed=7), timeout=5)
    assert len(response.prompts) == 5
    await stub.ScorePrompts(prompt_pb2.ScorePromptsRequest(prompts=["a"]), timeout=5)
    assert not any(call.done() for call in waiting)
    writers.hanging.may_go_on.set()
    assert (await waiting[0]).prompts[0].text == "late"
    await asyncio.gather(*waiting)


async def test_prompts_are_mapped_into_the_space_of_descriptors_and_blended(stub):
    audio = tensor_pb2.Embedding(
        space=DESCRIPTOR_SPACE, values=to_tensor(np.full(COMPONENT_COUNT, 0.5, np.float32))
    )
    request = prompt_pb2.EmbedPromptsRequest(prompts=["a quiet garden", "magnetic deer"])
    alone = await stub.EmbedPrompts(request)
    assert (len(alone.embeddings), alone.weight, alone.word_map) == (2, 1.0, "chladni-words-v1")
    request.audio_embedding.CopyFrom(audio)
    request.weight = 0.0
    response = await stub.EmbedPrompts(request)
    assert response.embeddings[0] == audio
    request.audio_embedding.space = "another"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.EmbedPrompts(request)
    assert from_rpc_error(caught.value).metadata["field"] == "audio_embedding.space"

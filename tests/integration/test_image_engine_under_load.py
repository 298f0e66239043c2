"""The image service with clients killed at random, in a burst, and under concurrent requests of all kinds."""

from __future__ import annotations

import asyncio
import io
import random
import signal
import subprocess
import sys

import grpc
import numpy as np
import pytest
from PIL import Image

from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.image.v1 import image_generation_service_pb2_grpc as image_grpc
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor

SERVICE = "image-generation"
EMBEDDING_SIZE = 152

CLIENT = """
import sys, threading, grpc
from chladni.image.v1 import image_generation_service_pb2 as pb, image_generation_service_pb2_grpc as rpc
stub = rpc.ImageGenerationServiceStub(grpc.insecure_channel(sys.argv[1]))
request = pb.GenerateImageRequest.FromString(bytes.fromhex(sys.argv[2]))
calls = []
for seed in range(4):
    request.options.seed = int(sys.argv[3]) + seed
    calls.append(stub.GenerateImage(request))
threads = [threading.Thread(target=list, args=(call,)) for call in calls]
for thread in threads:
    thread.start()
print("started", flush=True)
for thread in threads:
    thread.join()
"""


def request_for(seed, **options):
    values = np.random.default_rng(seed).random(EMBEDDING_SIZE, dtype=np.float32)
    embedding = tensor_pb2.Embedding(space="chladni-descriptors-v2", values=to_tensor(values))
    conditioning = image_pb2.Conditioning(audio_embedding=embedding)
    return image_pb2.GenerateImageRequest(
        conditioning=conditioning,
        options=generation_pb2.GenerationOptions(seed=seed, **({"bypass_cache": True} | options)),
    )


@pytest.fixture
async def stub(cluster):
    async with grpc.aio.insecure_channel(cluster.target(SERVICE)) as channel:
        yield image_grpc.ImageGenerationServiceStub(channel)


async def completed(stub, request):
    return [event async for event in stub.GenerateImage(request)][-1].completed


async def is_quiet(cluster):
    waiting = await cluster.metric(SERVICE, "chladni_generations_queued")
    return waiting + await cluster.metric(SERVICE, "chladni_generations_active") == 0


async def kill_clients_at_random(cluster, stub, source):
    """Kill four clients with four requests each; return the memory in megabytes once no work is left."""
    arguments = [sys.executable, "-c", CLIENT, cluster.target(SERVICE)]
    clients = [
        await asyncio.to_thread(
            subprocess.Popen,
            [*arguments, request_for(index, steps=100).SerializeToString().hex(), str(100 * index)],
            stdout=subprocess.PIPE,
        )
        for index in range(4)
    ]
    try:
        bystander = asyncio.create_task(completed(stub, request_for(77, steps=6)))
        for client in clients:
            await asyncio.to_thread(client.stdout.readline)
        for client in source.sample(clients, len(clients)):
            await asyncio.sleep(source.random() * 0.5)
            client.send_signal(signal.SIGKILL)
    finally:
        for client in clients:
            client.kill()
            await asyncio.to_thread(client.wait)
            client.stdout.close()
    assert (await bystander).image.content
    async with asyncio.timeout(5):
        while not await is_quiet(cluster):
            await asyncio.sleep(0.02)
    return await cluster.metric(SERVICE, "process_resident_memory_bytes") / 1e6


async def test_clients_killed_at_random_cost_nothing_afterwards(cluster, stub):
    source = random.Random(3)
    # The first batches of this size make the allocator take memory that it keeps; later growth is a leak.
    before_mb = await kill_clients_at_random(cluster, stub, source)
    after_mb = await kill_clients_at_random(cluster, stub, source)
    assert after_mb < before_mb + 100
    steps = await cluster.metric(SERVICE, "chladni_denoising_steps_total")
    await asyncio.sleep(0.5)
    assert await cluster.metric(SERVICE, "chladni_denoising_steps_total") == steps
    assert await cluster.metric(SERVICE, "chladni_denoising_steps_saved_total") > 1000


async def test_concurrent_requests_of_all_kinds_change_no_bit(stub):
    source = random.Random(11)
    schedulers = ["", "UniPCMultistepScheduler", "DPMSolverMultistepScheduler"]
    requests = [
        request_for(
            index,
            steps=source.randint(1, 5),
            guidance_scale=source.choice([1.0, 1.8, 4.0]),
            scheduler=source.choice(schedulers),
            priority=source.choice([generation_pb2.PRIORITY_INTERACTIVE, generation_pb2.PRIORITY_BATCH]),
            width_pixels=source.choice([256, 512]),
            height_pixels=256,
        )
        for index in range(10)
    ]

    async def abandoned(request):
        call = stub.GenerateImage(request)
        await asyncio.sleep(source.random())
        call.cancel()

    together, *_ = await asyncio.gather(
        asyncio.gather(*(completed(stub, request) for request in requests)),
        *(abandoned(request_for(1000 + index, steps=20)) for index in range(6)),
    )
    for request, image in zip(requests, together, strict=True):
        alone = await completed(stub, request)
        assert not alone.reused
        assert pixels(alone) == pixels(image)


def pixels(image):
    return np.asarray(Image.open(io.BytesIO(image.image.content))).tobytes()


async def test_a_burst_is_answered_or_refused_and_the_service_stays_well(cluster, stub):
    async def attempt(seed):
        call = stub.GenerateImage(request_for(seed, steps=100))
        try:
            await call.read()
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)
        return call

    results = await asyncio.gather(*(attempt(seed) for seed in range(600)))
    accepted = [result for result in results if isinstance(result, grpc.aio.UnaryStreamCall)]
    refused = [result for result in results if not isinstance(result, grpc.aio.UnaryStreamCall)]
    for call in accepted:
        call.cancel()
    assert {error.reason for error in refused} == {Reason.QUEUE_FULL}
    assert all(error.retry_after_seconds > 0 for error in refused)
    assert 256 <= len(accepted) <= 256 + 64
    assert (await completed(stub, request_for(5, steps=1))).image.content
    async with asyncio.timeout(5):
        while not await is_quiet(cluster):
            await asyncio.sleep(0.02)

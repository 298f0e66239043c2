"""Image creation over gRPC, with stubs that are generated from `protos/` alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
import soundfile
from PIL import Image

from chladni.gateway.v1 import creation_pb2
from chladni.gateway.v1 import image_service_pb2_grpc as gateway_grpc

PROTOS = Path(__file__).parents[2] / "protos"

SCRIPT = """
import sys, grpc
sys.path.insert(0, sys.argv[1])
from chladni.gateway.v1 import creation_pb2, image_service_pb2 as pb, image_service_pb2_grpc as rpc

with grpc.insecure_channel(sys.argv[2], options=[("grpc.max_receive_message_length", -1)]) as channel:
    stub = rpc.ImageServiceStub(channel)
    request = creation_pb2.CreateImageRequest(options={"seed": 3, "steps": 3})
    request.audio.content = open(sys.argv[3], "rb").read()
    for response in stub.CreateImage(request, timeout=60):
        print(creation_pb2.Stage.Name(response.stage), response.WhichOneof("event"))
    created = response.created
    open(sys.argv[4], "wb").write(created.file.content)
    pair = pb.CompareImagesRequest()
    pair.first.image_id = created.image.image_id
    pair.second.file.content = created.file.content
    print(stub.CompareImages(pair).score)
"""


@pytest.fixture
def recording(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "noise.ogg"
    soundfile.write(path, 0.2 * rng.standard_normal(22050), 22050, format="OGG")
    return path


def test_stubs_made_from_the_contracts_alone_are_enough(cluster, recording, tmp_path):
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    protos = [str(path) for path in PROTOS.rglob("*.proto")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", str(PROTOS), f"--python_out={stubs}",
         f"--grpc_python_out={stubs}", *protos],
        check=True,
    )  # fmt: skip
    output = tmp_path / "out.png"
    answer = subprocess.run(
        [sys.executable, "-S", "-c", f"import site; site.main()\n{SCRIPT}", str(stubs),
         cluster.target("gateway"), str(recording), str(output)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    lines = [line for line in answer.stdout.splitlines() if not line.endswith("queued")]
    assert lines == [
        "STAGE_VALIDATION accepted",
        "STAGE_AUDIO_FEATURES analyzed",
        "STAGE_IMAGE_GENERATION started",
        *["STAGE_IMAGE_GENERATION progress"] * 3,
        "STAGE_STORAGE created",
        "1.0",
    ]
    image = Image.open(output)
    assert image.size == (512, 512)
    assert json.loads(image.text["chladni"])["seed"] == 3


SERVICES = {
    "audio-features": ["chladni.audio.v1.AudioFeatureService"],
    "image-generation": ["chladni.image.v1.ImageGenerationService"],
    "similarity": ["chladni.similarity.v1.SimilarityService"],
    "gateway": [
        "chladni.gateway.v1.ServerService",
        "chladni.gateway.v1.ImageService",
        "chladni.gateway.v1.JobService",
        "chladni.gateway.v1.AudioService",
    ],
}


@pytest.mark.parametrize("service", SERVICES)
def test_reflection_alone_is_enough_to_call_a_service(cluster, service, buf):
    for name in SERVICES[service]:
        answer = buf(
            "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", json.dumps({"service": name}),
            f"http://{cluster.target(service)}/grpc.health.v1.Health/Check",
        )  # fmt: skip
        assert json.loads(answer.stdout) == {"status": "SERVING"}, answer.stderr
    method = "ListRecipes" if service == "gateway" else "ListModels"
    answer = buf(
        "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", "{}",
        f"http://{cluster.target(service)}/{SERVICES[service][0]}/{method}",
    )  # fmt: skip
    listed = json.loads(answer.stdout)
    assert listed.get("models") or listed.get("recipes")


async def test_every_service_speaks_prometheus(cluster):
    for service in SERVICES:
        assert await cluster.metric(service, "chladni_ready") == 1
        assert await cluster.metric(service, "process_resident_memory_bytes") > 0


async def test_a_deadline_travels_through_all_hops(cluster, recording):
    request = creation_pb2.CreateImageRequest()
    request.options.steps = 150
    request.audio.content = recording.read_bytes()
    async with grpc.aio.insecure_channel(cluster.target("gateway")) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in gateway_grpc.ImageServiceStub(channel).CreateImage(request, timeout=1.0):
                pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(10):
        while await cluster.metric("image-generation", "chladni_generations_active") > 0:
            await asyncio.sleep(0.05)

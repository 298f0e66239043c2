"""One trace over all services, from the header that the client sent to the last service that was called."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections import defaultdict

import httpx
import pytest
import pytest_asyncio
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chladni.gateway.v1 import creation_pb2
from chladni.media.v1 import media_pb2
from chladni_fakes.servers import scripted_backends
from chladni_runtime.logs import BufferedHandler, JsonFormatter
from chladni_runtime.telemetry.otlp import new_tracer

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
SERVICES = ("audio-features", "image-generation", "similarity")


@pytest.fixture
def exporter():
    return InMemorySpanExporter()


@pytest_asyncio.fixture(loop_scope="session")
async def traced(exporter, open_gateway_with):
    """A gateway and its services, all of which record their spans."""

    def tracer(name):
        return new_tracer(name, "1", processor=SimpleSpanProcessor(exporter))

    async with scripted_backends() as backends:
        targets = {}
        for name in SERVICES:
            server = backends.servers[name]
            await server.kill()
            server.tracer = tracer(name)
            await server.start()
            targets[f"{name}_target".replace("-", "_")] = server.target
        async with open_gateway_with(tracer=tracer("gateway"), **targets) as gateway:
            yield gateway


def tree_of(spans):
    """The names of spans, each with its service, below those of their parents."""
    children = defaultdict(list)
    for span in spans:
        children[format(span.parent.span_id, "016x") if span.parent else ""].append(span)

    def below(span_id):
        return sorted(
            (
                span.resource.attributes["service.name"],
                span.name,
                below(format(span.context.span_id, "016x")),
            )
            for span in children[span_id]
        )

    return below(SPAN_ID)


async def spans_of(exporter, count):
    async with asyncio.timeout(10):
        while len(exporter.get_finished_spans()) < count:
            await asyncio.sleep(0.01)
    return exporter.get_finished_spans()


CREATION = [
    (
        "gateway",
        "chladni.audio.v1.AudioFeatureService",
        [("audio-features", "chladni.audio.v1.AudioFeatureService/ExtractFeatures", [])],
    ),
    (
        "gateway",
        "chladni.image.v1.ImageGenerationService",
        [("image-generation", "chladni.image.v1.ImageGenerationService/GenerateImage", [])],
    ),
]


def without_listings(branches):
    return [
        branch
        for branch in branches
        if not any("ListModels" in name or "ListEmbeddingModels" in name for _, name, _ in branch[2])
    ]


async def test_a_request_over_http_is_one_tree_over_all_services(traced, exporter):
    response = await traced.http.post(
        "/api/v1/generate", files={"file": ("voice.wav", WAV)}, headers={"traceparent": TRACEPARENT}
    )
    assert response.status_code == 200

    spans = await spans_of(exporter, 8)
    ((service, name, branches),) = tree_of(spans)
    stages = [branch for branch in branches if not branch[2]]
    calls = without_listings([branch for branch in branches if branch[2]])
    (root,) = [span for span in spans if span.name == "POST"]
    assert {format(span.context.trace_id, "032x") for span in spans} == {TRACE_ID}
    assert (service, name) == ("gateway", "POST")
    assert calls == CREATION
    assert [stage[1] for stage in stages] == ["audio_features", "image_generation", "storage"]
    assert root.attributes["http.route"] == "/api/v1/generate"
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["chladni.request_id"] == response.headers["x-request-id"]


async def test_a_grpc_call_is_one_tree_too(traced, exporter):
    request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=WAV))
    call = traced.images.CreateImage(request, metadata=(("traceparent", TRACEPARENT),), timeout=10)
    async for _ in call:
        pass

    spans = await spans_of(exporter, 8)
    ((service, name, branches),) = tree_of(spans)
    (root,) = [span for span in spans if span.name.endswith("CreateImage")]
    assert (service, name) == ("gateway", "chladni.gateway.v1.ImageService/CreateImage")
    assert without_listings([branch for branch in branches if branch[2]]) == CREATION
    assert root.attributes["rpc.method"] == "CreateImage"
    assert root.attributes["rpc.grpc.status_code"] == 0


async def test_a_refused_request_says_so_in_its_span(traced, exporter):
    response = await traced.http.post("/api/v1/generate", headers={"traceparent": TRACEPARENT})

    (span,) = await spans_of(exporter, 1)
    assert span.attributes["http.response.status_code"] == response.status_code


async def test_log_lines_carry_the_trace(traced):
    stream = io.StringIO()
    handler = BufferedHandler(stream)
    handler.setFormatter(JsonFormatter("gateway"))
    logger = logging.getLogger("chladni_gateway")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        response = await traced.http.get("/api/v1/recipes", headers={"traceparent": TRACEPARENT})
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()

    (line,) = [json.loads(text) for text in stream.getvalue().splitlines() if "request finished" in text]
    assert line["trace_id"] == TRACE_ID
    assert line["request_id"] == response.headers["x-request-id"]


async def test_durations_lead_to_traces_where_openmetrics_is_asked_for(traced):
    await traced.http.get("/api/v1/recipes", headers={"traceparent": TRACEPARENT})
    url = f"http://127.0.0.1:{traced.metrics_port}/metrics"
    async with httpx.AsyncClient(verify=False) as client:
        plain = await client.get(url)
        open_metrics = await client.get(url, headers={"Accept": "application/openmetrics-text"})

    exemplar = f'# {{trace_id="{TRACE_ID}"}}'
    assert exemplar not in plain.text
    assert any(
        line.startswith("chladni_http_request_duration_seconds_bucket") and exemplar in line
        for line in open_metrics.text.splitlines()
    )
    assert open_metrics.text.endswith("# EOF\n")

"""Services behind the gateway that come and go."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni_contract.errors import ChladniError, Reason, UnavailableError
from chladni_gateway.backends.audio_features import AudioFeaturesClient
from chladni_gateway.backends.similarity import SimilarityClient
from chladni_gateway.domain.images import Image
from chladni_gateway.models.catalog import ListedModels, ModelListing
from chladni_runtime.client.backend_client import bare_error
from chladni_runtime.client.channel import RENEWAL_SECONDS, Connection
from chladni_runtime.execution.deadlines import Deadline

SERVICE = image_pb2.DESCRIPTOR.services_by_name["ImageGenerationService"]


@pytest.mark.parametrize("name", ["audio-features", "image-generation"])
async def test_a_service_that_is_down_is_told_with_its_stage_and_works_again_when_it_is_back(
    backends, gateway, error_of, name
):
    assert (await gateway.create()).status_code == 200
    await backends.servers[name].kill()
    for _ in range(2):
        response = await gateway.create()
        assert response.status_code == 503
        error = error_of(response)
        assert (error["code"], error["stage"]) == ("BACKEND_UNAVAILABLE", name.replace("-", "_"))
        assert name in error["message"]
        assert "127.0.0.1" not in error["message"]
        assert response.headers["retry-after"] == "1"
    await backends.servers[name].start()
    async with asyncio.timeout(10):
        while (await gateway.create()).status_code != 200:
            await asyncio.sleep(0.05)


async def test_a_service_that_dies_at_work_is_told(backends, gateway, error_of, eventually):
    backends.image_generation.may_go_on.clear()
    creation = asyncio.create_task(gateway.create())
    await eventually(lambda: backends.image_generation.running == 1)
    await backends.servers["image-generation"].kill()
    response = await creation
    assert response.status_code == 503
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("BACKEND_UNAVAILABLE", "image_generation")


async def test_similarity_that_is_down_is_told_with_its_stage(backends, gateway, error_of):
    image_id = (await gateway.create()).json()["image_id"]
    await backends.servers["similarity"].kill()
    response = await gateway.http.post(
        "/api/v1/compare", json={"image_id_1": image_id, "image_id_2": image_id}
    )
    assert response.status_code == 503
    assert error_of(response)["stage"] == "similarity"
    assert (await gateway.create()).status_code == 200, "creation does not need it"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.BACKEND_UNAVAILABLE),
        (grpc.StatusCode.CANCELLED, Reason.BACKEND_UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.QUEUE_FULL),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.NOT_IMPLEMENTED),
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
        (grpc.StatusCode.INTERNAL, Reason.INTERNAL),
    ],
)
def test_a_status_without_details_gets_a_reason_and_names_the_service(code, reason):
    error = bare_error(code, "similarity")
    assert error.reason is reason
    assert "similarity" in error.message


async def test_a_service_without_the_call_says_so(backends):
    client = SimilarityClient(backends.servers["audio-features"].target)
    with pytest.raises(ChladniError) as caught:
        await client.compare(Image(b"a"), Image(b"b"), Deadline.after(5))
    assert caught.value.reason is Reason.NOT_IMPLEMENTED
    listing = ModelListing(client, lifetime_seconds=1, clock=time.monotonic)
    assert await listing.refresh(Deadline.after(5)) == ListedModels()
    await client.close()


async def test_nothing_is_asked_after_the_deadline(backends):
    client = SimilarityClient(backends.servers["similarity"].target)
    with pytest.raises(ChladniError) as caught:
        await client.compare(Image(b"a"), Image(b"b"), Deadline.after(0))
    assert caught.value.reason is Reason.DEADLINE_EXCEEDED
    await client.close()


async def test_a_live_sound_that_is_refused_leaves_nothing_behind(backends):
    async def sound_that_waits():
        yield bytes(2)
        await asyncio.Event().wait()

    client = AudioFeaturesClient(backends.servers["audio-features"].target)
    before = asyncio.all_tasks()
    backends.audio_features.error = UnavailableError(Reason.MODEL_NOT_READY, "The model is loading.")
    for _ in range(20):
        with pytest.raises(ChladniError) as caught:
            await anext(client.stream(16000, sound_that_waits(), Deadline.after(5)))
        # gRPC may lose the status of a call that ends while a message is on its way.
        assert caught.value.reason in {Reason.MODEL_NOT_READY, Reason.BACKEND_UNAVAILABLE}
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks() - before}
        assert {name for name in names if "Server" not in name} == set()
    await client.close()


async def test_a_channel_without_a_working_replica_is_replaced_but_serves_its_calls_to_their_end():
    now = 0.0
    connection = Connection(
        target="dns:///no-such-host.invalid:1",
        make_stub=lambda channel: channel,
        clock=lambda: now,
    )
    async with connection.stub() as first:
        while first.get_state(try_to_connect=True) is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
            await asyncio.sleep(0.01)
        async with connection.stub() as second:
            assert second is first, "not so soon"
        now += RENEWAL_SECONDS
        async with connection.stub() as third:
            assert third is not first
        assert first.get_state() is not grpc.ChannelConnectivity.SHUTDOWN
    assert first.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    async with connection.stub() as fourth:
        assert fourth is third
    await connection.close()


async def test_a_name_that_resolves_to_a_working_service_is_used_at_once(backends):
    client = SimilarityClient(backends.servers["similarity"].target.replace("127.0.0.1", "dns:///localhost"))
    likeness = await client.compare(Image(b"a"), Image(b"a"), Deadline.after(5))
    assert likeness.score == 1.0
    await client.close()

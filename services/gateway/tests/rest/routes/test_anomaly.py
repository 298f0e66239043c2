"""Machine listening over REST and gRPC, over scripted services."""

from __future__ import annotations

import grpc
import pytest

from chladni.gateway.v1 import anomaly_service_pb2 as service_pb2
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_contract.errors import InvalidInputError, Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.images import solid_png

URL = "/api/v1/anomaly"
SETS = "/api/v1/anomaly/normal-sets"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


async def score(gateway, content=WAV, **fields):
    return await gateway.http.post(URL, files={"file": ("pump.wav", content)}, data=fields)


@pytest.mark.parametrize(
    ("value", "result"), [(4.0, "NORMAL"), (11.5, "NEEDS MAINTENANCE"), (20.0, "SEVERE ANOMALY")]
)
async def test_a_machine_is_judged_in_the_words_of_the_original(gateway, backends, value, result):
    backends.anomaly.score = value
    response = await score(gateway, normal_set="pump", backend="mahalanobis", shaft_speed_hz="24.5")
    assert response.status_code == 200
    body = response.json()
    assert (body["result"], body["score"], body["distance"]) == (result, value, value / 2)
    assert (body["normal_set"], body["backend"], body["error_map"]) == ("pump", "mahalanobis", None)
    assert body["attributes"][0]["description"] == "Rougher than normal."
    (question,) = backends.anomaly.questions
    assert question.audio.content == WAV
    assert question.audio.display_name == "pump.wav"
    assert question.shaft_speed_hz == 24.5


async def test_a_part_of_the_audio_may_be_meant(gateway, backends):
    response = await score(gateway, normal_set="pump", start_seconds="2")
    assert response.status_code == 200
    (question,) = backends.anomaly.questions
    assert question.audio.start.ToMilliseconds() == 2000


async def test_an_image_is_judged_as_a_spectrogram(gateway, backends):
    image = solid_png(224, 224, (9, 9, 9))
    response = await score(gateway, image, with_error_map="true")
    assert response.json()["error_map"].startswith("data:image/png;base64,")
    (question,) = backends.anomaly.questions
    assert question.spectrogram.content == image
    assert not question.HasField("audio")
    assert not question.HasField("shaft_speed_hz")


async def test_normal_sets_are_made_listed_described_and_deleted(gateway, backends):
    files = [("file", (f"{number}.wav", WAV + bytes([number]))) for number in range(6)]
    form = {"name": "pump", "description": "the pump", "shaft_speed_hz": "25"}
    made = await gateway.http.post(SETS, files=files, data=form)
    assert made.status_code == 200
    assert (made.json()["name"], made.json()["clip_count"], made.json()["audio_seconds"]) == ("pump", 6, 60.0)
    assert [clip.content[-1] for clip in backends.anomaly.created[0].audio] == list(range(6))
    listed = (await gateway.http.get(SETS)).json()
    assert listed == {"normal_sets": [made.json()]}
    assert (await gateway.http.get(f"{SETS}/pump")).json() == made.json()
    assert (await gateway.http.delete(f"{SETS}/pump")).json() == {"deleted": True}
    assert (await gateway.http.delete(f"{SETS}/pump")).json() == {"deleted": False}
    gone = await gateway.http.get(f"{SETS}/pump")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "UNKNOWN_NORMAL_SET")


async def test_images_make_normal_sets_too(gateway, backends):
    image = solid_png(224, 224, (9, 9, 9))
    files = [("file", ("a.png", image)), ("file", ("b.png", image))]
    response = await gateway.http.post(SETS, files=files, data={"name": "drawn", "replace": "true"})
    assert (response.json()["clip_count"], response.json()["audio_seconds"]) == (2, None)
    assert len(backends.anomaly.created[0].spectrograms) == 2
    assert backends.anomaly.created[0].replace


async def test_files_that_are_too_large_together_are_refused_as_that(open_gateway_with, error_of):
    async with open_gateway_with(max_audio_bytes=100_000) as gateway:
        files = [("file", ("a.wav", WAV.ljust(100_000, b"0"))) for _ in range(6)]
        response = await gateway.http.post(SETS, files=files, data={"name": "pump"})
        alone = await gateway.http.post(SETS, files=files[:1], data={"name": "pump"})
    assert error_of(response)["code"] == "FILE_TOO_LARGE"
    assert "together" in error_of(response)["message"]
    assert alone.status_code == 200


async def test_wrong_forms_are_refused(gateway, backends, error_of):
    response = await gateway.http.post(URL, data={"normal_set": "pump"}, files={})
    assert response.status_code == 400
    assert error_of(await score(gateway, b""))["code"] == "EMPTY_AUDIO"
    assert error_of(await score(gateway, shaft_speed_hz="fast"))["code"] == "INVALID_FIELD"
    twice = await gateway.http.post(URL, files=[("file", ("a.wav", WAV)), ("file", ("b.wav", WAV))])
    assert "given twice" in error_of(twice)["message"]
    many = [("file", (f"{number}.wav", WAV)) for number in range(65)]
    crowd = await gateway.http.post(SETS, files=many, data={"name": "pump"})
    assert "more than 64 times" in error_of(crowd)["message"]
    backends.anomaly.error = InvalidInputError(Reason.CORRUPT_AUDIO, "It is damaged.", field="audio.content")
    error = error_of(await score(gateway))
    assert (error["code"], error["stage"]) == ("CORRUPT_AUDIO", "validation")


async def test_grpc_offers_the_same(gateway, backends):
    clip = media_pb2.AudioClip(content=WAV)
    made = await gateway.anomaly.CreateNormalSet(
        service_pb2.CreateNormalSetRequest(
            create=anomaly_pb2.CreateNormalSetRequest(name="pump", audio=[clip])
        )
    )
    assert made.normal_set.name == "pump"
    found = await gateway.anomaly.ScoreAnomaly(
        service_pb2.ScoreAnomalyRequest(
            score=anomaly_pb2.ScoreAnomalyRequest(audio=clip, normal_set="pump", with_error_map=True)
        )
    )
    assert found.scored.label == anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE
    assert found.scored.error_map.content
    listed = await gateway.anomaly.ListNormalSets(service_pb2.ListNormalSetsRequest())
    assert list(listed.normal_sets) == [made.normal_set]
    got = await gateway.anomaly.GetNormalSet(service_pb2.GetNormalSetRequest(name="pump"))
    assert got.normal_set == made.normal_set
    deletion = await gateway.anomaly.DeleteNormalSet(service_pb2.DeleteNormalSetRequest(name="pump"))
    assert deletion.deleted
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.anomaly.GetNormalSet(service_pb2.GetNormalSetRequest(name="pump"))
    assert from_rpc_error(caught.value).reason is Reason.UNKNOWN_NORMAL_SET
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.anomaly.ScoreAnomaly(
            service_pb2.ScoreAnomalyRequest(
                score=anomaly_pb2.ScoreAnomalyRequest(audio=media_pb2.AudioClip())
            )
        )
    assert from_rpc_error(caught.value).reason is Reason.EMPTY_AUDIO

"""Streams of PCM over a real loopback connection."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.media.v1 import media_pb2
from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram, power_to_decibels
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_contract.errors import Reason
from chladni_fakes.loopback import loopback_service


async def stream_features(stub, *messages):
    async def requests():
        for message in messages:
            yield message

    return [response async for response in stub.StreamFeatures(requests())]


def pcm_config(rate_hz=22050, channels=1, encoding=media_pb2.PCM_ENCODING_FLOAT32):
    config = audio_pb2.PcmConfig(sample_rate_hz=rate_hz, channel_count=channels, encoding=encoding)
    return audio_pb2.StreamFeaturesRequest(config=config)


def pcm(chunk):
    return audio_pb2.StreamFeaturesRequest(pcm=chunk)


async def test_a_stream_equals_the_recording(stub, files, sounds, transform, seconds_of, extract, values_of):
    samples = sounds.chord(60, 64, 67) + sounds.noise(2.0)
    raw = samples.astype("<f4").tobytes()
    chunks = [raw[start : start + 40_000] for start in range(0, len(raw), 40_000)]
    responses = await stream_features(stub, pcm_config(), *map(pcm, chunks), pcm(b""))
    frames = [response.frames for response in responses if response.WhichOneof("event") == "frames"]
    decibels = np.concatenate([values_of(message.power_db, 128, None) for message in frames], axis=1)
    relative = np.maximum(decibels - decibels.max(), -80)
    assert np.array_equal(relative, log_mel_spectrogram(transform.power_of_clip(samples)).decibels)
    starts = np.cumsum([0, *(message.power_db.shape[1] for message in frames)])
    assert [message.first_frame for message in frames] == starts[:-1].tolist()
    assert all(message.level.peak_dbfs <= 0 for message in frames[:-1])

    summary = responses[-1].summary
    assert summary.frame_count == starts[-1]
    assert seconds_of(summary.duration) == pytest.approx(2.0)
    whole = await extract(stub, files.encode(samples, subtype="FLOAT"))
    assert summary.descriptors == whole.descriptors
    assert summary.embedding == whole.embedding
    assert summary.mel_parameters.hop_length == 512


async def test_integer_stereo_streams(stub, seconds_of):
    config = pcm_config(16000, 2, media_pb2.PCM_ENCODING_INT16)
    half = np.full((1600, 2), 16384, "<i2")
    responses = await stream_features(stub, config, pcm(half.tobytes()))
    assert responses[1].frames.level.rms_dbfs == pytest.approx(-6.02, abs=0.01)
    assert seconds_of(responses[-1].summary.duration) == pytest.approx(0.1)


async def test_a_stream_without_sound_has_an_empty_summary(stub):
    ready, only = await stream_features(stub, pcm_config())
    assert ready.HasField("ready")
    assert only.summary.frame_count == 0
    assert not only.summary.descriptors
    assert not only.summary.HasField("embedding")


@pytest.mark.parametrize(
    ("messages", "reason", "field"),
    [
        ([], Reason.MISSING_FIELD, "config"),
        ([pcm(b"\0" * 8)], Reason.MISSING_FIELD, "config"),
        ([pcm_config(encoding=0)], Reason.MISSING_FIELD, "config.encoding"),
        ([pcm_config(rate_hz=0)], Reason.UNSUPPORTED_AUDIO_LAYOUT, "config.sample_rate_hz"),
        ([pcm_config(channels=9)], Reason.UNSUPPORTED_AUDIO_LAYOUT, "config.channel_count"),
        ([pcm_config(), pcm_config()], Reason.INVALID_FIELD, "pcm"),
        ([pcm_config(), pcm(b"\0" * 7)], Reason.CORRUPT_AUDIO, "pcm"),
        ([pcm_config(), pcm(bytes(2**20 + 4))], Reason.FILE_TOO_LARGE, "pcm"),
        ([pcm_config(), pcm(np.array([np.inf], "<f4").tobytes())], Reason.NON_FINITE_AUDIO, "pcm"),
        ([pcm_config(rate_hz=-8000)], Reason.UNSUPPORTED_AUDIO_LAYOUT, "config.sample_rate_hz"),
        ([pcm_config(channels=-1)], Reason.UNSUPPORTED_AUDIO_LAYOUT, "config.channel_count"),
        ([audio_pb2.StreamFeaturesRequest(flush=audio_pb2.Flush())], Reason.MISSING_FIELD, "config"),
        ([pcm_config(), audio_pb2.StreamFeaturesRequest()], Reason.INVALID_FIELD, "pcm"),
    ],
)
async def test_faulty_streams_are_refused(stub, messages, reason, field, refusal):
    _, error = await refusal(stream_features(stub, *messages))
    assert error.reason is reason
    assert [violation.field for violation in error.violations] == [field]


async def test_a_stream_begins_with_what_is_to_come(stub, seconds_of):
    ready = (await stream_features(stub, pcm_config(48000)))[0].ready
    parameters = ready.mel_parameters
    assert (parameters.sample_rate_hz, parameters.hop_length, parameters.mel_bin_count) == (22050, 512, 128)
    assert seconds_of(ready.max_duration) == 120
    assert ready.max_pcm_bytes == 2**20


async def test_ready_comes_before_any_pcm(stub):
    call = stub.StreamFeatures()
    await call.write(pcm_config())
    assert (await call.read()).HasField("ready")
    await call.done_writing()
    assert (await call.read()).HasField("summary")
    assert await call.read() is grpc.aio.EOF


async def test_a_silent_stream_shows_that_it_lives(sounds, processes, loopback_settings):
    composed = compose(loopback_settings(heartbeat_seconds=0.05), processes=processes)
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        call = audio_grpc.AudioFeatureServiceStub(channel).StreamFeatures()
        await call.write(pcm_config())
        assert (await call.read()).HasField("ready")
        for _ in range(3):
            assert (await call.read()).HasField("heartbeat")
        await call.write(pcm(sounds.noise(1.0).tobytes()))
        while (response := await call.read()).HasField("heartbeat"):
            pass
        assert response.frames.power_db.shape[1] > 40
        assert (await call.read()).HasField("heartbeat")
        await call.done_writing()
        events = []
        while (response := await call.read()) is not grpc.aio.EOF:
            events.append(response.WhichOneof("event"))
        assert [event for event in events if event != "heartbeat"] == ["frames", "summary"]


async def test_a_cancelled_stream_leaves_the_service_as_it_was(stub):
    call = stub.StreamFeatures()
    await call.write(pcm_config())
    await call.read()
    call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED
    responses = await stream_features(stub, pcm_config())
    assert [response.WhichOneof("event") for response in responses] == ["ready", "summary"]


async def test_a_flush_gives_a_summary_so_far(stub, files, sounds, seconds_of, extract):
    samples = sounds.chord(60, 64, 67)
    first, second = samples[:30_000], samples[30_000:]
    flush = audio_pb2.StreamFeaturesRequest(flush=audio_pb2.Flush())
    messages = [flush, pcm(first.tobytes()), flush, pcm(second.tobytes())]
    responses = await stream_features(stub, pcm_config(), *messages)
    kinds = [response.WhichOneof("event") for response in responses]
    assert kinds == ["ready", "so_far", "frames", "so_far", "frames", "frames", "summary"]
    nothing = responses[1].so_far
    assert (nothing.frame_count, seconds_of(nothing.duration)) == (0, 0)
    assert not nothing.descriptors
    so_far = responses[3].so_far
    assert so_far.frame_count == responses[2].frames.power_db.shape[1]
    assert seconds_of(so_far.duration) == pytest.approx(30_000 / 22050, abs=1e-6)
    expected = await extract(stub, files.encode(first, subtype="FLOAT"))
    assert so_far.descriptors == expected.descriptors
    assert so_far.embedding == expected.embedding
    whole = await extract(stub, files.encode(samples, subtype="FLOAT"))
    assert responses[-1].summary.embedding == whole.embedding
    assert not any(message.limit_reached for message in (nothing, so_far, responses[-1].summary))


async def test_a_stream_at_the_longest_length_ends_with_its_summary(
    files, sounds, transform, processes, loopback_settings, extract, seconds_of, values_of
):
    composed = compose(loopback_settings(max_stream_seconds=1.5), processes=processes)
    samples = sounds.chord(60, 64, 67, seconds=4.0)
    allowed = samples[: int(1.5 * 22050)]
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        stub = audio_grpc.AudioFeatureServiceStub(channel)
        chunks = [samples[start : start + 9000].tobytes() for start in range(0, len(samples), 9000)]
        responses = await stream_features(stub, pcm_config(), *map(pcm, chunks))
        # Not even a half-close is needed.
        call = stub.StreamFeatures()
        await call.write(pcm_config())
        await call.write(pcm(allowed.tobytes()))
        at_once = [response async for response in call]
        assert await call.code() is grpc.StatusCode.OK
        expected = await extract(stub, files.encode(allowed, subtype="FLOAT"))
    for answers in (responses, at_once):
        frames = [response.frames for response in answers if response.HasField("frames")]
        decibels = np.concatenate([values_of(message.power_db, 128, None) for message in frames], axis=1)
        assert np.array_equal(decibels, power_to_decibels(transform.power_of_clip(allowed)))
        summary = answers[-1].summary
        assert summary.limit_reached
        assert summary.frame_count == decibels.shape[1]
        assert seconds_of(summary.duration) == 1.5
        assert summary.embedding == expected.embedding


def segment_config(**lengths):
    options = audio_pb2.SegmentOptions(
        **{name: Duration(nanos=round(seconds * 1e9)) for name, seconds in lengths.items()}
    )
    message = pcm_config()
    message.config.segments.CopyFrom(options)
    return message


async def test_a_stream_of_segments(stub, sounds):
    raw = sounds.chord(60, 64, 67, seconds=0.75).astype("<f4").tobytes()
    ready, *responses = await stream_features(stub, segment_config(), pcm(raw[:20_000]), pcm(raw[20_000:]))
    assert ready.ready.max_duration.ToSeconds() == 3600
    segments = [response.segment for response in responses if response.HasField("segment")]
    assert [segment.number for segment in segments][-1] == 2
    assert segments[-1].heard.ToMilliseconds() == 750
    assert (len(segments[-1].course), len(segments[-1].overall)) == (8, 24)
    assert segments[-1].level > 0.5


@pytest.mark.parametrize(
    ("lengths", "field"),
    [
        ({"segment_duration": 0.01}, "config.segments.segment_duration"),
        ({"update_interval": 0.5}, "config.segments.update_interval"),
    ],
)
async def test_faulty_segments_are_refused(stub, refusal, lengths, field):
    _, error = await refusal(stream_features(stub, segment_config(**lengths)))
    assert [violation.field for violation in error.violations] == [field]

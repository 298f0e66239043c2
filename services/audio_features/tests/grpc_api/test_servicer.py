"""The service over a real loopback connection."""

from __future__ import annotations

import asyncio
import hashlib
import io

import grpc
import numpy as np
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.errors.v1 import warning_pb2
from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni_audio_features.analysis.spectrogram import log_mel_spectrogram
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_contract.descriptor_space import COMPONENT_NAMES, DESCRIPTOR_NAMES, DESCRIPTOR_SPACE
from chladni_contract.errors import Reason
from chladni_contract.status import from_rpc_error
from chladni_fakes.loopback import loopback_service


def clip(content, name=""):
    return media_pb2.AudioClip(content=content, display_name=name)


async def test_descriptors_and_embedding_by_default(stub, files, sounds, extractor, extract, values_of):
    content = files.encode(sounds.chord(60, 64, 67), file_format="FLAC")
    response = await extract(stub, content)
    assert [descriptor.name for descriptor in response.descriptors] == list(DESCRIPTOR_NAMES)
    for descriptor in response.descriptors:
        assert descriptor.minimum <= descriptor.value <= descriptor.maximum
        assert descriptor.unit
        assert descriptor.description
    assert response.embedding.space == DESCRIPTOR_SPACE
    assert tuple(response.embedding.component_names) == COMPONENT_NAMES
    expected = extractor.extract(content, wants_log_mel=False, wants_descriptors=False, wants_embedding=True)
    assert np.array_equal(values_of(response.embedding.values, 152), expected.embedding)
    assert not response.HasField("log_mel")
    assert not response.HasField("mel_parameters")
    assert response.processing_time.ToTimedelta().total_seconds() > 0


async def test_audio_properties(stub, files, sounds, seconds_of, extract):
    content = files.encode(np.stack([sounds.noise(1.0)] * 2, 1), 16000, "OGG")
    audio = (await extract(stub, content)).audio
    assert audio.format == media_pb2.AUDIO_FORMAT_OGG
    assert (audio.sample_rate_hz, audio.channel_count) == (16000, 2)
    assert seconds_of(audio.duration) == pytest.approx(22050 / 16000)
    assert audio.sha256 == hashlib.sha256(content).hexdigest()


async def test_log_mel_alone(stub, files, sounds, transform, extract, values_of):
    samples = sounds.noise(1.0)
    response = await extract(stub, files.encode(samples, subtype="FLOAT"), audio_pb2.FEATURE_LOG_MEL)
    expected = log_mel_spectrogram(transform.power_of_clip(samples)).scaled
    assert np.array_equal(values_of(response.log_mel, 128, None), expected)
    parameters = response.mel_parameters
    assert (parameters.sample_rate_hz, parameters.fft_size, parameters.hop_length) == (22050, 2048, 512)
    assert (parameters.mel_bin_count, parameters.max_frequency_hz) == (128, 11025)
    assert not response.descriptors
    assert not response.HasField("embedding")


async def test_silence_is_answered(stub, files, extract, values_of):
    response = await extract(stub, files.encode(np.zeros(22050)))
    undecided = ("pitch_height", "mode", "tonal_x", "tonal_y")
    expected = [0.5 if name.endswith(undecided) else 0.0 for name in COMPONENT_NAMES]
    assert values_of(response.embedding.values, 152).tolist() == expected


async def test_eight_requests_at_once_are_independent(stub, files, sounds, extract):
    contents = [
        files.encode(sounds.harmonic(100.0 * (i + 1), 0.5) + sounds.noise(0.5, seed=i)) for i in range(8)
    ]
    everything = (audio_pb2.FEATURE_LOG_MEL, audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING)
    together = await asyncio.gather(*(extract(stub, content, *everything) for content in contents * 2))
    for content, first, second in zip(contents, together[:8], together[8:], strict=True):
        alone = await extract(stub, content, *everything)
        for response in (alone, first, second):
            response.ClearField("processing_time")
        assert alone == first == second
    assert len({response.SerializeToString() for response in together}) == 8


@pytest.mark.parametrize(
    ("make", "reason", "field"),
    [
        (lambda f: b"", Reason.EMPTY_AUDIO, "audio.content"),
        (lambda f: b"plain text", Reason.UNSUPPORTED_AUDIO_FORMAT, "audio.content"),
        (lambda f: f.wav(bytes(10 * 2**20)), Reason.FILE_TOO_LARGE, "audio.content"),
        (lambda f: f.encode(np.zeros(31 * 8000), 8000), Reason.AUDIO_TOO_LONG, "audio.content"),
        (lambda f: f.encode(np.zeros(100)), Reason.AUDIO_TOO_SHORT, "audio.content"),
        (lambda f: f.encode(np.zeros(9000))[:5000], Reason.CORRUPT_AUDIO, "audio.content"),
        (lambda f: f.wav(channels=0), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.content"),
        (lambda f: f.wav(rate_hz=1), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.content"),
        (lambda f: f.float_wav([np.nan] * 5000), Reason.NON_FINITE_AUDIO, "audio.content"),
    ],
)
async def test_bad_recordings_are_refused_by_every_call(stub, files, make, reason, field, extract, refusal):
    content = make(files)
    for call in (
        extract(stub, content),
        stub.RenderSpectrogram(audio_pb2.RenderSpectrogramRequest(audio=clip(content))),
    ):
        status, error = await refusal(call)
        assert status.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error.reason is reason
        assert [violation.field for violation in error.violations] == [field]


async def test_a_part_of_longer_audio(stub, files, sounds, extractor, seconds_of, values_of, refusal):
    whole = sounds.noise(40.0)
    audio = clip(files.encode(whole, file_format="FLAC"))
    audio.start.FromMilliseconds(35_000)
    response = await stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=audio))
    assert seconds_of(response.audio.start) == 35.0
    assert seconds_of(response.audio.duration) == 5.0
    assert response.audio.sha256 == hashlib.sha256(audio.content).hexdigest()
    part = files.encode(whole[35 * 22050 :], file_format="FLAC")
    expected = extractor.extract(part, wants_log_mel=False, wants_descriptors=False, wants_embedding=True)
    assert np.array_equal(values_of(response.embedding.values, 152), expected.embedding)
    audio.start.FromMilliseconds(50_000)
    status, error = await refusal(stub.RenderSpectrogram(audio_pb2.RenderSpectrogramRequest(audio=audio)))
    assert (error.reason, error.violations[0].field) == (Reason.INVALID_FIELD, "audio.start")
    assert error.metadata["maximum"] == "40"
    assert "the audio ends at 40.00 s" in status.details()


async def test_what_a_caller_should_know_comes_with_the_answer(stub, files, sounds, extract):
    tone = sounds.tone(440)
    content = files.encode(np.stack([tone, -tone], 1), file_format="FLAC")
    rendered = await stub.RenderSpectrogram(audio_pb2.RenderSpectrogramRequest(audio=clip(content)))
    for response in (await extract(stub, content), rendered):
        (warning,) = response.warnings
        assert warning.reason == warning_pb2.WARNING_REASON_CHANNELS_CANCEL
        assert "channel 1 alone was used" in warning.message
        assert warning.metadata["channel"] == "1"


async def test_a_bad_request_leaves_its_companions_alone(stub, files, sounds, extract):
    good = files.encode(sounds.tone(440))
    calls = [extract(stub, good), extract(stub, files.float_wav([np.nan] * 5000)), extract(stub, good)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(results[1], grpc.aio.AioRpcError)
    assert results[0].descriptors == results[2].descriptors


async def test_faulty_requests_name_their_fields(stub, files, refusal):
    good = files.encode(np.zeros(22050))
    for request, reason, fields in [
        (audio_pb2.ExtractFeaturesRequest(), Reason.MISSING_FIELD, ["audio"]),
        (
            audio_pb2.ExtractFeaturesRequest(audio=clip(good, "n" * 256)),
            Reason.INVALID_FIELD,
            ["audio.display_name"],
        ),
        (
            audio_pb2.ExtractFeaturesRequest(audio=clip(good), features=[0, 2, 77]),
            Reason.INVALID_FIELD,
            ["features[0]", "features[2]"],
        ),
        (
            audio_pb2.ExtractFeaturesRequest(audio=clip(good), embedding_model="clap"),
            Reason.UNKNOWN_MODEL,
            ["embedding_model"],
        ),
        (
            audio_pb2.ExtractFeaturesRequest(audio=clip(good), further_embedding_models=["", "clap"]),
            Reason.UNKNOWN_MODEL,
            ["further_embedding_models[1]"],
        ),
        (
            audio_pb2.ExtractFeaturesRequest(audio=clip(good), further_embedding_models=[""] * 5),
            Reason.INVALID_FIELD,
            ["further_embedding_models"],
        ),
        (
            audio_pb2.ExtractFeaturesRequest(
                audio=clip(good), features=[audio_pb2.FEATURE_DESCRIPTORS], further_embedding_models=[""]
            ),
            Reason.INVALID_FIELD,
            ["further_embedding_models"],
        ),
    ]:
        _, error = await refusal(stub.ExtractFeatures(request))
        assert error.reason is reason
        assert [violation.field for violation in error.violations] == fields


async def test_spectrogram_images(stub, files, sounds, seconds_of):
    content = files.encode(sounds.noise(1.0))
    for sizes, expected in [({}, (512, 512)), ({"width_pixels": 300, "height_pixels": 100}, (300, 100))]:
        request = audio_pb2.RenderSpectrogramRequest(audio=clip(content), **sizes)
        response = await stub.RenderSpectrogram(request)
        with Image.open(io.BytesIO(response.image.content)) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", expected)
        assert (response.image.width_pixels, response.image.height_pixels) == expected
        assert response.image.format == media_pb2.IMAGE_FORMAT_PNG
        assert seconds_of(response.audio.duration) == pytest.approx(1.0)


async def test_faulty_images_are_refused(stub, files, refusal):
    content = files.encode(np.zeros(22050))
    request = audio_pb2.RenderSpectrogramRequest(
        audio=clip(content), width_pixels=0, height_pixels=5000, colormap=9
    )
    _, error = await refusal(stub.RenderSpectrogram(request))
    assert [violation.field for violation in error.violations] == [
        "width_pixels",
        "height_pixels",
        "colormap",
    ]
    assert "16 to 4096" in error.message


def pcm_clip(samples, rate_hz=22050, channels=0, encoding=media_pb2.PCM_ENCODING_FLOAT32):
    return media_pb2.AudioClip(
        pcm=media_pb2.PcmAudio(
            samples=samples, sample_rate_hz=rate_hz, channel_count=channels, encoding=encoding
        )
    )


async def test_samples_give_the_features_of_their_file(stub, files, sounds, extract):
    stereo = np.stack([sounds.chord(60, 64, 67), sounds.noise(2.0)], axis=1)
    features = [audio_pb2.FEATURE_LOG_MEL, audio_pb2.FEATURE_EMBEDDING]
    for dtype, subtype, encoding in (
        ("<f4", "FLOAT", media_pb2.PCM_ENCODING_FLOAT32),
        ("<i2", "PCM_16", media_pb2.PCM_ENCODING_INT16),
    ):
        raw = stereo.astype(dtype) if dtype == "<f4" else (stereo * 32767).astype(dtype)
        audio = pcm_clip(raw.tobytes(), 32000, 2, encoding)
        by_samples = await stub.ExtractFeatures(
            audio_pb2.ExtractFeaturesRequest(audio=audio, features=features)
        )
        by_file = await extract(stub, files.encode(raw, 32000, subtype=subtype), *features)
        assert by_samples.log_mel == by_file.log_mel
        assert by_samples.embedding == by_file.embedding
        found = by_samples.audio
        assert found.format == media_pb2.AUDIO_FORMAT_PCM
        assert (found.sample_rate_hz, found.channel_count) == (32000, 2)
        assert found.duration == by_file.audio.duration
        assert found.sha256 == hashlib.sha256(raw.tobytes()).hexdigest()
        drawn = [
            await stub.RenderSpectrogram(audio_pb2.RenderSpectrogramRequest(audio=source))
            for source in (audio, clip(files.encode(raw, 32000, subtype=subtype)))
        ]
        assert drawn[0].image == drawn[1].image


@pytest.mark.parametrize(
    ("audio", "reason", "field"),
    [
        (media_pb2.AudioClip(display_name="x"), Reason.MISSING_FIELD, "audio.content"),
        (pcm_clip(bytes(8000), encoding=0), Reason.MISSING_FIELD, "audio.pcm.encoding"),
        (pcm_clip(bytes(8000), encoding=9), Reason.MISSING_FIELD, "audio.pcm.encoding"),
        (pcm_clip(bytes(8000), 0), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.pcm.sample_rate_hz"),
        (pcm_clip(bytes(8000), -22050), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.pcm.sample_rate_hz"),
        (pcm_clip(bytes(8000), 192_001), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.pcm.sample_rate_hz"),
        (pcm_clip(bytes(8000), channels=9), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.pcm.channel_count"),
        (pcm_clip(bytes(8000), channels=-1), Reason.UNSUPPORTED_AUDIO_LAYOUT, "audio.pcm.channel_count"),
        (pcm_clip(b""), Reason.EMPTY_AUDIO, "audio.pcm.samples"),
        (pcm_clip(bytes(40_004), channels=2), Reason.CORRUPT_AUDIO, "audio.pcm.samples"),
        (pcm_clip(bytes(10 * 2**20 + 4), 192_000), Reason.FILE_TOO_LARGE, "audio.pcm.samples"),
        (pcm_clip(bytes(4 * 8000 * 31), 8000), Reason.AUDIO_TOO_LONG, "audio.pcm.samples"),
        (pcm_clip(bytes(400)), Reason.AUDIO_TOO_SHORT, "audio.pcm.samples"),
        (
            pcm_clip(np.array([0.0] * 5000 + [np.nan], "<f4").tobytes()),
            Reason.NON_FINITE_AUDIO,
            "audio.pcm.samples",
        ),
    ],
)
async def test_faulty_samples_are_refused_by_every_call(stub, audio, reason, field, refusal):
    for call in (
        stub.ExtractFeatures(audio_pb2.ExtractFeaturesRequest(audio=audio)),
        stub.RenderSpectrogram(audio_pb2.RenderSpectrogramRequest(audio=audio)),
    ):
        status, error = await refusal(call)
        assert status.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error.reason is reason
        assert [violation.field for violation in error.violations] == [field]


async def test_models(stub, extractor):
    response = await stub.ListModels(audio_pb2.ListModelsRequest())
    model, autoencoder = response.models
    assert model.id == response.default_model == DESCRIPTOR_SPACE
    assert (model.embedding.output_space, model.embedding.dimension) == (DESCRIPTOR_SPACE, 152)
    assert not model.embedding.input_spaces
    assert model.digest == extractor.embedder.digest
    assert model.state == model_pb2.MODEL_STATE_READY
    assert not model.unavailable_reason
    assert model.id == "chladni-descriptors-v2"
    assert model.properties["whole_dimensions"] == "24"
    assert model.properties["course_segments"] == "16"
    assert model.properties["course_features"].split(",")[:2] == ["level", "brightness"]
    assert (autoencoder.id, autoencoder.family) == ("chladni-audio-autoencoder", "autoencoder")
    assert autoencoder.state == model_pb2.MODEL_STATE_READY
    assert autoencoder.embedding.dimension == 128
    assert autoencoder.embedding.output_space == f"{autoencoder.id}@{autoencoder.digest[:12]}"
    assert autoencoder.license == "Apache-2.0"
    assert float(autoencoder.properties["held_out_mse"]) <= 0.02


async def test_a_full_queue_refuses_and_says_when_to_come_back(
    files, sounds, processes, loopback_settings, extract
):
    composed = compose(loopback_settings(worker_count=1, max_queued_requests=1), processes=processes)
    content = files.encode(sounds.noise(10.0))
    async with loopback_service(composed, service_names=SERVICE_NAMES) as (_, channel):
        stub = audio_grpc.AudioFeatureServiceStub(channel)
        results = await asyncio.gather(*(extract(stub, content) for _ in range(6)), return_exceptions=True)
        refused = [result for result in results if isinstance(result, grpc.aio.AioRpcError)]
        assert 0 < len(refused) < 6
        for result in refused:
            assert from_rpc_error(result).reason is Reason.QUEUE_FULL
            assert from_rpc_error(result).retry_after_seconds > 0
        await extract(stub, content)


async def test_analysed_seconds_are_counted(service, stub, files, extract):
    running, _ = service
    await extract(stub, files.encode(np.zeros(22050), file_format="FLAC"))
    reader, writer = await asyncio.open_connection("127.0.0.1", running.metrics_port)
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = (await reader.read()).decode().split("\r\n\r\n", 1)[1]
    writer.close()
    await writer.wait_closed()
    samples = {
        (sample.name, sample.labels.get("format")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["chladni_audio_analysed_seconds_total", "FLAC"] == pytest.approx(1.0)
    assert samples["chladni_audio_work_in_progress", None] == 0

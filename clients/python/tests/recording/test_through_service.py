"""The client with a whole audio-feature service: live audio, and arrays of samples."""

from __future__ import annotations

import asyncio

import numpy as np

import chladni_client as chladni
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_client.recording.spectrum import LiveSpectrum
from chladni_client.types.live import PcmFormat
from chladni_fakes.loopback import loopback_service
from chladni_runtime.settings import load_settings

RATE_HZ = 22050


def running_service(**variables):
    """Returns a running service that reads these variables beside its usual ones."""
    prefix = "CHLADNI_AUDIO_FEATURES_"
    usual = {"GRPC_PORT": "0", "METRICS_PORT": "0", "DRAIN_DELAY_SECONDS": "0", "WORKER_COUNT": "1"}
    environ = {prefix + name: value for name, value in usual.items()} | variables
    settings = load_settings(AudioFeaturesSettings, environ)
    return loopback_service(compose(settings), service_names=SERVICE_NAMES, settings=settings)


def pcm_of(samples):
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


async def test_a_live_tone_shows_where_it_sounds(folder):
    seconds = np.arange(RATE_HZ) / RATE_HZ
    async with running_service() as (service, _):

        def hear(frequency_hz):
            content = pcm_of(0.5 * np.sin(2 * np.pi * frequency_hz * seconds))
            with chladni.Client(audio_features_target=service.address) as client:
                with LiveSpectrum(client, PcmFormat(RATE_HZ)) as spectrum:
                    for at in range(0, len(content), 4410):
                        spectrum.push(content[at : at + 4410])
                spectrum.wait(30)
                assert spectrum.unavailable_reason == ""
                return spectrum.drawn(16)

        low, high = [await asyncio.to_thread(hear, frequency_hz) for frequency_hz in (110, 7000)]
    assert max(range(16), key=low.__getitem__) < 4
    assert max(range(16), key=high.__getitem__) > 10


async def test_arrays_of_every_kind_sound_alike(folder):
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)
    arrays = [
        tone,
        tone.astype(np.float32),
        np.stack([tone, tone], axis=1),
        (tone * 2**15).astype(np.int16),
        (tone * 2**31).astype(np.int32),
    ]
    wanted = [chladni.Feature.LOG_MEL, chladni.Feature.DESCRIPTORS]
    async with (
        running_service() as (service, _),
        chladni.AsyncClient(audio_features_target=service.address) as client,
    ):
        found = [
            await client.extract_features(array, sample_rate_hz=RATE_HZ, features=wanted) for array in arrays
        ]
    assert {(item.audio.sample_rate_hz, item.audio.duration_seconds) for item in found} == {(RATE_HZ, 1.0)}
    assert [item.audio.channel_count for item in found] == [1, 1, 2, 1, 1]
    for item in found:
        np.testing.assert_allclose(np.asarray(item.log_mel), np.asarray(found[0].log_mel), atol=0.15)
        np.testing.assert_allclose(
            [value.value for value in item.descriptors if value.name == "brightness"],
            [value.value for value in found[0].descriptors if value.name == "brightness"],
            rtol=0.01,
        )

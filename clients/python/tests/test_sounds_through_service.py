"""The command and the client with a whole audio-feature service: calibrations and live sounds."""

import asyncio
import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

import chladni_client as chladni
from chladni_audio_features.composition import SERVICE_NAMES, compose
from chladni_audio_features.config import AudioFeaturesSettings
from chladni_client.recording.recorder import Recording
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


@pytest.fixture
def recordings(folder):
    """Five recordings of tones in noise, and one that is none."""
    generator = np.random.default_rng(7)
    seconds = np.arange(RATE_HZ) / RATE_HZ
    (folder / "recordings").mkdir()
    for index in range(5):
        tone = 0.3 * np.sin(2 * np.pi * 220 * 2**index * seconds)
        sound = Recording(PcmFormat(RATE_HZ), pcm_of(tone + generator.normal(0, 0.02, RATE_HZ)))
        (folder / "recordings" / f"{index}.wav").write_bytes(sound.to_wav())
    (folder / "recordings" / "torn.wav").write_bytes(b"RIFF")


@pytest.mark.parametrize("basis", ["mel", "dct"])
async def test_a_service_scales_by_a_calibration_as_the_command_did(run, folder, recordings, basis):
    async with running_service() as (service, _):
        ended = await asyncio.to_thread(
            run, "--audio-features-target", service.address, "calibrate", "recordings", "--out", "voices",
            "--basis", basis, "--latents", "voices.safetensors", "-q",
        )  # fmt: skip
    assert ended.exit_code == 0, ended.stderr
    assert "voices: 4096 values" in ended.stdout
    assert "of 5 recordings, 1 skipped" in ended.stdout
    assert ended.stderr.startswith("Notice: skipped recordings/torn.wav: ")
    setting = dict([ended.stdout.splitlines()[-1].split("=", 1)])
    latents = load_file(folder / "voices.safetensors")["latents"]
    with safe_open(folder / "voices.safetensors", "np") as file:
        names = json.loads(file.metadata()["names"])
    assert latents.shape == (5, 4, 32, 32)
    varying = latents.reshape(5, -1).std(axis=0) > 0.5
    assert varying.mean() > 0.5
    np.testing.assert_allclose(latents.reshape(5, -1)[:, varying].mean(axis=0), 0, atol=1e-4)
    options = chladni.InitialLatentsOptions(basis=chladni.LatentBasis(basis))
    async with (
        running_service(**setting) as (service, _),
        chladni.AsyncClient(audio_features_target=service.address) as client,
    ):
        for name, expected in zip(names, latents, strict=True):
            made = await client.extract_features(
                folder / name, features=[chladni.Feature.INITIAL_LATENTS], initial_latents=options
            )
            calibration = made.latent_calibration
            assert (calibration.name, calibration.recording_count) == ("voices", 5)
            assert made.initial_latents.shape == (4, 32, 32)
            assert made.initial_latents.data == expected.tobytes()


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
                assert spectrum.obstacle == ""
                return spectrum.drawn(16)

        low, high = [await asyncio.to_thread(hear, frequency_hz) for frequency_hz in (110, 7000)]
    assert max(range(16), key=low.__getitem__) < 4
    assert max(range(16), key=high.__getitem__) > 10

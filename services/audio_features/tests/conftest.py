"""Sounds with known properties, and files made of them."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile
import torch

from chladni_audio_features.analysis.descriptors import DescriptorAnalyser
from chladni_audio_features.analysis.spectrogram import MelTransform
from chladni_audio_features.audio.decoding import new_process_pool
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.composition import load_extractor
from chladni_audio_features.embeddings.clap import ClapEmbedder
from chladni_audio_features.testing.untrained_clap import save_untrained_clap, save_untrained_clip
from chladni_audio_features.training import fit_clap_to_clip
from chladni_runtime.models.reference import ModelReference

RATE_HZ = 22050
CAPTION_COUNT = 1500


class Sounds:
    """Synthetic sounds, float32 at 22050 Hz unless asked otherwise."""

    rate_hz = RATE_HZ

    def tone(self, frequency_hz, seconds=2.0, amplitude=0.5, rate_hz=RATE_HZ):
        times = np.arange(round(seconds * rate_hz)) / rate_hz
        return (amplitude * np.sin(2 * np.pi * frequency_hz * times)).astype(np.float32)

    def harmonic(self, frequency_hz, seconds=2.0, partials=8, amplitude=0.3):
        partial_tones = (
            self.tone(frequency_hz * k, seconds, amplitude / k)
            for k in range(1, partials + 1)
            if frequency_hz * k < RATE_HZ / 2
        )
        return np.sum(list(partial_tones), axis=0).astype(np.float32)

    def chord(self, *midi_notes, seconds=2.0):
        notes = [self.harmonic(440 * 2 ** ((note - 69) / 12), seconds, partials=6) for note in midi_notes]
        return (np.sum(notes, axis=0) / len(notes)).astype(np.float32)

    def noise(self, seconds=2.0, amplitude=0.1, slope=0.0, seed=0):
        """Noise whose power falls as 1 / f**slope: 0 is white, 1 is pink."""
        count = round(seconds * RATE_HZ)
        spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
        spectrum *= np.maximum(np.fft.rfftfreq(count, 1 / RATE_HZ), 20.0) ** (-slope / 2)
        noise = np.fft.irfft(spectrum, count)
        return (amplitude * noise / noise.std()).astype(np.float32)

    def clicks(self, tempo_bpm, seconds=8.0, seed=0):
        rng = np.random.default_rng(seed)
        sound = np.zeros(round(seconds * RATE_HZ))
        for start in np.arange(0.25, seconds - 0.05, 60.0 / tempo_bpm):
            place = round(start * RATE_HZ)
            sound[place : place + 200] += 0.5 * np.exp(-np.arange(200) / 40) * rng.standard_normal(200)
        return sound.astype(np.float32)

    def modulated(self, modulation_hz, carrier_hz=1000.0, depth=1.0, seconds=2.0):
        times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        envelope = 0.3 * (1 + depth * np.sin(2 * np.pi * modulation_hz * times))
        return (envelope * np.sin(2 * np.pi * carrier_hz * times)).astype(np.float32)


class Files:
    """Audio files in memory."""

    def encode(self, samples, rate_hz=RATE_HZ, file_format="WAV", subtype=None):
        file = io.BytesIO()
        soundfile.write(file, samples, rate_hz, format=file_format, subtype=subtype)
        return file.getvalue()

    def wav(
        self,
        data=b"\0\0" * 4410,
        *,
        code=1,
        channels=1,
        rate_hz=RATE_HZ,
        bits=16,
        block_bytes=None,
        declared_bytes=None,
    ):
        """A WAV file byte by byte, for headers that no encoder would write."""
        block_bytes = channels * bits // 8 if block_bytes is None else block_bytes
        declared_bytes = len(data) if declared_bytes is None else declared_bytes
        byte_rate = rate_hz * block_bytes & 0xFFFFFFFF
        header = struct.pack("<HHIIHH", code, channels, rate_hz, byte_rate, block_bytes, bits)
        return (
            b"RIFF"
            + struct.pack("<I", (36 + declared_bytes) & 0xFFFFFFFF)
            + b"WAVEfmt "
            + struct.pack("<I", len(header))
            + header
            + b"data"
            + struct.pack("<I", declared_bytes)
            + data
        )

    def float_wav(self, samples, rate_hz=RATE_HZ):
        return self.wav(np.asarray(samples, "<f4").tobytes(), code=3, bits=32, rate_hz=rate_hz)

    def flac_with_length(self, file, frames):
        """A FLAC file that declares another number of samples."""
        changed = bytearray(file)
        (packed,) = struct.unpack_from(">Q", changed, 18)
        struct.pack_into(">Q", changed, 18, packed >> 36 << 36 | frames)
        return bytes(changed)


@pytest.fixture(scope="session")
def processes():
    """Processes that decode, which services share: starting them takes a second."""
    with new_process_pool(2) as pool:
        yield pool


@pytest.fixture(scope="session")
def sounds():
    return Sounds()


@pytest.fixture(scope="session")
def files():
    return Files()


@pytest.fixture(scope="session")
def transform():
    return MelTransform()


@pytest.fixture(scope="session")
def analyser(transform):
    return DescriptorAnalyser(transform)


@pytest.fixture(scope="session")
def extractor():
    return load_extractor(DecodingLimits())


@pytest.fixture(autouse=True)
def own_torch_threads():
    """A service sets torch's number of threads, of the whole process."""
    thread_count = torch.get_num_threads()
    yield
    torch.set_num_threads(thread_count)


@pytest.fixture(scope="session")
def make_clap(tmp_path_factory):
    """Makes a directory of a small CLAP of the true architecture, with random weights by seed."""

    def clap(seed=1, name="tiny-clap", **options):
        directory = tmp_path_factory.mktemp("models") / name
        save_untrained_clap(directory, seed=seed, **options)
        return directory

    return clap


@pytest.fixture(scope="session")
def clap_directory(make_clap):
    return make_clap()


@pytest.fixture(scope="session")
def clip_directory(tmp_path_factory):
    """A small CLIP whose width, projection and text tower differ in size, so that none passes for another."""
    directory = tmp_path_factory.mktemp("models") / "tiny-clip"
    save_untrained_clip(directory)
    return directory


@pytest.fixture(scope="session")
def fit_map(clap_directory, clip_directory, tmp_path_factory):
    """Runs the job; returns the map's directory."""

    def fit(*options):
        folder = tmp_path_factory.mktemp("map")
        words = ["--clap", clap_directory, "--clip", clip_directory, "--out", folder, *options]
        fit_clap_to_clip.main([*map(str, words), "--captions", str(CAPTION_COUNT), "--seed", "3"])
        return folder

    return fit


@pytest.fixture(scope="session")
def map_directory(fit_map):
    return fit_map()


@pytest.fixture(scope="session")
def clap(clap_directory):
    return ClapEmbedder.load(ModelReference(str(clap_directory)))

"""What phones, messengers, browsers and tools record, written here by FFmpeg, and files as they occur."""

from __future__ import annotations

import io
import struct
import time

import av
import numpy as np
import pytest

from chladni_audio_features.audio.clip import ClipPart
from chladni_audio_features.audio.containers.recognition import Container
from chladni_audio_features.audio.decoding import AudioDecoder
from chladni_audio_features.audio.errors import (
    AudioTooLongError,
    CorruptAudioError,
    PartError,
    TruncatedAudioError,
    UnsupportedFormatError,
)
from chladni_audio_features.audio.limits import DecodingLimits
from chladni_contract.warnings import WarningReason

DECODER = AudioDecoder(DecodingLimits())
SECONDS = 2.4
NOTES_HZ = (220.0, 330.0, 440.0, 550.0)


FORMATS = {
    # name: format, codec, sample rate, container, what the encoder may add in seconds
    "iPhone M4A": ("ipod", "aac", 44100, Container.MP4, 0.05),
    "Apple Lossless": ("ipod", "alac", 44100, Container.MP4, 0),
    "MP4": ("mp4", "aac", 48000, Container.MP4, 0.05),
    "QuickTime": ("mov", "pcm_s16le", 44100, Container.MP4, 0),
    "Chrome's WebM": ("webm", "libopus", 48000, Container.MATROSKA, 0.025),
    "Matroska with AAC": ("matroska", "aac", 44100, Container.MATROSKA, 0.08),
    "Matroska with FLAC": ("matroska", "flac", 44100, Container.MATROSKA, 0),
    "Ogg with Opus": ("ogg", "libopus", 48000, Container.OGG, 0.001),
    "voice note": ("ogg", "libopus", 16000, Container.OGG, 0.001),
    "voice note at 8 kHz": ("ogg", "libopus", 8000, Container.OGG, 0.001),
    "Ogg with FLAC": ("ogg", "flac", 16000, Container.OGG, 0),
    "FLAC": ("flac", "flac", 16000, Container.FLAC, 0),
    "MP3": ("mp3", "libmp3lame", 44100, Container.MP3, 0.001),
    "MP3 at 16 kHz": ("mp3", "libmp3lame", 16000, Container.MP3, 0.001),
    "MP2": ("mp2", "mp2", 48000, Container.MP3, 0.05),
    "AAC": ("adts", "aac", 44100, Container.AAC, 0.08),
    "AIFF": ("aiff", "pcm_s16be", 44100, Container.AIFF, 0),
    "CAF": ("caf", "pcm_s24be", 48000, Container.CAF, 0),
    "CAF with ALAC": ("caf", "alac", 48000, Container.CAF, 0),
    "W64": ("w64", "pcm_s16le", 16000, Container.WAV, 0),
    "A-law": ("wav", "pcm_alaw", 8000, Container.WAV, 0),
    "mu-law": ("wav", "pcm_mulaw", 8000, Container.WAV, 0),
    "3GP": ("3gp", "libopencore_amrnb", 8000, Container.MP4, 0.021),
    "AMR": ("amr", "libopencore_amrnb", 8000, Container.AMR, 0.021),
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_people_record_is_decoded_whole(name, notes, encode):
    file_format, codec, rate_hz, container, added_seconds = FORMATS[name]
    samples = notes(rate_hz)
    bit_rate = 12200 if "amr" in codec else None
    clip = DECODER.decode(encode(samples, rate_hz, file_format, codec, bit_rate=bit_rate))
    assert clip.source.container is container
    assert 0 <= clip.duration_seconds - SECONDS <= added_seconds + 0.001
    assert clip.warnings == ()
    heard = [dominant_frequency(clip, 0.15 + 0.6 * note) for note in range(4)]
    assert heard == pytest.approx(NOTES_HZ, abs=5)


def dominant_frequency(clip, start_seconds):
    """Return the strongest frequency in the 0.3 s from a time."""
    size, start = round(0.3 * clip.sample_rate_hz), round(start_seconds * clip.sample_rate_hz)
    spectrum = np.abs(np.fft.rfft(clip.samples[start : start + size] * np.hanning(size)))
    return float(np.argmax(spectrum) / 0.3)


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"])
@pytest.mark.parametrize("channels", [1, 2])
def test_numpy_reads_wav_as_ffmpeg_does(codec, channels, notes, encode):
    samples = np.stack([notes(), 0.3 * notes()[::-1]], 1)[:, :channels]
    wav = DECODER.read(encode(samples, 16000, "wav", codec))
    w64 = DECODER.read(encode(samples, 16000, "w64", codec))
    assert np.array_equal(wav.samples, w64.samples)
    assert wav.source.codec != w64.source.codec


@pytest.mark.parametrize("bits", [12, 20, 32])
def test_flac_of_any_width(bits, notes):
    """A FLAC of verbatim frames, by hand: no encoder here writes 12 or 20 bits."""
    values = np.round(notes() * 2 ** (bits - 1)).astype(np.int64)[:4096]
    clip = DECODER.read(verbatim_flac(values, 16000, bits))
    assert np.abs(clip.samples - notes()[:4096]).max() < 2.0 ** (2 - bits) + 1e-7


def verbatim_flac(values, rate_hz, bits):
    count = len(values)
    info = struct.pack(">HH", count, count) + bytes(6)
    info += struct.pack(">Q", rate_hz << 44 | (bits - 1) << 36 | count) + bytes(16)
    size_code = {12: 2, 20: 5, 32: 7}[bits]
    header = bytes([0xFF, 0xF8, 0x70, size_code << 1, 0]) + struct.pack(">H", count - 1)
    header += bytes([crc(header, 0x07, 8)])
    digits = "".join(format(int(value) & (1 << bits) - 1, f"0{bits}b") for value in values)
    digits = "00000010" + digits
    digits += "0" * (-len(digits) % 8)
    frame = header + int(digits, 2).to_bytes(len(digits) // 8, "big")
    return b"fLaC\x80\0\0\x22" + info + frame + struct.pack(">H", crc(frame, 0x8005, 16))


def crc(data, polynomial, width):
    value = 0
    for byte in data:
        value ^= byte << width - 8
        for _ in range(8):
            value = (value << 1 ^ (polynomial if value >> width - 1 & 1 else 0)) & (1 << width) - 1
    return value


def ogg_pages(data):
    """Return the pages of an OGG file."""
    starts = [place for place in range(len(data)) if data[place : place + 4] == b"OggS"]
    return [data[start:end] for start, end in zip(starts, [*starts[1:], len(data)], strict=True)]


def with_changed_pages(data, change):
    """Return an OGG file whose pages are changed, with the right checksums."""
    pages = [bytearray(page) for page in ogg_pages(data)]
    for number, page in enumerate(pages):
        change(number, page)
        page[22:26] = bytes(4)
        struct.pack_into("<I", page, 22, crc(bytes(page), 0x04C11DB7, 32))
    return b"".join(pages)


OGG_FILES = ("libopus", "flac")


def clear_end_flag(_, page):
    page[5] &= ~0x04


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_an_ogg_needs_no_mark_of_its_end(rate_hz, notes, encode):
    whole = encode(notes(rate_hz), rate_hz, "ogg", "libopus")
    clip = DECODER.read(with_changed_pages(whole, clear_end_flag))
    assert SECONDS <= clip.duration_seconds <= SECONDS + 0.02


@pytest.mark.parametrize("offset_seconds", [5, 3600])
def test_granules_need_not_start_at_zero(offset_seconds, notes, encode):
    def shift(number, page):
        (granule,) = struct.unpack_from("<q", page, 6)
        if number > 1:
            struct.pack_into("<q", page, 6, granule + offset_seconds * 48000)

    whole = encode(notes(48000), 48000, "ogg", "libopus")
    assert DECODER.read(with_changed_pages(whole, shift)).duration_seconds == pytest.approx(
        SECONDS, abs=0.001
    )


@pytest.mark.parametrize("second", [1.2, 0.5, 2.0])
def test_all_links_of_a_chain_are_decoded(second, notes, encode):
    first = encode(notes(48000)[:57600], 48000, "ogg", "libopus")
    other = encode(notes(48000)[: round(second * 48000)], 48000, "ogg", "libopus")

    def renumber(_, page):
        page[14] ^= 0xFF

    chain = first + with_changed_pages(other, renumber)
    assert DECODER.read(chain).duration_seconds == pytest.approx(1.2 + second, abs=0.02)


def test_an_ogg_that_ends_within_a_page_is_cut(notes, encode):
    with pytest.raises(TruncatedAudioError, match="ends within a page"):
        DECODER.read(encode(notes(), 16000, "ogg", "flac")[:-100])


@pytest.mark.parametrize("rates_hz", [(16000, 16000), (44100, 44100), (16000, 44100), (44100, 48000)])
@pytest.mark.parametrize("has_tags", [False, True])
def test_joined_mp3s_are_decoded_whole(rates_hz, has_tags, notes, encode):
    parts = [
        encode(
            notes(rate)[: round(1.2 * rate)],
            rate,
            "mp3",
            "libmp3lame",
            options={"write_id3v1": str(int(has_tags))},
        )
        for rate in rates_hz
    ]
    clip = DECODER.read(b"".join(parts))
    assert 2.4 <= clip.duration_seconds <= 2.6
    assert dominant_frequency(clip, 0.1) == pytest.approx(220, abs=5)
    assert dominant_frequency(clip, 1.3) == pytest.approx(220, abs=5)


@pytest.mark.parametrize("junk", [b"junk", bytes(1000), b"\xff\xfb\x90\x64 no frame" * 30])
def test_junk_before_the_first_mp3_frame_is_passed_over(junk, notes, encode):
    whole = encode(notes(44100), 44100, "mp3", "libmp3lame", options={"id3v2_version": "0"})
    assert SECONDS <= DECODER.read(junk + whole).duration_seconds <= SECONDS + 0.08


@pytest.mark.parametrize("file_format", ["mp3", "flac", "ogg"])
def test_damage_in_the_middle_is_reported_and_the_rest_is_there(file_format, notes, encode):
    codec = {"mp3": "libmp3lame", "flac": "flac", "ogg": "libopus"}[file_format]
    rate_hz = 48000
    data = bytearray(encode(notes(rate_hz), rate_hz, file_format, codec))
    middle = len(data) // 2
    data[middle : middle + 200] = np.random.default_rng(1).bytes(200)
    clip = DECODER.read(bytes(data))
    assert clip.warnings[0].reason is WarningReason.AUDIO_DAMAGED
    assert 0.5 < float(clip.warnings[0].metadata["first_seconds"]) < 1.9
    assert clip.duration_seconds > 1.2  # a page of OGG may hold a second


def test_the_first_of_several_audio_streams_is_used_and_that_is_said(notes, encode):
    clip = DECODER.read(encode(notes(), 16000, "matroska", "flac", streams=3))
    assert [warning.reason for warning in clip.warnings] == [WarningReason.SEVERAL_AUDIO_STREAMS]
    assert clip.warnings[0].metadata == {"count": "3"}
    assert clip.duration_seconds == SECONDS


@pytest.mark.parametrize(("file_format", "codec"), [("wav", "pcm_s16le"), ("flac", "flac"), ("ipod", "alac")])
def test_channels_that_cancel_are_reported_and_one_is_used(file_format, codec, notes, encode):
    inverted = np.stack([notes(), -notes()], 1)
    clip = DECODER.read(encode(inverted, 16000, file_format, codec))
    assert [warning.reason for warning in clip.warnings] == [WarningReason.CHANNELS_CANCEL]
    assert np.abs(clip.samples - notes()).max() < 1e-3
    assert clip.source.channels == 2


def test_codecs_that_are_not_read_are_named(notes, encode):
    with pytest.raises(UnsupportedFormatError, match="holds ac3, which is not read; convert it"):
        DECODER.read(encode(notes(48000), 48000, "matroska", "ac3"))


def test_a_video_without_sound_is_named():
    output = io.BytesIO()
    with av.open(output, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    with pytest.raises(UnsupportedFormatError, match=r"holds no audio \(video\)"):
        DECODER.read(output.getvalue())


def test_a_cut_mp4_is_an_error(notes, encode):
    whole = encode(notes(44100), 44100, "ipod", "aac")
    for cut in (100, len(whole) // 2):
        with pytest.raises(CorruptAudioError):
            DECODER.read(whole[:cut])


# Parts of longer audio.

LONG_SECONDS = 100


@pytest.fixture(scope="module")
def long_notes():
    rng = np.random.default_rng(0)
    return (0.1 * rng.standard_normal(LONG_SECONDS * 8000)).astype(np.float32)


PARTS = {
    "wav": ("wav", "pcm_s16le"),
    "w64": ("w64", "pcm_s16le"),
    "flac": ("flac", "flac"),
    "mkv": ("matroska", "flac"),
    "mp4": ("mp4", "alac"),
    "mp3": ("mp3", "libmp3lame"),
    "aac": ("adts", "aac"),
    "webm": ("webm", "libopus"),
    "ogg": ("ogg", "libopus"),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_what_the_whole_has_there(name, long_notes, encode):
    content = encode(long_notes, 8000, *PARTS[name])
    whole = AudioDecoder(DecodingLimits(max_duration_seconds=200)).read(content)
    rate_hz = whole.sample_rate_hz
    for start, end in ((0.0, 20.0), (0.5, 1.0), (61.2345, 71.0), (80.0, None), (99.0, 120.0)):
        part = DECODER.read(content, ClipPart(start, end))
        first = round(start * rate_hz)
        expected = whole.samples[first : None if end is None else round(end * rate_hz)]
        assert abs(len(part.samples) - len(expected)) <= 1
        size = min(len(part.samples), len(expected))
        # Lossy codecs look back, so what is passed over leaves a trace; a shift would be as loud as noise.
        assert np.sqrt(np.mean((part.samples[:size] - expected[:size]) ** 2)) < 0.02
        assert part.source.start_seconds == start


@pytest.mark.parametrize(
    ("part", "error", "words", "field"),
    [
        (ClipPart(-1.0, 5.0), PartError, "begins at -1 s", "audio.start"),
        (ClipPart(float("nan"), 5.0), PartError, "begins at nan s", "audio.start"),
        (ClipPart(3600.0), PartError, "before 3600 s", "audio.start"),
        (ClipPart(5.0, 5.0), PartError, "ends at 5 s", "audio.end"),
        (ClipPart(0.0, 3601.0), PartError, "by 3600 s", "audio.end"),
        (ClipPart(10.0, 40.5), AudioTooLongError, "part of 30.5 s, the limit is 30 s", "audio.end"),
        (ClipPart(10.0), AudioTooLongError, "90.00 s long", "audio.content"),
        (ClipPart(200.0, 210.0), PartError, "the audio ends at 100.00 s; begin earlier", "audio.start"),
    ],
)
@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_a_part_must_lie_within_the_audio(long_notes, file_format, part, error, words, field, encode):
    content = encode(long_notes, 8000, *PARTS[file_format])
    with pytest.raises(error, match=words) as caught:
        DECODER.read(content, part)
    assert caught.value.violations[0].field == field


def test_without_a_part_long_audio_is_refused_with_what_to_do(long_notes, encode):
    with pytest.raises(AudioTooLongError, match="choose a part of it with start and end"):
        DECODER.read(encode(long_notes, 8000, "adts", "aac"))


# Harm.


def hostile_vorbis(book_count, entry_count):
    """Return an OGG whose Vorbis header declares absurd code books."""
    bits = [(0x564342, 24), (1, 16), (entry_count, 24), (0, 1), (0, 1)]
    bits += [(0, 5)] * entry_count
    bits += [(0, 4)]
    header = pack_bits([(5, 8), *((byte, 8) for byte in b"vorbis"), (book_count - 1, 8), *bits])
    identification = b"\x01vorbis" + struct.pack("<IBIiiiBB", 0, 1, 16000, 0, 0, 0, 0xB8, 1)
    comment = b"\x03vorbis" + struct.pack("<II", 0, 0) + b"\x01"
    packets = (identification, comment, header, b"\0" * 40)
    return b"".join(ogg_page(packet, number) for number, packet in enumerate(packets))


def pack_bits(fields):
    value = place = 0
    for number, width in fields:
        value |= number << place
        place += width
    return value.to_bytes(-(-place // 8), "little")


def ogg_page(packet, number):
    lacing = [255] * (len(packet) // 255) + [len(packet) % 255]
    flags = 2 if number == 0 else 0
    head = b"OggS\0" + bytes([flags]) + struct.pack("<qIII", max(0, number - 2) * 4800, 1, number, 0)
    page = bytearray(head + bytes([len(lacing), *lacing]) + packet)
    struct.pack_into("<I", page, 22, crc(bytes(page), 0x04C11DB7, 32))
    return bytes(page)


@pytest.mark.parametrize(("book_count", "entry_count"), [(1, 2**15), (255, 2**13)])
def test_absurd_code_books_are_refused_at_once(book_count, entry_count):
    content = hostile_vorbis(book_count, entry_count)
    started_at = time.process_time()
    with pytest.raises(CorruptAudioError):
        DECODER.read(content)
    assert time.process_time() - started_at < 0.1

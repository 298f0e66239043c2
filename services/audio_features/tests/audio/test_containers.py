"""Recognition of files by content, and their headers."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.audio.containers import (
    Container,
    read_header,
    recognise_container,
    with_declared_length,
)
from chladni_audio_features.audio.containers.mp3 import id3v2_length
from chladni_audio_features.audio.errors import (
    AudioError,
    CorruptAudioError,
    TruncatedAudioError,
    UnsupportedFormatError,
)

SECOND = np.zeros(22050, np.float32)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0", "MP4/M4A (AAC)"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + b"\0" * 20, "WMA/ASF"),
        (b"\x1a\x45\xdf\xa3" + b"\0" * 20, "WebM/Matroska"),
        (b"FORM\0\0\0\0AIFFCOMM", "AIFF"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP image"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"PK\x03\x04\x14\0", "ZIP archive"),
        (b"\xff\xf1\x50\x80\x02\x1f\xfc", "AAC (ADTS)"),
        (b"ID3\x04\0\0\0\0\0\x02\0\0 no frames", "an ID3 tag without MP3 frames after it"),
        ("Grüße".encode() * 200, "text"),
        (b'{"audio": true}', "text"),
        (b"\x00\x01\x02\xfa\x00", "unrecognised data starting with 00 01 02 fa"),
        (b"\xff\xfb\x90\x64" + bytes(range(256)) * 3, "unrecognised data starting with ff fb 90 64"),
    ],
)
def test_other_files_are_named(start, name):
    with pytest.raises(UnsupportedFormatError) as caught:
        recognise_container(start)
    assert name in caught.value.message
    assert "WAV, MP3, FLAC, OGG" in caught.value.message


@pytest.mark.parametrize("container", list(Container))
@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_headers_agree_with_the_decoder(files, container, rate_hz, channels):
    samples = np.zeros((rate_hz // 2, channels), np.float32)
    header = read_header(files.encode(samples, rate_hz, container.value))
    assert (header.container, header.sample_rate_hz, header.channels) == (container, rate_hz, channels)
    assert len(samples) <= header.frames <= len(samples) + header.padding_frames


@pytest.mark.parametrize(
    ("subtype", "codec"),
    [
        ("PCM_U8", "PCM_8"),
        ("PCM_24", "PCM_24"),
        ("FLOAT", "FLOAT_32"),
        ("DOUBLE", "FLOAT_64"),
        ("ULAW", "ULAW"),
        ("ALAW", "ALAW"),
    ],
)
def test_codecs_of_wav(files, subtype, codec):
    assert read_header(files.encode(SECOND, subtype=subtype)).codec == codec


@pytest.mark.parametrize("file_format", ["WAVEX", "RF64"])
def test_variants_of_wav(files, file_format):
    header = read_header(files.encode(SECOND, file_format=file_format))
    assert (header.container, header.frames) == (Container.WAV, len(SECOND))


def test_opus_in_ogg(files):
    header = read_header(files.encode(SECOND[:12000], 48000, "OGG", "OPUS"))
    assert (header.codec, header.sample_rate_hz, header.frames) == ("OPUS", 48000, 12000)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"code": 0x11, "bits": 4}, UnsupportedFormatError, "IMA ADPCM"),
        ({"code": 0x7777}, UnsupportedFormatError, "0x7777"),
        ({"bits": 12}, UnsupportedFormatError, "12-bit PCM"),
        ({"block_bytes": 5}, CorruptAudioError, "contradicts itself"),
        ({"declared_bytes": 1_000_000}, TruncatedAudioError, "declares 1000000 bytes"),
    ],
)
def test_faulty_wav_headers(files, changes, error, words):
    with pytest.raises(error, match=words):
        read_header(files.wav(**changes))


def test_wav_written_to_a_pipe_lasts_to_the_end_of_the_file(files):
    assert read_header(files.wav(declared_bytes=0xFFFFFFFF)).frames == 4410


def test_wav_chunks_in_the_wrong_order(files):
    whole = files.wav()
    data_chunk = whole[36:]
    with pytest.raises(CorruptAudioError, match="before its format chunk"):
        read_header(whole[:12] + data_chunk + whole[12:36])


def test_wav_skips_chunks_it_does_not_know(files):
    whole = files.wav()
    odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert read_header(whole[:12] + odd_chunk + whole[12:]).frames == 4410


@pytest.mark.parametrize("cut", [13, 20, 30, 40, 44, 100])
def test_wav_cut_anywhere_is_truncated(files, cut):
    with pytest.raises(TruncatedAudioError):
        read_header(files.wav()[:cut])


def test_flac_headers(files):
    whole = files.encode(SECOND, file_format="FLAC")
    with pytest.raises(TruncatedAudioError):
        read_header(whole[:30])
    with pytest.raises(CorruptAudioError, match="STREAMINFO"):
        read_header(whole[:4] + b"\x04" + whole[5:])
    with pytest.raises(UnsupportedFormatError, match="length"):
        read_header(files.flac_with_length(whole, 0))
    tag = b"ID3\x04\0\0\0\0\0\x05abcde"
    assert read_header(tag + whole).frames == len(SECOND)


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (b"\x7fFLAC\x01\0", "FLAC"),
        (b"Speex   1.2", "Speex"),
        (b"\x80theora", "Theora"),
        (b"?" * 20, "unknown"),
    ],
)
def test_other_streams_in_ogg_are_named(packet, name):
    page = b"OggS\0\x06" + bytes(8) + struct.pack("<III", 1, 0, 0) + bytes([1, len(packet)]) + packet
    with pytest.raises(UnsupportedFormatError, match=name):
        read_header(page)


@pytest.mark.parametrize("cut", [10, 28, 60, 300, 2000, -1])
def test_ogg_cut_anywhere_is_truncated(files, cut):
    with pytest.raises(TruncatedAudioError):
        read_header(files.encode(SECOND, file_format="OGG")[:cut])


def test_an_ogg_file_may_be_followed_by_something_else(files):
    assert read_header(files.encode(SECOND, file_format="OGG") + b"TAG" * 40).frames == len(SECOND)


@pytest.mark.parametrize("cut", [10, 100, 400, 1500])
def test_mp3_cut_anywhere_is_truncated(files, cut):
    noise = np.random.default_rng(0).normal(0, 0.1, 44100)
    with pytest.raises(TruncatedAudioError):
        read_header(files.encode(noise, 44100, "MP3")[:cut])


def without_first_frame(file):
    """Drop the frame with the Xing tag: frames follow each other without gaps."""
    second = next(
        place
        for place in range(4, len(file))
        if file[place : place + 2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xe3")
    )
    return file[second:]


def test_mp3_length_is_counted_where_no_tag_declares_it(files):
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * 44100)
    tagged = files.encode(noise, 44100, "MP3")
    bare = without_first_frame(tagged)
    assert read_header(bare).frames == read_header(tagged).frames
    assert with_declared_length(tagged) == tagged
    with_tag = with_declared_length(bare)
    assert read_header(with_tag).frames == read_header(tagged).frames
    assert with_declared_length(with_tag) == with_tag


def test_an_mp3_tag_that_declares_too_little_is_replaced(files):
    tagged = files.encode(np.random.default_rng(0).normal(0, 0.1, 44100), 44100, "MP3")
    place = tagged.index(b"Xing") + 8
    lying = tagged[:place] + struct.pack(">I", 3) + tagged[place + 4 :]
    mended = with_declared_length(lying)
    assert mended != lying
    assert read_header(mended).frames == read_header(tagged).frames
    assert with_declared_length(mended) == mended


def test_mp3_tags_around_the_music_do_not_count(files):
    plain = files.encode(SECOND, file_format="MP3")
    tagged = b"ID3\x04\0\0\0\0\x01\x00" + b"t" * 128 + plain + b"TAG" + bytes(125)
    assert id3v2_length(tagged) == 138
    assert read_header(tagged) == read_header(plain)


def test_an_mp3_of_one_frame_without_anything_after_it(files):
    bare = without_first_frame(files.encode(SECOND, file_format="MP3"))
    length = len(bare) - len(without_first_frame(bare))
    assert read_header(bare[:length]).frames == 576


@given(data=st.binary(max_size=300), container=st.sampled_from(["WAV", "MP3", "FLAC", "OGG"]))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_a_header_fail_otherwise_than_promised(files, data, container):
    start = files.encode(SECOND[:4410], file_format=container)[:48]
    for candidate in (data, start + data):
        with suppress(AudioError):
            assert read_header(candidate).frames >= 0


def test_the_decoder_supports_what_is_promised():
    assert {"WAV", "FLAC", "OGG", "MP3"} <= set(soundfile.available_formats())

"""Recognition of files by content, and the headers that are read before a decoder sees them."""

from __future__ import annotations

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chladni_audio_features.audio.containers.mpeg import (
    declared_frame_count,
    find_frames,
    mpeg_frame_length,
    tags_length,
)
from chladni_audio_features.audio.containers.recognition import Container, recognise_file
from chladni_audio_features.audio.containers.wav import read_wav_header
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
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + b"\0" * 20, "WMA/ASF"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF image"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC image"),
        (b"MThd\0\0\0\x06", "MIDI"),
        (b"wvpk" + bytes(20), "WavPack"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "PNG image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "JPEG image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP image"),
        (b"%PDF-1.7\n", "PDF document"),
        (b"PK\x03\x04\x14\0", "ZIP archive"),
        (b"ID3\x04\0\0\0\0\0\x02\0\0 no frames", "an ID3 tag without MP3 frames after it"),
        ("Grüße".encode() * 200, "text"),
        (b'{"audio": true}', "text"),
        (b"\x00\x01\x02\xfa\x00", "unrecognised data starting with 00 01 02 fa"),
        (b"\xff\xfb\x90\x64" + bytes(range(256)) * 3, "unrecognised data starting with ff fb 90 64"),
        (b"\xff" * 100_000, "unrecognised data"),
    ],
)
def test_other_files_are_named(start, name):
    with pytest.raises(UnsupportedFormatError) as caught:
        recognise_file(start)
    assert name in caught.value.message
    assert "WAV, MP3, FLAC, OGG, M4A, WebM" in caught.value.message


@pytest.mark.parametrize(
    ("start", "container"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", Container.WAV),
        (b"RF64\xff\xff\xff\xffWAVEds64", Container.WAV),
        (b"BW64\xff\xff\xff\xffWAVEds64", Container.WAV),
        (
            b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\0\0" + bytes(8) + b"wave\xf3\xac\xd3\x11",
            Container.WAV,
        ),
        (b"FORM\0\0\0\0AIFFCOMM", Container.AIFF),
        (b"FORM\0\0\0\0AIFCFVER", Container.AIFF),
        (b"fLaC\0\0\0\x22", Container.FLAC),
        (b"ID3\x04\0\0\0\0\0\x05abcdefLaC\0", Container.FLAC),
        (b"OggS\0\x02", Container.OGG),
        (b"\0\0\0\x20ftypM4A \0\0\0\0", Container.MP4),
        (b"\0\0\0\x20ftyp3gp4\0\0\0\0", Container.MP4),
        (b"\0\0\0\x20moov", Container.MP4),
        (b"\x1a\x45\xdf\xa3" + b"\0" * 20, Container.MATROSKA),
        (b"#!AMR-WB\n", Container.AMR),
        (b"caff\0\x01\0\0", Container.CAF),
    ],
)
def test_files_with_a_mark_are_recognised(start, container):
    assert recognise_file(start).container is container


FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # MPEG 1, layer III, 128 kbit/s, 44.1 kHz


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"ID3\x04\0\0\0\0\0\x05abcde",
        b"ID3\x04\0\x10\0\0\0\x05abcde3DI\x04\0\x10\0\0\0\x05",
        b"APETAGEX" + struct.pack("<4I", 2000, 10, 0, 0xA0000000) + bytes(8) + b"0123456789",
        b"ID3\x03\0\0\0\0\0\0" + bytes(2000),
        b"junk",
        bytes(1000),
        b"\xff\xfb\x90\x64 by accident",
    ],
)
def test_mp3_frames_are_found_behind_tags_and_junk(before):
    data = before + 4 * FRAME
    assert find_frames(data, mpeg_frame_length) == len(before)
    assert recognise_file(data).container is Container.MP3


def test_an_mp3_of_one_frame_is_one():
    assert recognise_file(FRAME).container is Container.MP3
    assert recognise_file(b"junk" + 2 * FRAME + b"T" * 3).container is Container.MP3


def test_aac_frames_are_found():
    frame = b"\xff\xf1\x50\x80\x04\x1f\xfc" + bytes(25)
    assert recognise_file(4 * frame).container is Container.AAC


def test_the_frames_that_an_mp3_declares(files):
    tagged = files.encode(np.random.default_rng(0).normal(0, 0.1, 44100), 44100, "MP3")
    (declared,) = struct.unpack_from(">I", tagged, tagged.index(b"Xing") + 8)
    assert declared_frame_count(tagged, find_frames(tagged, mpeg_frame_length)) == declared
    assert recognise_file(tagged).packet_count == declared
    assert recognise_file(4 * FRAME).packet_count is None


def test_mp3_tags_do_not_count(files):
    plain = files.encode(SECOND, file_format="MP3")
    tagged = b"ID3\x04\0\0\0\0\x01\x00" + b"t" * 128 + plain + b"TAG" + bytes(125)
    assert tags_length(tagged) == 138
    assert recognise_file(tagged) == recognise_file(plain)


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
    assert read_wav_header(files.encode(SECOND, subtype=subtype)).codec == codec


@pytest.mark.parametrize("rate_hz", [8000, 44100])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("file_format", ["WAV", "WAVEX", "RF64"])
def test_variants_of_wav(files, file_format, channels, rate_hz):
    samples = np.zeros((rate_hz // 2, channels), np.float32)
    header = read_wav_header(files.encode(samples, rate_hz, file_format=file_format))
    assert (header.sample_rate_hz, header.channels, header.frames) == (rate_hz, channels, len(samples))


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
        read_wav_header(files.wav(**changes))


@pytest.mark.parametrize("declared_bytes", [0xFFFFFFFF, 0x7FFFF000, 0])
def test_wav_written_to_a_pipe_lasts_to_the_end_of_the_file(files, declared_bytes):
    assert read_wav_header(files.wav(declared_bytes=declared_bytes)).frames == 4410


@pytest.mark.parametrize("after", [b"", b"LIST\4\0\0\0abcd", b"LIST\3\0\0\0abc\0id3 \2\0\0\0ab"])
def test_a_wav_without_samples_is_empty_whatever_follows(files, after):
    assert read_wav_header(files.wav(b"") + after).frames == 0


@pytest.mark.parametrize(("declared", "frames"), [(8820, 4410), (0, 4414), (8000, 4000)])
def test_an_rf64_ends_where_it_says_and_not_with_the_file(files, declared, frames):
    riff = files.wav(declared_bytes=0xFFFFFFFF)
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 0, declared, 0, 0)
    assert read_wav_header(b"RF64" + riff[4:12] + ds64 + riff[12:] + b"axml\0\0\0\0").frames == frames
    with pytest.raises(TruncatedAudioError, match="declares 9000000000 bytes"):
        read_wav_header(
            b"RF64" + riff[4:12] + ds64[:16] + struct.pack("<Q", 9 * 10**9) + ds64[24:] + riff[12:]
        )


def test_wav_chunks_in_the_wrong_order(files):
    whole = files.wav()
    data_chunk = whole[36:]
    with pytest.raises(CorruptAudioError, match="before its format chunk"):
        read_wav_header(whole[:12] + data_chunk + whole[12:36])


def test_wav_skips_chunks_it_does_not_know(files):
    whole = files.wav()
    odd_chunk = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    assert read_wav_header(whole[:12] + odd_chunk + whole[12:]).frames == 4410


@pytest.mark.parametrize("cut", [13, 20, 30, 40, 44, 100])
def test_wav_cut_anywhere_is_truncated(files, cut):
    with pytest.raises(TruncatedAudioError):
        read_wav_header(files.wav()[:cut])


@given(data=st.binary(max_size=300), container=st.sampled_from(["WAV", "MP3", "FLAC", "OGG"]))
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_a_header_fail_otherwise_than_promised(files, data, container):
    start = files.encode(SECOND[:4410], file_format=container)[:48]
    for candidate in (data, start + data):
        with suppress(AudioError):
            if recognise_file(candidate).demuxer == "wav":
                assert read_wav_header(candidate).frames >= 0

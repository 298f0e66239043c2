"""What audio files say about themselves, read before anything is decoded.

`read_header` recognises the container by its first bytes, never by a name, and reads sample rate,
channel count and length from the headers alone, so that limits can be enforced before a decoder
sees the file.
"""

from __future__ import annotations

from chladni_audio_features.audio.containers.flac import read_flac_header
from chladni_audio_features.audio.containers.mp3 import read_mp3_header, with_declared_length
from chladni_audio_features.audio.containers.ogg import read_ogg_header
from chladni_audio_features.audio.containers.recognition import recognise_container
from chladni_audio_features.audio.containers.stream_header import Container, StreamHeader
from chladni_audio_features.audio.containers.wav import read_wav_header

__all__ = ["Container", "StreamHeader", "read_header", "recognise_container", "with_declared_length"]

_READERS = {
    Container.WAV: read_wav_header,
    Container.MP3: read_mp3_header,
    Container.FLAC: read_flac_header,
    Container.OGG: read_ogg_header,
}


def read_header(data: bytes) -> StreamHeader:
    """Read the header of an audio file.

    Args:
        data: the whole file.

    Returns:
        What the file declares; nothing in it is checked against limits yet.

    Raises:
        UnsupportedFormatError: not a WAV, MP3, FLAC or OGG file, or a codec inside it that is not
            supported; the message names what was found.
        TruncatedAudioError: the file ends before its declared end.
        CorruptAudioError: the header contradicts itself.
    """
    return _READERS[recognise_container(data)](data)

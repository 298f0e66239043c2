from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudioFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AUDIO_FORMAT_UNSPECIFIED: _ClassVar[AudioFormat]
    AUDIO_FORMAT_WAV: _ClassVar[AudioFormat]
    AUDIO_FORMAT_MP3: _ClassVar[AudioFormat]
    AUDIO_FORMAT_FLAC: _ClassVar[AudioFormat]
    AUDIO_FORMAT_OGG: _ClassVar[AudioFormat]
    AUDIO_FORMAT_PCM: _ClassVar[AudioFormat]
    AUDIO_FORMAT_AIFF: _ClassVar[AudioFormat]
    AUDIO_FORMAT_MP4: _ClassVar[AudioFormat]
    AUDIO_FORMAT_MATROSKA: _ClassVar[AudioFormat]
    AUDIO_FORMAT_AAC: _ClassVar[AudioFormat]
    AUDIO_FORMAT_AMR: _ClassVar[AudioFormat]
    AUDIO_FORMAT_CAF: _ClassVar[AudioFormat]

class ImageFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IMAGE_FORMAT_UNSPECIFIED: _ClassVar[ImageFormat]
    IMAGE_FORMAT_PNG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_JPEG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_WEBP: _ClassVar[ImageFormat]
    IMAGE_FORMAT_SVG: _ClassVar[ImageFormat]
    IMAGE_FORMAT_PDF: _ClassVar[ImageFormat]

class PcmEncoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PCM_ENCODING_UNSPECIFIED: _ClassVar[PcmEncoding]
    PCM_ENCODING_INT16: _ClassVar[PcmEncoding]
    PCM_ENCODING_FLOAT32: _ClassVar[PcmEncoding]
AUDIO_FORMAT_UNSPECIFIED: AudioFormat
AUDIO_FORMAT_WAV: AudioFormat
AUDIO_FORMAT_MP3: AudioFormat
AUDIO_FORMAT_FLAC: AudioFormat
AUDIO_FORMAT_OGG: AudioFormat
AUDIO_FORMAT_PCM: AudioFormat
AUDIO_FORMAT_AIFF: AudioFormat
AUDIO_FORMAT_MP4: AudioFormat
AUDIO_FORMAT_MATROSKA: AudioFormat
AUDIO_FORMAT_AAC: AudioFormat
AUDIO_FORMAT_AMR: AudioFormat
AUDIO_FORMAT_CAF: AudioFormat
IMAGE_FORMAT_UNSPECIFIED: ImageFormat
IMAGE_FORMAT_PNG: ImageFormat
IMAGE_FORMAT_JPEG: ImageFormat
IMAGE_FORMAT_WEBP: ImageFormat
IMAGE_FORMAT_SVG: ImageFormat
IMAGE_FORMAT_PDF: ImageFormat
PCM_ENCODING_UNSPECIFIED: PcmEncoding
PCM_ENCODING_INT16: PcmEncoding
PCM_ENCODING_FLOAT32: PcmEncoding

class PcmAudio(_message.Message):
    __slots__ = ("samples", "sample_rate_hz", "channel_count", "encoding")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    samples: bytes
    sample_rate_hz: int
    channel_count: int
    encoding: PcmEncoding
    def __init__(self, samples: _Optional[bytes] = ..., sample_rate_hz: _Optional[int] = ..., channel_count: _Optional[int] = ..., encoding: _Optional[_Union[PcmEncoding, str]] = ...) -> None: ...

class AudioClip(_message.Message):
    __slots__ = ("content", "pcm", "display_name", "start", "end")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    pcm: PcmAudio
    display_name: str
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    def __init__(self, content: _Optional[bytes] = ..., pcm: _Optional[_Union[PcmAudio, _Mapping]] = ..., display_name: _Optional[str] = ..., start: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AudioProperties(_message.Message):
    __slots__ = ("format", "sample_rate_hz", "channel_count", "duration", "sha256", "start")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    format: AudioFormat
    sample_rate_hz: int
    channel_count: int
    duration: _duration_pb2.Duration
    sha256: str
    start: _duration_pb2.Duration
    def __init__(self, format: _Optional[_Union[AudioFormat, str]] = ..., sample_rate_hz: _Optional[int] = ..., channel_count: _Optional[int] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., sha256: _Optional[str] = ..., start: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class EncodedImage(_message.Message):
    __slots__ = ("content", "format", "width_pixels", "height_pixels")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    format: ImageFormat
    width_pixels: int
    height_pixels: int
    def __init__(self, content: _Optional[bytes] = ..., format: _Optional[_Union[ImageFormat, str]] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ...) -> None: ...

class ImageEncoding(_message.Message):
    __slots__ = ("format", "quality")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    format: ImageFormat
    quality: int
    def __init__(self, format: _Optional[_Union[ImageFormat, str]] = ..., quality: _Optional[int] = ...) -> None: ...

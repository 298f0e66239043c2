from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Image(_message.Message):
    __slots__ = ("image_id", "format", "size_bytes", "sha256", "width_pixels", "height_pixels", "create_time", "expire_time", "recipe", "provenance", "audio", "descriptors", "display_name", "processing_time", "reused", "warnings", "pinned")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    REUSED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    format: _media_pb2.ImageFormat
    size_bytes: int
    sha256: str
    width_pixels: int
    height_pixels: int
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    recipe: str
    provenance: _generation_pb2.Provenance
    audio: _media_pb2.AudioProperties
    descriptors: _containers.RepeatedCompositeFieldContainer[_audio_feature_service_pb2.Descriptor]
    display_name: str
    processing_time: _duration_pb2.Duration
    reused: bool
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    pinned: bool
    def __init__(self, image_id: _Optional[str] = ..., format: _Optional[_Union[_media_pb2.ImageFormat, str]] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., recipe: _Optional[str] = ..., provenance: _Optional[_Union[_generation_pb2.Provenance, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., descriptors: _Optional[_Iterable[_Union[_audio_feature_service_pb2.Descriptor, _Mapping]]] = ..., display_name: _Optional[str] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reused: bool = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ..., pinned: bool = ...) -> None: ...

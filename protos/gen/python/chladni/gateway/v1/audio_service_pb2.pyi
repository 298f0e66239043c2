from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RenderSpectrogramRequest(_message.Message):
    __slots__ = ("render",)
    RENDER_FIELD_NUMBER: _ClassVar[int]
    render: _audio_feature_service_pb2.RenderSpectrogramRequest
    def __init__(self, render: _Optional[_Union[_audio_feature_service_pb2.RenderSpectrogramRequest, _Mapping]] = ...) -> None: ...

class RenderSpectrogramResponse(_message.Message):
    __slots__ = ("rendered",)
    RENDERED_FIELD_NUMBER: _ClassVar[int]
    rendered: _audio_feature_service_pb2.RenderSpectrogramResponse
    def __init__(self, rendered: _Optional[_Union[_audio_feature_service_pb2.RenderSpectrogramResponse, _Mapping]] = ...) -> None: ...

class StreamFeaturesRequest(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _audio_feature_service_pb2.StreamFeaturesRequest
    def __init__(self, stream: _Optional[_Union[_audio_feature_service_pb2.StreamFeaturesRequest, _Mapping]] = ...) -> None: ...

class StreamFeaturesResponse(_message.Message):
    __slots__ = ("stream",)
    STREAM_FIELD_NUMBER: _ClassVar[int]
    stream: _audio_feature_service_pb2.StreamFeaturesResponse
    def __init__(self, stream: _Optional[_Union[_audio_feature_service_pb2.StreamFeaturesResponse, _Mapping]] = ...) -> None: ...

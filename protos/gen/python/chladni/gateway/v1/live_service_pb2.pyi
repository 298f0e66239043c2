from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.generation.v1 import moving_pb2 as _moving_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiveImagesConfig(_message.Message):
    __slots__ = ("pcm", "frames")
    PCM_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    pcm: _audio_feature_service_pb2.PcmConfig
    frames: _moving_pb2.FrameOptions
    def __init__(self, pcm: _Optional[_Union[_audio_feature_service_pb2.PcmConfig, _Mapping]] = ..., frames: _Optional[_Union[_moving_pb2.FrameOptions, _Mapping]] = ...) -> None: ...

class StreamImagesRequest(_message.Message):
    __slots__ = ("config", "pcm")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    config: LiveImagesConfig
    pcm: bytes
    def __init__(self, config: _Optional[_Union[LiveImagesConfig, _Mapping]] = ..., pcm: _Optional[bytes] = ...) -> None: ...

class StreamImagesResponse(_message.Message):
    __slots__ = ("ready", "frame", "heartbeat")
    READY_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ready: _moving_pb2.FramesReady
    frame: _moving_pb2.Frame
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, ready: _Optional[_Union[_moving_pb2.FramesReady, _Mapping]] = ..., frame: _Optional[_Union[_moving_pb2.Frame, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

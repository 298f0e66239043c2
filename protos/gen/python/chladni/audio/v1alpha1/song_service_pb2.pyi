from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SongConfig(_message.Message):
    __slots__ = ("max_duration",)
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    max_duration: _duration_pb2.Duration
    def __init__(self, max_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class AnalyzeSongRequest(_message.Message):
    __slots__ = ("config", "content")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    config: SongConfig
    content: bytes
    def __init__(self, config: _Optional[_Union[SongConfig, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class SongProgress(_message.Message):
    __slots__ = ("analyzed",)
    ANALYZED_FIELD_NUMBER: _ClassVar[int]
    analyzed: _duration_pb2.Duration
    def __init__(self, analyzed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SongSection(_message.Message):
    __slots__ = ("start", "end", "kind")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    kind: int
    def __init__(self, start: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., kind: _Optional[int] = ...) -> None: ...

class SongAnalysis(_message.Message):
    __slots__ = ("audio", "segment_duration", "course", "descriptor_interval", "descriptors", "beats", "downbeats", "onsets", "sections", "tempo_by_music")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_DURATION_FIELD_NUMBER: _ClassVar[int]
    COURSE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    BEATS_FIELD_NUMBER: _ClassVar[int]
    DOWNBEATS_FIELD_NUMBER: _ClassVar[int]
    ONSETS_FIELD_NUMBER: _ClassVar[int]
    SECTIONS_FIELD_NUMBER: _ClassVar[int]
    TEMPO_BY_MUSIC_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    segment_duration: _duration_pb2.Duration
    course: _tensor_pb2.Tensor
    descriptor_interval: _duration_pb2.Duration
    descriptors: _tensor_pb2.Tensor
    beats: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    downbeats: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    onsets: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    sections: _containers.RepeatedCompositeFieldContainer[SongSection]
    tempo_by_music: bool
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., segment_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., course: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., descriptor_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., descriptors: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., beats: _Optional[_Iterable[_Union[_duration_pb2.Duration, _Mapping]]] = ..., downbeats: _Optional[_Iterable[_Union[_duration_pb2.Duration, _Mapping]]] = ..., onsets: _Optional[_Iterable[_Union[_duration_pb2.Duration, _Mapping]]] = ..., sections: _Optional[_Iterable[_Union[SongSection, _Mapping]]] = ..., tempo_by_music: bool = ...) -> None: ...

class AnalyzeSongResponse(_message.Message):
    __slots__ = ("heartbeat", "progress", "analysis")
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    heartbeat: _generation_pb2.Heartbeat
    progress: SongProgress
    analysis: SongAnalysis
    def __init__(self, heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ..., progress: _Optional[_Union[SongProgress, _Mapping]] = ..., analysis: _Optional[_Union[SongAnalysis, _Mapping]] = ...) -> None: ...

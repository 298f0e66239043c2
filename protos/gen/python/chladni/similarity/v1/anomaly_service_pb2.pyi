from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnomalyLabel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANOMALY_LABEL_UNSPECIFIED: _ClassVar[AnomalyLabel]
    ANOMALY_LABEL_NORMAL: _ClassVar[AnomalyLabel]
    ANOMALY_LABEL_NEEDS_MAINTENANCE: _ClassVar[AnomalyLabel]
    ANOMALY_LABEL_SEVERE_ANOMALY: _ClassVar[AnomalyLabel]
ANOMALY_LABEL_UNSPECIFIED: AnomalyLabel
ANOMALY_LABEL_NORMAL: AnomalyLabel
ANOMALY_LABEL_NEEDS_MAINTENANCE: AnomalyLabel
ANOMALY_LABEL_SEVERE_ANOMALY: AnomalyLabel

class ScoreAnomalyRequest(_message.Message):
    __slots__ = ("audio", "spectrogram", "normal_set", "with_error_map", "backend", "shaft_speed_hz")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    WITH_ERROR_MAP_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SHAFT_SPEED_HZ_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    spectrogram: _media_pb2.EncodedImage
    normal_set: str
    with_error_map: bool
    backend: str
    shaft_speed_hz: float
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., normal_set: _Optional[str] = ..., with_error_map: bool = ..., backend: _Optional[str] = ..., shaft_speed_hz: _Optional[float] = ...) -> None: ...

class DeviatingAttribute(_message.Message):
    __slots__ = ("name", "z_score", "description", "value", "normal_mean", "normal_deviation", "unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    Z_SCORE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    NORMAL_MEAN_FIELD_NUMBER: _ClassVar[int]
    NORMAL_DEVIATION_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    z_score: float
    description: str
    value: float
    normal_mean: float
    normal_deviation: float
    unit: str
    def __init__(self, name: _Optional[str] = ..., z_score: _Optional[float] = ..., description: _Optional[str] = ..., value: _Optional[float] = ..., normal_mean: _Optional[float] = ..., normal_deviation: _Optional[float] = ..., unit: _Optional[str] = ...) -> None: ...

class ScoreAnomalyResponse(_message.Message):
    __slots__ = ("distance", "score", "percentile", "label", "normal_set", "attributes", "error_map", "backend", "window_count")
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_MAP_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    WINDOW_COUNT_FIELD_NUMBER: _ClassVar[int]
    distance: float
    score: float
    percentile: float
    label: AnomalyLabel
    normal_set: str
    attributes: _containers.RepeatedCompositeFieldContainer[DeviatingAttribute]
    error_map: _media_pb2.EncodedImage
    backend: str
    window_count: int
    def __init__(self, distance: _Optional[float] = ..., score: _Optional[float] = ..., percentile: _Optional[float] = ..., label: _Optional[_Union[AnomalyLabel, str]] = ..., normal_set: _Optional[str] = ..., attributes: _Optional[_Iterable[_Union[DeviatingAttribute, _Mapping]]] = ..., error_map: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., backend: _Optional[str] = ..., window_count: _Optional[int] = ...) -> None: ...

class NormalSet(_message.Message):
    __slots__ = ("name", "description", "clip_count", "window_count", "encoder", "backend", "shaft_speed_hz", "audio_duration", "create_time")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CLIP_COUNT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SHAFT_SPEED_HZ_FIELD_NUMBER: _ClassVar[int]
    AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    clip_count: int
    window_count: int
    encoder: str
    backend: str
    shaft_speed_hz: float
    audio_duration: _duration_pb2.Duration
    create_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., clip_count: _Optional[int] = ..., window_count: _Optional[int] = ..., encoder: _Optional[str] = ..., backend: _Optional[str] = ..., shaft_speed_hz: _Optional[float] = ..., audio_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateNormalSetRequest(_message.Message):
    __slots__ = ("name", "description", "audio", "spectrograms", "encoder", "backend", "shaft_speed_hz", "replace")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SPECTROGRAMS_FIELD_NUMBER: _ClassVar[int]
    ENCODER_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    SHAFT_SPEED_HZ_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    audio: _containers.RepeatedCompositeFieldContainer[_media_pb2.AudioClip]
    spectrograms: _containers.RepeatedCompositeFieldContainer[_media_pb2.EncodedImage]
    encoder: str
    backend: str
    shaft_speed_hz: float
    replace: bool
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., audio: _Optional[_Iterable[_Union[_media_pb2.AudioClip, _Mapping]]] = ..., spectrograms: _Optional[_Iterable[_Union[_media_pb2.EncodedImage, _Mapping]]] = ..., encoder: _Optional[str] = ..., backend: _Optional[str] = ..., shaft_speed_hz: _Optional[float] = ..., replace: bool = ...) -> None: ...

class CreateNormalSetResponse(_message.Message):
    __slots__ = ("normal_set",)
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    normal_set: NormalSet
    def __init__(self, normal_set: _Optional[_Union[NormalSet, _Mapping]] = ...) -> None: ...

class GetNormalSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetNormalSetResponse(_message.Message):
    __slots__ = ("normal_set",)
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    normal_set: NormalSet
    def __init__(self, normal_set: _Optional[_Union[NormalSet, _Mapping]] = ...) -> None: ...

class ListNormalSetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNormalSetsResponse(_message.Message):
    __slots__ = ("normal_sets", "next_page_token")
    NORMAL_SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    normal_sets: _containers.RepeatedCompositeFieldContainer[NormalSet]
    next_page_token: str
    def __init__(self, normal_sets: _Optional[_Iterable[_Union[NormalSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteNormalSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteNormalSetResponse(_message.Message):
    __slots__ = ("deleted",)
    DELETED_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    def __init__(self, deleted: bool = ...) -> None: ...

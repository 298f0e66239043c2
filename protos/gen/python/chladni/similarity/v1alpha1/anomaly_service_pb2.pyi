from chladni.media.v1 import media_pb2 as _media_pb2
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
    __slots__ = ("audio", "spectrogram", "normal_set", "with_error_map")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    WITH_ERROR_MAP_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    spectrogram: _media_pb2.EncodedImage
    normal_set: str
    with_error_map: bool
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., normal_set: _Optional[str] = ..., with_error_map: bool = ...) -> None: ...

class DeviatingAttribute(_message.Message):
    __slots__ = ("name", "z_score", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    Z_SCORE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    z_score: float
    description: str
    def __init__(self, name: _Optional[str] = ..., z_score: _Optional[float] = ..., description: _Optional[str] = ...) -> None: ...

class ScoreAnomalyResponse(_message.Message):
    __slots__ = ("distance", "score", "percentile", "label", "normal_set", "attributes", "error_map")
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_MAP_FIELD_NUMBER: _ClassVar[int]
    distance: float
    score: float
    percentile: float
    label: AnomalyLabel
    normal_set: str
    attributes: _containers.RepeatedCompositeFieldContainer[DeviatingAttribute]
    error_map: _media_pb2.EncodedImage
    def __init__(self, distance: _Optional[float] = ..., score: _Optional[float] = ..., percentile: _Optional[float] = ..., label: _Optional[_Union[AnomalyLabel, str]] = ..., normal_set: _Optional[str] = ..., attributes: _Optional[_Iterable[_Union[DeviatingAttribute, _Mapping]]] = ..., error_map: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class ListNormalSetsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NormalSet(_message.Message):
    __slots__ = ("name", "description", "clip_count")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CLIP_COUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    clip_count: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., clip_count: _Optional[int] = ...) -> None: ...

class ListNormalSetsResponse(_message.Message):
    __slots__ = ("normal_sets",)
    NORMAL_SETS_FIELD_NUMBER: _ClassVar[int]
    normal_sets: _containers.RepeatedCompositeFieldContainer[NormalSet]
    def __init__(self, normal_sets: _Optional[_Iterable[_Union[NormalSet, _Mapping]]] = ...) -> None: ...

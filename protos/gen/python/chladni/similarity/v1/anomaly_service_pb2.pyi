from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

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
    __slots__ = ("audio", "spectrogram", "model")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    spectrogram: _media_pb2.Image
    model: str
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., spectrogram: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class ScoreAnomalyResponse(_message.Message):
    __slots__ = ("distance", "score", "label", "model")
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    distance: float
    score: float
    label: AnomalyLabel
    model: str
    def __init__(self, distance: _Optional[float] = ..., score: _Optional[float] = ..., label: _Optional[_Union[AnomalyLabel, str]] = ..., model: _Optional[str] = ...) -> None: ...

from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class MusicFeatures(_message.Message):
    __slots__ = ("key", "tonality", "tempo_bpm", "time_signature", "mood", "valence", "arousal", "melody_contour", "harmonic_progression", "dynamic_intensity")
    KEY_FIELD_NUMBER: _ClassVar[int]
    TONALITY_FIELD_NUMBER: _ClassVar[int]
    TEMPO_BPM_FIELD_NUMBER: _ClassVar[int]
    TIME_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    MOOD_FIELD_NUMBER: _ClassVar[int]
    VALENCE_FIELD_NUMBER: _ClassVar[int]
    AROUSAL_FIELD_NUMBER: _ClassVar[int]
    MELODY_CONTOUR_FIELD_NUMBER: _ClassVar[int]
    HARMONIC_PROGRESSION_FIELD_NUMBER: _ClassVar[int]
    DYNAMIC_INTENSITY_FIELD_NUMBER: _ClassVar[int]
    key: str
    tonality: str
    tempo_bpm: float
    time_signature: str
    mood: _containers.RepeatedScalarFieldContainer[str]
    valence: float
    arousal: float
    melody_contour: str
    harmonic_progression: str
    dynamic_intensity: str
    def __init__(self, key: _Optional[str] = ..., tonality: _Optional[str] = ..., tempo_bpm: _Optional[float] = ..., time_signature: _Optional[str] = ..., mood: _Optional[_Iterable[str]] = ..., valence: _Optional[float] = ..., arousal: _Optional[float] = ..., melody_contour: _Optional[str] = ..., harmonic_progression: _Optional[str] = ..., dynamic_intensity: _Optional[str] = ...) -> None: ...

from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.music.v1 import music_pb2 as _music_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Tonality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TONALITY_UNSPECIFIED: _ClassVar[Tonality]
    TONALITY_MAJOR: _ClassVar[Tonality]
    TONALITY_MINOR: _ClassVar[Tonality]

class DynamicsCourse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DYNAMICS_COURSE_UNSPECIFIED: _ClassVar[DynamicsCourse]
    DYNAMICS_COURSE_STEADY: _ClassVar[DynamicsCourse]
    DYNAMICS_COURSE_CRESCENDO: _ClassVar[DynamicsCourse]
    DYNAMICS_COURSE_DIMINUENDO: _ClassVar[DynamicsCourse]
    DYNAMICS_COURSE_SWELL: _ClassVar[DynamicsCourse]
    DYNAMICS_COURSE_DIP: _ClassVar[DynamicsCourse]
TONALITY_UNSPECIFIED: Tonality
TONALITY_MAJOR: Tonality
TONALITY_MINOR: Tonality
DYNAMICS_COURSE_UNSPECIFIED: DynamicsCourse
DYNAMICS_COURSE_STEADY: DynamicsCourse
DYNAMICS_COURSE_CRESCENDO: DynamicsCourse
DYNAMICS_COURSE_DIMINUENDO: DynamicsCourse
DYNAMICS_COURSE_SWELL: DynamicsCourse
DYNAMICS_COURSE_DIP: DynamicsCourse

class AnalyzeMusicRequest(_message.Message):
    __slots__ = ("audio",)
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ...) -> None: ...

class TempoCandidate(_message.Message):
    __slots__ = ("beats_per_minute", "confidence")
    BEATS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    beats_per_minute: float
    confidence: float
    def __init__(self, beats_per_minute: _Optional[float] = ..., confidence: _Optional[float] = ...) -> None: ...

class KeyCandidate(_message.Message):
    __slots__ = ("key", "confidence", "tonality", "tonic")
    KEY_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    TONALITY_FIELD_NUMBER: _ClassVar[int]
    TONIC_FIELD_NUMBER: _ClassVar[int]
    key: str
    confidence: float
    tonality: Tonality
    tonic: int
    def __init__(self, key: _Optional[str] = ..., confidence: _Optional[float] = ..., tonality: _Optional[_Union[Tonality, str]] = ..., tonic: _Optional[int] = ...) -> None: ...

class Beats(_message.Message):
    __slots__ = ("times", "downbeats", "confidence", "downbeat_confidence")
    TIMES_FIELD_NUMBER: _ClassVar[int]
    DOWNBEATS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    DOWNBEAT_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    times: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    downbeats: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    confidence: float
    downbeat_confidence: float
    def __init__(self, times: _Optional[_Iterable[_Union[_duration_pb2.Duration, _Mapping]]] = ..., downbeats: _Optional[_Iterable[_Union[_duration_pb2.Duration, _Mapping]]] = ..., confidence: _Optional[float] = ..., downbeat_confidence: _Optional[float] = ...) -> None: ...

class Meter(_message.Message):
    __slots__ = ("signature", "confidence")
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    signature: str
    confidence: float
    def __init__(self, signature: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class Chord(_message.Message):
    __slots__ = ("start", "end", "symbol", "roman_numeral", "confidence")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ROMAN_NUMERAL_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    symbol: str
    roman_numeral: str
    confidence: float
    def __init__(self, start: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., symbol: _Optional[str] = ..., roman_numeral: _Optional[str] = ..., confidence: _Optional[float] = ...) -> None: ...

class ContourPoint(_message.Message):
    __slots__ = ("time", "cents", "confidence")
    TIME_FIELD_NUMBER: _ClassVar[int]
    CENTS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    time: _duration_pb2.Duration
    cents: float
    confidence: float
    def __init__(self, time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., cents: _Optional[float] = ..., confidence: _Optional[float] = ...) -> None: ...

class MelodyContour(_message.Message):
    __slots__ = ("points", "confidence", "single_voice")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SINGLE_VOICE_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[ContourPoint]
    confidence: float
    single_voice: bool
    def __init__(self, points: _Optional[_Iterable[_Union[ContourPoint, _Mapping]]] = ..., confidence: _Optional[float] = ..., single_voice: bool = ...) -> None: ...

class DynamicsPoint(_message.Message):
    __slots__ = ("time", "level_dbfs")
    TIME_FIELD_NUMBER: _ClassVar[int]
    LEVEL_DBFS_FIELD_NUMBER: _ClassVar[int]
    time: _duration_pb2.Duration
    level_dbfs: float
    def __init__(self, time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., level_dbfs: _Optional[float] = ...) -> None: ...

class Dynamics(_message.Message):
    __slots__ = ("points", "course", "confidence", "marking", "range_db")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    COURSE_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    MARKING_FIELD_NUMBER: _ClassVar[int]
    RANGE_DB_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[DynamicsPoint]
    course: DynamicsCourse
    confidence: float
    marking: str
    range_db: float
    def __init__(self, points: _Optional[_Iterable[_Union[DynamicsPoint, _Mapping]]] = ..., course: _Optional[_Union[DynamicsCourse, str]] = ..., confidence: _Optional[float] = ..., marking: _Optional[str] = ..., range_db: _Optional[float] = ...) -> None: ...

class Mood(_message.Message):
    __slots__ = ("valence", "arousal", "words", "confidence")
    VALENCE_FIELD_NUMBER: _ClassVar[int]
    AROUSAL_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    valence: float
    arousal: float
    words: _containers.RepeatedScalarFieldContainer[str]
    confidence: float
    def __init__(self, valence: _Optional[float] = ..., arousal: _Optional[float] = ..., words: _Optional[_Iterable[str]] = ..., confidence: _Optional[float] = ...) -> None: ...

class AnalyzeMusicResponse(_message.Message):
    __slots__ = ("audio", "keys", "tempos", "meter", "beats", "mood", "contour", "chords", "dynamics", "abc_notation", "warnings", "processing_time", "features")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    TEMPOS_FIELD_NUMBER: _ClassVar[int]
    METER_FIELD_NUMBER: _ClassVar[int]
    BEATS_FIELD_NUMBER: _ClassVar[int]
    MOOD_FIELD_NUMBER: _ClassVar[int]
    CONTOUR_FIELD_NUMBER: _ClassVar[int]
    CHORDS_FIELD_NUMBER: _ClassVar[int]
    DYNAMICS_FIELD_NUMBER: _ClassVar[int]
    ABC_NOTATION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    keys: _containers.RepeatedCompositeFieldContainer[KeyCandidate]
    tempos: _containers.RepeatedCompositeFieldContainer[TempoCandidate]
    meter: Meter
    beats: Beats
    mood: Mood
    contour: MelodyContour
    chords: _containers.RepeatedCompositeFieldContainer[Chord]
    dynamics: Dynamics
    abc_notation: str
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    processing_time: _duration_pb2.Duration
    features: _music_pb2.MusicFeatures
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., keys: _Optional[_Iterable[_Union[KeyCandidate, _Mapping]]] = ..., tempos: _Optional[_Iterable[_Union[TempoCandidate, _Mapping]]] = ..., meter: _Optional[_Union[Meter, _Mapping]] = ..., beats: _Optional[_Union[Beats, _Mapping]] = ..., mood: _Optional[_Union[Mood, _Mapping]] = ..., contour: _Optional[_Union[MelodyContour, _Mapping]] = ..., chords: _Optional[_Iterable[_Union[Chord, _Mapping]]] = ..., dynamics: _Optional[_Union[Dynamics, _Mapping]] = ..., abc_notation: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., features: _Optional[_Union[_music_pb2.MusicFeatures, _Mapping]] = ...) -> None: ...

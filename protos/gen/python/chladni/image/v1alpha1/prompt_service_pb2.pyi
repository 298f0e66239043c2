from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PromptStyle(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROMPT_STYLE_UNSPECIFIED: _ClassVar[PromptStyle]
    PROMPT_STYLE_CONVERGENT: _ClassVar[PromptStyle]
    PROMPT_STYLE_DIVERGENT: _ClassVar[PromptStyle]
PROMPT_STYLE_UNSPECIFIED: PromptStyle
PROMPT_STYLE_CONVERGENT: PromptStyle
PROMPT_STYLE_DIVERGENT: PromptStyle

class WritePromptsRequest(_message.Message):
    __slots__ = ("features", "audio", "style", "prompt_count", "temperature", "seed", "model", "describe_time_course")
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    DESCRIBE_TIME_COURSE_FIELD_NUMBER: _ClassVar[int]
    features: _struct_pb2.Struct
    audio: _media_pb2.AudioClip
    style: PromptStyle
    prompt_count: int
    temperature: float
    seed: int
    model: str
    describe_time_course: bool
    def __init__(self, features: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., style: _Optional[_Union[PromptStyle, str]] = ..., prompt_count: _Optional[int] = ..., temperature: _Optional[float] = ..., seed: _Optional[int] = ..., model: _Optional[str] = ..., describe_time_course: bool = ...) -> None: ...

class WritePromptsResponse(_message.Message):
    __slots__ = ("prompts", "model", "seed")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedScalarFieldContainer[str]
    model: str
    seed: int
    def __init__(self, prompts: _Optional[_Iterable[str]] = ..., model: _Optional[str] = ..., seed: _Optional[int] = ...) -> None: ...

class ScorePromptsRequest(_message.Message):
    __slots__ = ("prompts", "features")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedScalarFieldContainer[str]
    features: _struct_pb2.Struct
    def __init__(self, prompts: _Optional[_Iterable[str]] = ..., features: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class PromptScore(_message.Message):
    __slots__ = ("originality", "elaboration", "alignment", "coherence")
    ORIGINALITY_FIELD_NUMBER: _ClassVar[int]
    ELABORATION_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_FIELD_NUMBER: _ClassVar[int]
    COHERENCE_FIELD_NUMBER: _ClassVar[int]
    originality: float
    elaboration: float
    alignment: float
    coherence: float
    def __init__(self, originality: _Optional[float] = ..., elaboration: _Optional[float] = ..., alignment: _Optional[float] = ..., coherence: _Optional[float] = ...) -> None: ...

class ScorePromptsResponse(_message.Message):
    __slots__ = ("scores",)
    SCORES_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[PromptScore]
    def __init__(self, scores: _Optional[_Iterable[_Union[PromptScore, _Mapping]]] = ...) -> None: ...

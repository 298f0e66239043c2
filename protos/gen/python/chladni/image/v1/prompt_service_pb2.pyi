from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.music.v1 import music_pb2 as _music_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
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
    __slots__ = ("features", "audio", "convergent_count", "divergent_count", "convergent_temperature", "divergent_temperature", "seed", "writer", "time_course", "with_time_course")
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    CONVERGENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIVERGENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONVERGENT_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    DIVERGENT_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    TIME_COURSE_FIELD_NUMBER: _ClassVar[int]
    WITH_TIME_COURSE_FIELD_NUMBER: _ClassVar[int]
    features: _music_pb2.MusicFeatures
    audio: _media_pb2.AudioClip
    convergent_count: int
    divergent_count: int
    convergent_temperature: float
    divergent_temperature: float
    seed: int
    writer: str
    time_course: str
    with_time_course: bool
    def __init__(self, features: _Optional[_Union[_music_pb2.MusicFeatures, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., convergent_count: _Optional[int] = ..., divergent_count: _Optional[int] = ..., convergent_temperature: _Optional[float] = ..., divergent_temperature: _Optional[float] = ..., seed: _Optional[int] = ..., writer: _Optional[str] = ..., time_course: _Optional[str] = ..., with_time_course: bool = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("text", "style", "temperature")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    text: str
    style: PromptStyle
    temperature: float
    def __init__(self, text: _Optional[str] = ..., style: _Optional[_Union[PromptStyle, str]] = ..., temperature: _Optional[float] = ...) -> None: ...

class WritePromptsResponse(_message.Message):
    __slots__ = ("prompts", "writer", "model", "seed", "processing_time", "features", "time_course")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    TIME_COURSE_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    writer: str
    model: str
    seed: int
    processing_time: _duration_pb2.Duration
    features: _music_pb2.MusicFeatures
    time_course: str
    def __init__(self, prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., writer: _Optional[str] = ..., model: _Optional[str] = ..., seed: _Optional[int] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., features: _Optional[_Union[_music_pb2.MusicFeatures, _Mapping]] = ..., time_course: _Optional[str] = ...) -> None: ...

class ScorePromptsRequest(_message.Message):
    __slots__ = ("prompts", "features", "reference_prompts")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_PROMPTS_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedScalarFieldContainer[str]
    features: _music_pb2.MusicFeatures
    reference_prompts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, prompts: _Optional[_Iterable[str]] = ..., features: _Optional[_Union[_music_pb2.MusicFeatures, _Mapping]] = ..., reference_prompts: _Optional[_Iterable[str]] = ...) -> None: ...

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
    __slots__ = ("scores", "vendi_score", "similarity")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    VENDI_SCORE_FIELD_NUMBER: _ClassVar[int]
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    scores: _containers.RepeatedCompositeFieldContainer[PromptScore]
    vendi_score: float
    similarity: str
    def __init__(self, scores: _Optional[_Iterable[_Union[PromptScore, _Mapping]]] = ..., vendi_score: _Optional[float] = ..., similarity: _Optional[str] = ...) -> None: ...

class EmbedPromptsRequest(_message.Message):
    __slots__ = ("prompts", "audio_embedding", "weight")
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    prompts: _containers.RepeatedScalarFieldContainer[str]
    audio_embedding: _tensor_pb2.Embedding
    weight: float
    def __init__(self, prompts: _Optional[_Iterable[str]] = ..., audio_embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., weight: _Optional[float] = ...) -> None: ...

class EmbedPromptsResponse(_message.Message):
    __slots__ = ("embeddings", "word_map", "weight")
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    WORD_MAP_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    embeddings: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Embedding]
    word_map: str
    weight: float
    def __init__(self, embeddings: _Optional[_Iterable[_Union[_tensor_pb2.Embedding, _Mapping]]] = ..., word_map: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.generation.v1 import moving_pb2 as _moving_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.model.v1 import model_pb2 as _model_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Conditioning(_message.Message):
    __slots__ = ("audio_embedding", "prompt", "negative_prompt", "initial_latents", "initial_image", "strength", "initial_latents_weight", "course_window")
    AUDIO_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    COURSE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    audio_embedding: _tensor_pb2.Embedding
    prompt: str
    negative_prompt: str
    initial_latents: _tensor_pb2.Tensor
    initial_image: _media_pb2.EncodedImage
    strength: float
    initial_latents_weight: float
    course_window: CourseWindow
    def __init__(self, audio_embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., initial_latents: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., initial_image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., strength: _Optional[float] = ..., initial_latents_weight: _Optional[float] = ..., course_window: _Optional[_Union[CourseWindow, _Mapping]] = ...) -> None: ...

class CourseWindow(_message.Message):
    __slots__ = ("centers", "numbers", "course", "means", "growth", "drift", "level", "flash")
    CENTERS_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    COURSE_FIELD_NUMBER: _ClassVar[int]
    MEANS_FIELD_NUMBER: _ClassVar[int]
    GROWTH_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    FLASH_FIELD_NUMBER: _ClassVar[int]
    centers: _tensor_pb2.Tensor
    numbers: _tensor_pb2.Tensor
    course: _tensor_pb2.Tensor
    means: _tensor_pb2.Tensor
    growth: _tensor_pb2.Tensor
    drift: float
    level: float
    flash: float
    def __init__(self, centers: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., numbers: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., course: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., means: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., growth: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., drift: _Optional[float] = ..., level: _Optional[float] = ..., flash: _Optional[float] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("recipe", "audio_sha256", "part", "earlier", "fallback", "options", "audio_start_seconds", "audio_end_seconds")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SHA256_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_START_SECONDS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_END_SECONDS_FIELD_NUMBER: _ClassVar[int]
    recipe: str
    audio_sha256: str
    part: str
    earlier: _containers.RepeatedCompositeFieldContainer[_generation_pb2.Provenance]
    fallback: str
    options: _containers.ScalarMap[str, str]
    audio_start_seconds: float
    audio_end_seconds: float
    def __init__(self, recipe: _Optional[str] = ..., audio_sha256: _Optional[str] = ..., part: _Optional[str] = ..., earlier: _Optional[_Iterable[_Union[_generation_pb2.Provenance, _Mapping]]] = ..., fallback: _Optional[str] = ..., options: _Optional[_Mapping[str, str]] = ..., audio_start_seconds: _Optional[float] = ..., audio_end_seconds: _Optional[float] = ...) -> None: ...

class GenerateImageRequest(_message.Message):
    __slots__ = ("conditioning", "options", "origin")
    CONDITIONING_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    conditioning: Conditioning
    options: _generation_pb2.GenerationOptions
    origin: Origin
    def __init__(self, conditioning: _Optional[_Union[Conditioning, _Mapping]] = ..., options: _Optional[_Union[_generation_pb2.GenerationOptions, _Mapping]] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ...) -> None: ...

class GenerationCompleted(_message.Message):
    __slots__ = ("image", "provenance", "queue_time", "processing_time", "reused", "warnings")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    REUSED_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.EncodedImage
    provenance: _generation_pb2.Provenance
    queue_time: _duration_pb2.Duration
    processing_time: _duration_pb2.Duration
    reused: bool
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    def __init__(self, image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., provenance: _Optional[_Union[_generation_pb2.Provenance, _Mapping]] = ..., queue_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., reused: bool = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ...) -> None: ...

class GenerateImageResponse(_message.Message):
    __slots__ = ("queued", "started", "progress", "completed", "heartbeat")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    queued: _generation_pb2.GenerationQueued
    started: _generation_pb2.GenerationStarted
    progress: _generation_pb2.GenerationProgress
    completed: GenerationCompleted
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, queued: _Optional[_Union[_generation_pb2.GenerationQueued, _Mapping]] = ..., started: _Optional[_Union[_generation_pb2.GenerationStarted, _Mapping]] = ..., progress: _Optional[_Union[_generation_pb2.GenerationProgress, _Mapping]] = ..., completed: _Optional[_Union[GenerationCompleted, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class MovingConfig(_message.Message):
    __slots__ = ("frames", "segment_duration")
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_DURATION_FIELD_NUMBER: _ClassVar[int]
    frames: _moving_pb2.FrameOptions
    segment_duration: _duration_pb2.Duration
    def __init__(self, frames: _Optional[_Union[_moving_pb2.FrameOptions, _Mapping]] = ..., segment_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StreamImagesRequest(_message.Message):
    __slots__ = ("config", "segment")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    config: MovingConfig
    segment: _moving_pb2.CourseSegment
    def __init__(self, config: _Optional[_Union[MovingConfig, _Mapping]] = ..., segment: _Optional[_Union[_moving_pb2.CourseSegment, _Mapping]] = ...) -> None: ...

class StreamImagesResponse(_message.Message):
    __slots__ = ("ready", "frame", "heartbeat")
    READY_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    ready: _moving_pb2.FramesReady
    frame: _moving_pb2.Frame
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, ready: _Optional[_Union[_moving_pb2.FramesReady, _Mapping]] = ..., frame: _Optional[_Union[_moving_pb2.Frame, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models", "default_model")
    MODELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_MODEL_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.ModelInfo]
    default_model: str
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.ModelInfo, _Mapping]]] = ..., default_model: _Optional[str] = ...) -> None: ...

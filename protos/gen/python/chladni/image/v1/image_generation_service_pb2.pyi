from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.model.v1 import model_pb2 as _model_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Priority(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRIORITY_UNSPECIFIED: _ClassVar[Priority]
    PRIORITY_INTERACTIVE: _ClassVar[Priority]
    PRIORITY_BATCH: _ClassVar[Priority]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_BATCH: Priority

class Conditioning(_message.Message):
    __slots__ = ("audio_embedding", "prompt", "negative_prompt", "initial_latents", "initial_image", "strength", "initial_latents_weight")
    AUDIO_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_FIELD_NUMBER: _ClassVar[int]
    INITIAL_IMAGE_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    audio_embedding: _tensor_pb2.Embedding
    prompt: str
    negative_prompt: str
    initial_latents: _tensor_pb2.Tensor
    initial_image: _media_pb2.Image
    strength: float
    initial_latents_weight: float
    def __init__(self, audio_embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., initial_latents: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., initial_image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., strength: _Optional[float] = ..., initial_latents_weight: _Optional[float] = ...) -> None: ...

class PreviewOptions(_message.Message):
    __slots__ = ("interval_steps", "size_pixels")
    INTERVAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SIZE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    interval_steps: int
    size_pixels: int
    def __init__(self, interval_steps: _Optional[int] = ..., size_pixels: _Optional[int] = ...) -> None: ...

class Origin(_message.Message):
    __slots__ = ("recipe", "audio_sha256", "stage", "earlier", "fallback", "options")
    class OptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SHA256_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    recipe: str
    audio_sha256: str
    stage: str
    earlier: _containers.RepeatedCompositeFieldContainer[Provenance]
    fallback: str
    options: _containers.ScalarMap[str, str]
    def __init__(self, recipe: _Optional[str] = ..., audio_sha256: _Optional[str] = ..., stage: _Optional[str] = ..., earlier: _Optional[_Iterable[_Union[Provenance, _Mapping]]] = ..., fallback: _Optional[str] = ..., options: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GenerateImageRequest(_message.Message):
    __slots__ = ("model", "conditioning", "seed", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels", "previews", "origin", "priority", "exact", "bypass_cache", "upscale", "refiner_start")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CONDITIONING_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    BYPASS_CACHE_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FIELD_NUMBER: _ClassVar[int]
    REFINER_START_FIELD_NUMBER: _ClassVar[int]
    model: str
    conditioning: Conditioning
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    previews: PreviewOptions
    origin: Origin
    priority: Priority
    exact: bool
    bypass_cache: bool
    upscale: int
    refiner_start: float
    def __init__(self, model: _Optional[str] = ..., conditioning: _Optional[_Union[Conditioning, _Mapping]] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., scheduler: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., previews: _Optional[_Union[PreviewOptions, _Mapping]] = ..., origin: _Optional[_Union[Origin, _Mapping]] = ..., priority: _Optional[_Union[Priority, str]] = ..., exact: bool = ..., bypass_cache: bool = ..., upscale: _Optional[int] = ..., refiner_start: _Optional[float] = ...) -> None: ...

class GenerationQueued(_message.Message):
    __slots__ = ("position",)
    POSITION_FIELD_NUMBER: _ClassVar[int]
    position: int
    def __init__(self, position: _Optional[int] = ...) -> None: ...

class GenerationStarted(_message.Message):
    __slots__ = ("seed", "total_steps", "model", "guidance_scale")
    SEED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    seed: int
    total_steps: int
    model: str
    guidance_scale: float
    def __init__(self, seed: _Optional[int] = ..., total_steps: _Optional[int] = ..., model: _Optional[str] = ..., guidance_scale: _Optional[float] = ...) -> None: ...

class GenerationProgress(_message.Message):
    __slots__ = ("step", "total_steps", "preview", "elapsed", "remaining")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    step: int
    total_steps: int
    preview: _media_pb2.Image
    elapsed: _duration_pb2.Duration
    remaining: _duration_pb2.Duration
    def __init__(self, step: _Optional[int] = ..., total_steps: _Optional[int] = ..., preview: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., remaining: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class GenerationCompleted(_message.Message):
    __slots__ = ("image", "provenance", "queue_time", "processing_time", "is_reused")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_TIME_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_REUSED_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.Image
    provenance: Provenance
    queue_time: _duration_pb2.Duration
    processing_time: _duration_pb2.Duration
    is_reused: bool
    def __init__(self, image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., queue_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., is_reused: bool = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("model", "model_digest", "recipe", "seed", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels", "audio_sha256", "conditioning_sha256", "dtype", "device", "batch_size", "thread_count", "library_versions", "exact", "device_capability", "decode_batch_size", "stage", "earlier", "fallback", "prompt", "negative_prompt", "strength", "initial_latents_weight", "upscale", "refiner_start", "recipe_options")
    class LibraryVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class RecipeOptionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_SHA256_FIELD_NUMBER: _ClassVar[int]
    CONDITIONING_SHA256_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    THREAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    LIBRARY_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CAPABILITY_FIELD_NUMBER: _ClassVar[int]
    DECODE_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FIELD_NUMBER: _ClassVar[int]
    REFINER_START_FIELD_NUMBER: _ClassVar[int]
    RECIPE_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    model: str
    model_digest: str
    recipe: str
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    audio_sha256: str
    conditioning_sha256: str
    dtype: str
    device: str
    batch_size: int
    thread_count: int
    library_versions: _containers.ScalarMap[str, str]
    exact: bool
    device_capability: str
    decode_batch_size: int
    stage: str
    earlier: _containers.RepeatedCompositeFieldContainer[Provenance]
    fallback: str
    prompt: str
    negative_prompt: str
    strength: float
    initial_latents_weight: float
    upscale: int
    refiner_start: float
    recipe_options: _containers.ScalarMap[str, str]
    def __init__(self, model: _Optional[str] = ..., model_digest: _Optional[str] = ..., recipe: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., scheduler: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., audio_sha256: _Optional[str] = ..., conditioning_sha256: _Optional[str] = ..., dtype: _Optional[str] = ..., device: _Optional[str] = ..., batch_size: _Optional[int] = ..., thread_count: _Optional[int] = ..., library_versions: _Optional[_Mapping[str, str]] = ..., exact: bool = ..., device_capability: _Optional[str] = ..., decode_batch_size: _Optional[int] = ..., stage: _Optional[str] = ..., earlier: _Optional[_Iterable[_Union[Provenance, _Mapping]]] = ..., fallback: _Optional[str] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., strength: _Optional[float] = ..., initial_latents_weight: _Optional[float] = ..., upscale: _Optional[int] = ..., refiner_start: _Optional[float] = ..., recipe_options: _Optional[_Mapping[str, str]] = ...) -> None: ...

class GenerateImageResponse(_message.Message):
    __slots__ = ("queued", "started", "progress", "completed")
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    queued: GenerationQueued
    started: GenerationStarted
    progress: GenerationProgress
    completed: GenerationCompleted
    def __init__(self, queued: _Optional[_Union[GenerationQueued, _Mapping]] = ..., started: _Optional[_Union[GenerationStarted, _Mapping]] = ..., progress: _Optional[_Union[GenerationProgress, _Mapping]] = ..., completed: _Optional[_Union[GenerationCompleted, _Mapping]] = ...) -> None: ...

class GetModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_model_pb2.ModelInfo]
    def __init__(self, models: _Optional[_Iterable[_Union[_model_pb2.ModelInfo, _Mapping]]] = ...) -> None: ...

from chladni.media.v1 import media_pb2 as _media_pb2
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

class NoiseMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOISE_MODE_UNSPECIFIED: _ClassVar[NoiseMode]
    NOISE_MODE_MEL: _ClassVar[NoiseMode]
    NOISE_MODE_BLEND: _ClassVar[NoiseMode]
    NOISE_MODE_DCT: _ClassVar[NoiseMode]
PRIORITY_UNSPECIFIED: Priority
PRIORITY_INTERACTIVE: Priority
PRIORITY_BATCH: Priority
NOISE_MODE_UNSPECIFIED: NoiseMode
NOISE_MODE_MEL: NoiseMode
NOISE_MODE_BLEND: NoiseMode
NOISE_MODE_DCT: NoiseMode

class GenerationOptions(_message.Message):
    __slots__ = ("model", "seed", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels", "upscale", "refiner_start", "priority", "reproducible", "bypass_cache", "previews", "encoding", "look")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FIELD_NUMBER: _ClassVar[int]
    REFINER_START_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    REPRODUCIBLE_FIELD_NUMBER: _ClassVar[int]
    BYPASS_CACHE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    model: str
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str
    width_pixels: int
    height_pixels: int
    upscale: int
    refiner_start: float
    priority: Priority
    reproducible: bool
    bypass_cache: bool
    previews: PreviewOptions
    encoding: _media_pb2.ImageEncoding
    look: str
    def __init__(self, model: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., scheduler: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., upscale: _Optional[int] = ..., refiner_start: _Optional[float] = ..., priority: _Optional[_Union[Priority, str]] = ..., reproducible: bool = ..., bypass_cache: bool = ..., previews: _Optional[_Union[PreviewOptions, _Mapping]] = ..., encoding: _Optional[_Union[_media_pb2.ImageEncoding, _Mapping]] = ..., look: _Optional[str] = ...) -> None: ...

class PreviewOptions(_message.Message):
    __slots__ = ("interval_steps", "size_pixels")
    INTERVAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    SIZE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    interval_steps: int
    size_pixels: int
    def __init__(self, interval_steps: _Optional[int] = ..., size_pixels: _Optional[int] = ...) -> None: ...

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
    preview: _media_pb2.EncodedImage
    elapsed: _duration_pb2.Duration
    remaining: _duration_pb2.Duration
    def __init__(self, step: _Optional[int] = ..., total_steps: _Optional[int] = ..., preview: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., remaining: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("model", "model_digest", "recipe", "seed", "steps", "guidance_scale", "scheduler", "width_pixels", "height_pixels", "audio_sha256", "conditioning_sha256", "dtype", "device", "batch_size", "thread_count", "library_versions", "reproducible", "device_capability", "decode_batch_size", "part", "earlier", "fallback", "prompt", "negative_prompt", "strength", "initial_latents_weight", "upscale", "refiner_start", "recipe_options", "audio_start_seconds", "audio_end_seconds", "look")
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
    REPRODUCIBLE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_CAPABILITY_FIELD_NUMBER: _ClassVar[int]
    DECODE_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    EARLIER_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FIELD_NUMBER: _ClassVar[int]
    REFINER_START_FIELD_NUMBER: _ClassVar[int]
    RECIPE_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_START_SECONDS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_END_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
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
    reproducible: bool
    device_capability: str
    decode_batch_size: int
    part: str
    earlier: _containers.RepeatedCompositeFieldContainer[Provenance]
    fallback: str
    prompt: str
    negative_prompt: str
    strength: float
    initial_latents_weight: float
    upscale: int
    refiner_start: float
    recipe_options: _containers.ScalarMap[str, str]
    audio_start_seconds: float
    audio_end_seconds: float
    look: str
    def __init__(self, model: _Optional[str] = ..., model_digest: _Optional[str] = ..., recipe: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., scheduler: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., audio_sha256: _Optional[str] = ..., conditioning_sha256: _Optional[str] = ..., dtype: _Optional[str] = ..., device: _Optional[str] = ..., batch_size: _Optional[int] = ..., thread_count: _Optional[int] = ..., library_versions: _Optional[_Mapping[str, str]] = ..., reproducible: bool = ..., device_capability: _Optional[str] = ..., decode_batch_size: _Optional[int] = ..., part: _Optional[str] = ..., earlier: _Optional[_Iterable[_Union[Provenance, _Mapping]]] = ..., fallback: _Optional[str] = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., strength: _Optional[float] = ..., initial_latents_weight: _Optional[float] = ..., upscale: _Optional[int] = ..., refiner_start: _Optional[float] = ..., recipe_options: _Optional[_Mapping[str, str]] = ..., audio_start_seconds: _Optional[float] = ..., audio_end_seconds: _Optional[float] = ..., look: _Optional[str] = ...) -> None: ...

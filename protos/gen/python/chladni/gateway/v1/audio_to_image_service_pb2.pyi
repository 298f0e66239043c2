from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from chladni.image.v1 import image_generation_service_pb2 as _image_generation_service_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_VALIDATION: _ClassVar[Stage]
    STAGE_AUDIO_FEATURES: _ClassVar[Stage]
    STAGE_IMAGE_GENERATION: _ClassVar[Stage]
    STAGE_STORAGE: _ClassVar[Stage]
    STAGE_SIMILARITY: _ClassVar[Stage]

class NoiseMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOISE_MODE_UNSPECIFIED: _ClassVar[NoiseMode]
    NOISE_MODE_RAW: _ClassVar[NoiseMode]
    NOISE_MODE_BLEND: _ClassVar[NoiseMode]
    NOISE_MODE_DCT: _ClassVar[NoiseMode]
STAGE_UNSPECIFIED: Stage
STAGE_VALIDATION: Stage
STAGE_AUDIO_FEATURES: Stage
STAGE_IMAGE_GENERATION: Stage
STAGE_STORAGE: Stage
STAGE_SIMILARITY: Stage
NOISE_MODE_UNSPECIFIED: NoiseMode
NOISE_MODE_RAW: NoiseMode
NOISE_MODE_BLEND: NoiseMode
NOISE_MODE_DCT: NoiseMode

class CreateImageRequest(_message.Message):
    __slots__ = ("audio", "recipe", "seed", "steps", "guidance_scale", "previews", "scheduler", "width_pixels", "height_pixels", "priority", "exact", "bypass_cache", "prompt", "negative_prompt", "strength", "model", "noise_mode", "noise_weight", "upscale", "refiner_start")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    RECIPE_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    PREVIEWS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULER_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    EXACT_FIELD_NUMBER: _ClassVar[int]
    BYPASS_CACHE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    NEGATIVE_PROMPT_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    NOISE_MODE_FIELD_NUMBER: _ClassVar[int]
    NOISE_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FIELD_NUMBER: _ClassVar[int]
    REFINER_START_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    recipe: str
    seed: int
    steps: int
    guidance_scale: float
    previews: _image_generation_service_pb2.PreviewOptions
    scheduler: str
    width_pixels: int
    height_pixels: int
    priority: _image_generation_service_pb2.Priority
    exact: bool
    bypass_cache: bool
    prompt: str
    negative_prompt: str
    strength: float
    model: str
    noise_mode: NoiseMode
    noise_weight: float
    upscale: int
    refiner_start: float
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., recipe: _Optional[str] = ..., seed: _Optional[int] = ..., steps: _Optional[int] = ..., guidance_scale: _Optional[float] = ..., previews: _Optional[_Union[_image_generation_service_pb2.PreviewOptions, _Mapping]] = ..., scheduler: _Optional[str] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., priority: _Optional[_Union[_image_generation_service_pb2.Priority, str]] = ..., exact: bool = ..., bypass_cache: bool = ..., prompt: _Optional[str] = ..., negative_prompt: _Optional[str] = ..., strength: _Optional[float] = ..., model: _Optional[str] = ..., noise_mode: _Optional[_Union[NoiseMode, str]] = ..., noise_weight: _Optional[float] = ..., upscale: _Optional[int] = ..., refiner_start: _Optional[float] = ...) -> None: ...

class AudioAnalyzed(_message.Message):
    __slots__ = ("audio", "descriptors")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    descriptors: _containers.RepeatedCompositeFieldContainer[_audio_feature_service_pb2.Descriptor]
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., descriptors: _Optional[_Iterable[_Union[_audio_feature_service_pb2.Descriptor, _Mapping]]] = ...) -> None: ...

class ImageDrafted(_message.Message):
    __slots__ = ("image", "provenance")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.Image
    provenance: _image_generation_service_pb2.Provenance
    def __init__(self, image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., provenance: _Optional[_Union[_image_generation_service_pb2.Provenance, _Mapping]] = ...) -> None: ...

class RecipeFellBack(_message.Message):
    __slots__ = ("reason", "way")
    REASON_FIELD_NUMBER: _ClassVar[int]
    WAY_FIELD_NUMBER: _ClassVar[int]
    reason: str
    way: str
    def __init__(self, reason: _Optional[str] = ..., way: _Optional[str] = ...) -> None: ...

class ImageCreated(_message.Message):
    __slots__ = ("image_id", "image", "provenance", "processing_time", "expire_time", "is_reused")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_REUSED_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    image: _media_pb2.Image
    provenance: _image_generation_service_pb2.Provenance
    processing_time: _duration_pb2.Duration
    expire_time: _timestamp_pb2.Timestamp
    is_reused: bool
    def __init__(self, image_id: _Optional[str] = ..., image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., provenance: _Optional[_Union[_image_generation_service_pb2.Provenance, _Mapping]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., is_reused: bool = ...) -> None: ...

class CreateImageResponse(_message.Message):
    __slots__ = ("stage", "analyzed", "queued", "started", "progress", "created", "drafted", "fell_back", "recipe_stage")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ANALYZED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    DRAFTED_FIELD_NUMBER: _ClassVar[int]
    FELL_BACK_FIELD_NUMBER: _ClassVar[int]
    RECIPE_STAGE_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    analyzed: AudioAnalyzed
    queued: _image_generation_service_pb2.GenerationQueued
    started: _image_generation_service_pb2.GenerationStarted
    progress: _image_generation_service_pb2.GenerationProgress
    created: ImageCreated
    drafted: ImageDrafted
    fell_back: RecipeFellBack
    recipe_stage: str
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., analyzed: _Optional[_Union[AudioAnalyzed, _Mapping]] = ..., queued: _Optional[_Union[_image_generation_service_pb2.GenerationQueued, _Mapping]] = ..., started: _Optional[_Union[_image_generation_service_pb2.GenerationStarted, _Mapping]] = ..., progress: _Optional[_Union[_image_generation_service_pb2.GenerationProgress, _Mapping]] = ..., created: _Optional[_Union[ImageCreated, _Mapping]] = ..., drafted: _Optional[_Union[ImageDrafted, _Mapping]] = ..., fell_back: _Optional[_Union[RecipeFellBack, _Mapping]] = ..., recipe_stage: _Optional[str] = ...) -> None: ...

class ImageReference(_message.Message):
    __slots__ = ("image_id", "image")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    image: _media_pb2.Image
    def __init__(self, image_id: _Optional[str] = ..., image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ...) -> None: ...

class CompareImagesRequest(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: ImageReference
    second: ImageReference
    def __init__(self, first: _Optional[_Union[ImageReference, _Mapping]] = ..., second: _Optional[_Union[ImageReference, _Mapping]] = ...) -> None: ...

class CompareImagesResponse(_message.Message):
    __slots__ = ("score", "cosine", "model")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    score: float
    cosine: float
    model: str
    def __init__(self, score: _Optional[float] = ..., cosine: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

class GetImageRequest(_message.Message):
    __slots__ = ("image_id",)
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    def __init__(self, image_id: _Optional[str] = ...) -> None: ...

class GetImageResponse(_message.Message):
    __slots__ = ("image", "create_time", "expire_time")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.Image
    create_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, image: _Optional[_Union[_media_pb2.Image, _Mapping]] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Recipe(_message.Message):
    __slots__ = ("name", "description", "is_available", "unavailable_reason", "is_default", "models", "needs", "options", "required_options")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    IS_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    is_available: bool
    unavailable_reason: str
    is_default: bool
    models: _containers.RepeatedScalarFieldContainer[str]
    needs: _containers.RepeatedCompositeFieldContainer[RecipeNeed]
    options: _containers.RepeatedScalarFieldContainer[str]
    required_options: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., is_available: bool = ..., unavailable_reason: _Optional[str] = ..., is_default: bool = ..., models: _Optional[_Iterable[str]] = ..., needs: _Optional[_Iterable[_Union[RecipeNeed, _Mapping]]] = ..., options: _Optional[_Iterable[str]] = ..., required_options: _Optional[_Iterable[str]] = ...) -> None: ...

class RecipeNeed(_message.Message):
    __slots__ = ("description", "is_met", "is_optional", "model", "remedy")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    IS_MET_FIELD_NUMBER: _ClassVar[int]
    IS_OPTIONAL_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    description: str
    is_met: bool
    is_optional: bool
    model: str
    remedy: str
    def __init__(self, description: _Optional[str] = ..., is_met: bool = ..., is_optional: bool = ..., model: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class ListRecipesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRecipesResponse(_message.Message):
    __slots__ = ("recipes",)
    RECIPES_FIELD_NUMBER: _ClassVar[int]
    recipes: _containers.RepeatedCompositeFieldContainer[Recipe]
    def __init__(self, recipes: _Optional[_Iterable[_Union[Recipe, _Mapping]]] = ...) -> None: ...

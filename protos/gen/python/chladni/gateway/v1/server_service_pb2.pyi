from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVICE_STATE_UNSPECIFIED: _ClassVar[ServiceState]
    SERVICE_STATE_HEALTHY: _ClassVar[ServiceState]
    SERVICE_STATE_LOADING: _ClassVar[ServiceState]
    SERVICE_STATE_UNAVAILABLE: _ClassVar[ServiceState]
SERVICE_STATE_UNSPECIFIED: ServiceState
SERVICE_STATE_HEALTHY: ServiceState
SERVICE_STATE_LOADING: ServiceState
SERVICE_STATE_UNAVAILABLE: ServiceState

class GetServerInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NumberRange(_message.Message):
    __slots__ = ("min", "max")
    MIN_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    min: float
    max: float
    def __init__(self, min: _Optional[float] = ..., max: _Optional[float] = ...) -> None: ...

class RequestLimits(_message.Message):
    __slots__ = ("max_audio_bytes", "min_audio_duration", "max_audio_duration", "max_live_duration", "max_message_bytes", "seed", "steps", "guidance_scale", "side_pixels", "max_prompt_characters", "max_unfinished_jobs", "max_matrix_images", "min_ping_interval", "image_retention", "default_creation_timeout", "max_images", "max_upload_bytes")
    MAX_AUDIO_BYTES_FIELD_NUMBER: _ClassVar[int]
    MIN_AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_AUDIO_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_LIVE_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    SIDE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MAX_PROMPT_CHARACTERS_FIELD_NUMBER: _ClassVar[int]
    MAX_UNFINISHED_JOBS_FIELD_NUMBER: _ClassVar[int]
    MAX_MATRIX_IMAGES_FIELD_NUMBER: _ClassVar[int]
    MIN_PING_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_RETENTION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CREATION_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_IMAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_UPLOAD_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_audio_bytes: int
    min_audio_duration: _duration_pb2.Duration
    max_audio_duration: _duration_pb2.Duration
    max_live_duration: _duration_pb2.Duration
    max_message_bytes: int
    seed: NumberRange
    steps: NumberRange
    guidance_scale: NumberRange
    side_pixels: NumberRange
    max_prompt_characters: int
    max_unfinished_jobs: int
    max_matrix_images: int
    min_ping_interval: _duration_pb2.Duration
    image_retention: _duration_pb2.Duration
    default_creation_timeout: _duration_pb2.Duration
    max_images: int
    max_upload_bytes: int
    def __init__(self, max_audio_bytes: _Optional[int] = ..., min_audio_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_audio_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_live_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_message_bytes: _Optional[int] = ..., seed: _Optional[_Union[NumberRange, _Mapping]] = ..., steps: _Optional[_Union[NumberRange, _Mapping]] = ..., guidance_scale: _Optional[_Union[NumberRange, _Mapping]] = ..., side_pixels: _Optional[_Union[NumberRange, _Mapping]] = ..., max_prompt_characters: _Optional[int] = ..., max_unfinished_jobs: _Optional[int] = ..., max_matrix_images: _Optional[int] = ..., min_ping_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., image_retention: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., default_creation_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_images: _Optional[int] = ..., max_upload_bytes: _Optional[int] = ...) -> None: ...

class ServiceInfo(_message.Message):
    __slots__ = ("name", "state")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    name: str
    state: ServiceState
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ServiceState, str]] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("version", "api_packages", "limits", "services", "image_count")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    API_PACKAGES_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    IMAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    version: str
    api_packages: _containers.RepeatedScalarFieldContainer[str]
    limits: RequestLimits
    services: _containers.RepeatedCompositeFieldContainer[ServiceInfo]
    image_count: int
    def __init__(self, version: _Optional[str] = ..., api_packages: _Optional[_Iterable[str]] = ..., limits: _Optional[_Union[RequestLimits, _Mapping]] = ..., services: _Optional[_Iterable[_Union[ServiceInfo, _Mapping]]] = ..., image_count: _Optional[int] = ...) -> None: ...

class Recipe(_message.Message):
    __slots__ = ("name", "description", "available", "unavailable_reason", "models", "requirements", "options", "required_options")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    REQUIREMENTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_OPTIONS_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    available: bool
    unavailable_reason: str
    models: _containers.RepeatedScalarFieldContainer[str]
    requirements: _containers.RepeatedCompositeFieldContainer[RecipeRequirement]
    options: _containers.RepeatedScalarFieldContainer[str]
    required_options: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., available: bool = ..., unavailable_reason: _Optional[str] = ..., models: _Optional[_Iterable[str]] = ..., requirements: _Optional[_Iterable[_Union[RecipeRequirement, _Mapping]]] = ..., options: _Optional[_Iterable[str]] = ..., required_options: _Optional[_Iterable[str]] = ...) -> None: ...

class RecipeRequirement(_message.Message):
    __slots__ = ("description", "met", "has_fallback", "model", "remedy")
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    HAS_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    description: str
    met: bool
    has_fallback: bool
    model: str
    remedy: str
    def __init__(self, description: _Optional[str] = ..., met: bool = ..., has_fallback: bool = ..., model: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class ListRecipesRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListRecipesResponse(_message.Message):
    __slots__ = ("recipes", "default_recipe")
    RECIPES_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_RECIPE_FIELD_NUMBER: _ClassVar[int]
    recipes: _containers.RepeatedCompositeFieldContainer[Recipe]
    default_recipe: str
    def __init__(self, recipes: _Optional[_Iterable[_Union[Recipe, _Mapping]]] = ..., default_recipe: _Optional[str] = ...) -> None: ...

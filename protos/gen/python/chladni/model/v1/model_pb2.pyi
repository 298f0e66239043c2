from chladni.generation.v1 import generation_pb2 as _generation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_LOADING: _ClassVar[ModelState]
    MODEL_STATE_READY: _ClassVar[ModelState]
    MODEL_STATE_UNAVAILABLE: _ClassVar[ModelState]

class UpscalingMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UPSCALING_METHOD_UNSPECIFIED: _ClassVar[UpscalingMethod]
    UPSCALING_METHOD_LATENTS: _ClassVar[UpscalingMethod]
    UPSCALING_METHOD_NETWORK: _ClassVar[UpscalingMethod]
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_LOADING: ModelState
MODEL_STATE_READY: ModelState
MODEL_STATE_UNAVAILABLE: ModelState
UPSCALING_METHOD_UNSPECIFIED: UpscalingMethod
UPSCALING_METHOD_LATENTS: UpscalingMethod
UPSCALING_METHOD_NETWORK: UpscalingMethod

class ModelInfo(_message.Message):
    __slots__ = ("id", "digest", "description", "license", "state", "unavailable_reason", "family", "inputs", "image_generation", "embedding", "properties")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    LICENSE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_GENERATION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: str
    description: str
    license: str
    state: ModelState
    unavailable_reason: str
    family: str
    inputs: _containers.RepeatedCompositeFieldContainer[ModelInput]
    image_generation: ImageGenerationCapabilities
    embedding: EmbeddingCapabilities
    properties: _containers.ScalarMap[str, str]
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[str] = ..., description: _Optional[str] = ..., license: _Optional[str] = ..., state: _Optional[_Union[ModelState, str]] = ..., unavailable_reason: _Optional[str] = ..., family: _Optional[str] = ..., inputs: _Optional[_Iterable[_Union[ModelInput, _Mapping]]] = ..., image_generation: _Optional[_Union[ImageGenerationCapabilities, _Mapping]] = ..., embedding: _Optional[_Union[EmbeddingCapabilities, _Mapping]] = ..., properties: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ModelInput(_message.Message):
    __slots__ = ("name", "required")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    name: str
    required: bool
    def __init__(self, name: _Optional[str] = ..., required: bool = ...) -> None: ...

class ImageGenerationCapabilities(_message.Message):
    __slots__ = ("sizes", "latent_shape", "schedulers", "default_steps", "default_guidance_scale", "input_spaces", "upscale_factors", "upscaling_method", "default_refiner_start", "looks")
    SIZES_FIELD_NUMBER: _ClassVar[int]
    LATENT_SHAPE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULERS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_STEPS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_GUIDANCE_SCALE_FIELD_NUMBER: _ClassVar[int]
    INPUT_SPACES_FIELD_NUMBER: _ClassVar[int]
    UPSCALE_FACTORS_FIELD_NUMBER: _ClassVar[int]
    UPSCALING_METHOD_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_REFINER_START_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    sizes: ImageSizes
    latent_shape: _containers.RepeatedScalarFieldContainer[int]
    schedulers: _containers.RepeatedScalarFieldContainer[str]
    default_steps: int
    default_guidance_scale: float
    input_spaces: _containers.RepeatedScalarFieldContainer[str]
    upscale_factors: _containers.RepeatedScalarFieldContainer[int]
    upscaling_method: UpscalingMethod
    default_refiner_start: float
    looks: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, sizes: _Optional[_Union[ImageSizes, _Mapping]] = ..., latent_shape: _Optional[_Iterable[int]] = ..., schedulers: _Optional[_Iterable[str]] = ..., default_steps: _Optional[int] = ..., default_guidance_scale: _Optional[float] = ..., input_spaces: _Optional[_Iterable[str]] = ..., upscale_factors: _Optional[_Iterable[int]] = ..., upscaling_method: _Optional[_Union[UpscalingMethod, str]] = ..., default_refiner_start: _Optional[float] = ..., looks: _Optional[_Iterable[str]] = ...) -> None: ...

class ImageSizes(_message.Message):
    __slots__ = ("native_width_pixels", "native_height_pixels", "min_side_pixels", "max_side_pixels", "side_multiple_pixels")
    NATIVE_WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    NATIVE_HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MIN_SIDE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    MAX_SIDE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    SIDE_MULTIPLE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    native_width_pixels: int
    native_height_pixels: int
    min_side_pixels: int
    max_side_pixels: int
    side_multiple_pixels: int
    def __init__(self, native_width_pixels: _Optional[int] = ..., native_height_pixels: _Optional[int] = ..., min_side_pixels: _Optional[int] = ..., max_side_pixels: _Optional[int] = ..., side_multiple_pixels: _Optional[int] = ...) -> None: ...

class EmbeddingCapabilities(_message.Message):
    __slots__ = ("output_space", "dimension", "input_spaces", "score_curve", "alignment_score_curve", "latent_calibrations")
    OUTPUT_SPACE_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SPACES_FIELD_NUMBER: _ClassVar[int]
    SCORE_CURVE_FIELD_NUMBER: _ClassVar[int]
    ALIGNMENT_SCORE_CURVE_FIELD_NUMBER: _ClassVar[int]
    LATENT_CALIBRATIONS_FIELD_NUMBER: _ClassVar[int]
    output_space: str
    dimension: int
    input_spaces: _containers.RepeatedScalarFieldContainer[str]
    score_curve: ScoreCurve
    alignment_score_curve: ScoreCurve
    latent_calibrations: _containers.RepeatedCompositeFieldContainer[LatentCalibration]
    def __init__(self, output_space: _Optional[str] = ..., dimension: _Optional[int] = ..., input_spaces: _Optional[_Iterable[str]] = ..., score_curve: _Optional[_Union[ScoreCurve, _Mapping]] = ..., alignment_score_curve: _Optional[_Union[ScoreCurve, _Mapping]] = ..., latent_calibrations: _Optional[_Iterable[_Union[LatentCalibration, _Mapping]]] = ...) -> None: ...

class ScoreCurve(_message.Message):
    __slots__ = ("midpoint", "slope", "unlike", "like")
    MIDPOINT_FIELD_NUMBER: _ClassVar[int]
    SLOPE_FIELD_NUMBER: _ClassVar[int]
    UNLIKE_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    midpoint: float
    slope: float
    unlike: AlikenessDistribution
    like: AlikenessDistribution
    def __init__(self, midpoint: _Optional[float] = ..., slope: _Optional[float] = ..., unlike: _Optional[_Union[AlikenessDistribution, _Mapping]] = ..., like: _Optional[_Union[AlikenessDistribution, _Mapping]] = ...) -> None: ...

class AlikenessDistribution(_message.Message):
    __slots__ = ("mean", "deviation", "quantiles")
    MEAN_FIELD_NUMBER: _ClassVar[int]
    DEVIATION_FIELD_NUMBER: _ClassVar[int]
    QUANTILES_FIELD_NUMBER: _ClassVar[int]
    mean: float
    deviation: float
    quantiles: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, mean: _Optional[float] = ..., deviation: _Optional[float] = ..., quantiles: _Optional[_Iterable[float]] = ...) -> None: ...

class LatentCalibration(_message.Message):
    __slots__ = ("name", "digest", "clip_count", "value_count", "mode")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CLIP_COUNT_FIELD_NUMBER: _ClassVar[int]
    VALUE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: str
    clip_count: int
    value_count: int
    mode: _generation_pb2.NoiseMode
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[str] = ..., clip_count: _Optional[int] = ..., value_count: _Optional[int] = ..., mode: _Optional[_Union[_generation_pb2.NoiseMode, str]] = ...) -> None: ...

from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from chladni.generation.v1 import moving_pb2 as _moving_pb2
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

class Feature(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEATURE_UNSPECIFIED: _ClassVar[Feature]
    FEATURE_LOG_MEL: _ClassVar[Feature]
    FEATURE_DESCRIPTORS: _ClassVar[Feature]
    FEATURE_EMBEDDING: _ClassVar[Feature]
    FEATURE_INITIAL_LATENTS: _ClassVar[Feature]

class Colormap(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COLORMAP_UNSPECIFIED: _ClassVar[Colormap]
    COLORMAP_VIRIDIS: _ClassVar[Colormap]
    COLORMAP_GRAY: _ClassVar[Colormap]
FEATURE_UNSPECIFIED: Feature
FEATURE_LOG_MEL: Feature
FEATURE_DESCRIPTORS: Feature
FEATURE_EMBEDDING: Feature
FEATURE_INITIAL_LATENTS: Feature
COLORMAP_UNSPECIFIED: Colormap
COLORMAP_VIRIDIS: Colormap
COLORMAP_GRAY: Colormap

class MelOptions(_message.Message):
    __slots__ = ("sample_rate_hz", "fft_size", "hop_length", "mel_bin_count", "min_frequency_hz", "max_frequency_hz", "frame_count")
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FFT_SIZE_FIELD_NUMBER: _ClassVar[int]
    HOP_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MEL_BIN_COUNT_FIELD_NUMBER: _ClassVar[int]
    MIN_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    MAX_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    sample_rate_hz: int
    fft_size: int
    hop_length: int
    mel_bin_count: int
    min_frequency_hz: float
    max_frequency_hz: float
    frame_count: int
    def __init__(self, sample_rate_hz: _Optional[int] = ..., fft_size: _Optional[int] = ..., hop_length: _Optional[int] = ..., mel_bin_count: _Optional[int] = ..., min_frequency_hz: _Optional[float] = ..., max_frequency_hz: _Optional[float] = ..., frame_count: _Optional[int] = ...) -> None: ...

class MelParameters(_message.Message):
    __slots__ = ("sample_rate_hz", "fft_size", "hop_length", "mel_bin_count", "min_frequency_hz", "max_frequency_hz")
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FFT_SIZE_FIELD_NUMBER: _ClassVar[int]
    HOP_LENGTH_FIELD_NUMBER: _ClassVar[int]
    MEL_BIN_COUNT_FIELD_NUMBER: _ClassVar[int]
    MIN_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    MAX_FREQUENCY_HZ_FIELD_NUMBER: _ClassVar[int]
    sample_rate_hz: int
    fft_size: int
    hop_length: int
    mel_bin_count: int
    min_frequency_hz: float
    max_frequency_hz: float
    def __init__(self, sample_rate_hz: _Optional[int] = ..., fft_size: _Optional[int] = ..., hop_length: _Optional[int] = ..., mel_bin_count: _Optional[int] = ..., min_frequency_hz: _Optional[float] = ..., max_frequency_hz: _Optional[float] = ...) -> None: ...

class Descriptor(_message.Message):
    __slots__ = ("name", "value", "unit", "minimum", "maximum", "description")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    unit: str
    minimum: float
    maximum: float
    description: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ..., unit: _Optional[str] = ..., minimum: _Optional[float] = ..., maximum: _Optional[float] = ..., description: _Optional[str] = ...) -> None: ...

class InitialLatentsOptions(_message.Message):
    __slots__ = ("shape", "mode", "calibration", "unscaled")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    UNSCALED_FIELD_NUMBER: _ClassVar[int]
    shape: _containers.RepeatedScalarFieldContainer[int]
    mode: _generation_pb2.NoiseMode
    calibration: str
    unscaled: bool
    def __init__(self, shape: _Optional[_Iterable[int]] = ..., mode: _Optional[_Union[_generation_pb2.NoiseMode, str]] = ..., calibration: _Optional[str] = ..., unscaled: bool = ...) -> None: ...

class ExtractFeaturesRequest(_message.Message):
    __slots__ = ("audio", "features", "embedding_model", "initial_latents", "further_embedding_models", "mel")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_MODEL_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_FIELD_NUMBER: _ClassVar[int]
    FURTHER_EMBEDDING_MODELS_FIELD_NUMBER: _ClassVar[int]
    MEL_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    features: _containers.RepeatedScalarFieldContainer[Feature]
    embedding_model: str
    initial_latents: InitialLatentsOptions
    further_embedding_models: _containers.RepeatedScalarFieldContainer[str]
    mel: MelOptions
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., features: _Optional[_Iterable[_Union[Feature, str]]] = ..., embedding_model: _Optional[str] = ..., initial_latents: _Optional[_Union[InitialLatentsOptions, _Mapping]] = ..., further_embedding_models: _Optional[_Iterable[str]] = ..., mel: _Optional[_Union[MelOptions, _Mapping]] = ...) -> None: ...

class ExtractFeaturesResponse(_message.Message):
    __slots__ = ("audio", "log_mel", "mel_parameters", "descriptors", "embedding", "initial_latents", "processing_time", "latent_calibration", "further_embeddings", "warnings")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    LOG_MEL_FIELD_NUMBER: _ClassVar[int]
    MEL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    INITIAL_LATENTS_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    LATENT_CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    FURTHER_EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    log_mel: _tensor_pb2.Tensor
    mel_parameters: MelParameters
    descriptors: _containers.RepeatedCompositeFieldContainer[Descriptor]
    embedding: _tensor_pb2.Embedding
    initial_latents: _tensor_pb2.Tensor
    processing_time: _duration_pb2.Duration
    latent_calibration: _model_pb2.LatentCalibration
    further_embeddings: _containers.RepeatedCompositeFieldContainer[_tensor_pb2.Embedding]
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., log_mel: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., mel_parameters: _Optional[_Union[MelParameters, _Mapping]] = ..., descriptors: _Optional[_Iterable[_Union[Descriptor, _Mapping]]] = ..., embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., initial_latents: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., latent_calibration: _Optional[_Union[_model_pb2.LatentCalibration, _Mapping]] = ..., further_embeddings: _Optional[_Iterable[_Union[_tensor_pb2.Embedding, _Mapping]]] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ...) -> None: ...

class PcmConfig(_message.Message):
    __slots__ = ("sample_rate_hz", "channel_count", "encoding", "segments")
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    sample_rate_hz: int
    channel_count: int
    encoding: _media_pb2.PcmEncoding
    segments: SegmentOptions
    def __init__(self, sample_rate_hz: _Optional[int] = ..., channel_count: _Optional[int] = ..., encoding: _Optional[_Union[_media_pb2.PcmEncoding, str]] = ..., segments: _Optional[_Union[SegmentOptions, _Mapping]] = ...) -> None: ...

class SegmentOptions(_message.Message):
    __slots__ = ("segment_duration", "update_interval")
    SEGMENT_DURATION_FIELD_NUMBER: _ClassVar[int]
    UPDATE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    segment_duration: _duration_pb2.Duration
    update_interval: _duration_pb2.Duration
    def __init__(self, segment_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., update_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Flush(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StreamFeaturesRequest(_message.Message):
    __slots__ = ("config", "pcm", "flush")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    FLUSH_FIELD_NUMBER: _ClassVar[int]
    config: PcmConfig
    pcm: bytes
    flush: Flush
    def __init__(self, config: _Optional[_Union[PcmConfig, _Mapping]] = ..., pcm: _Optional[bytes] = ..., flush: _Optional[_Union[Flush, _Mapping]] = ...) -> None: ...

class StreamReady(_message.Message):
    __slots__ = ("mel_parameters", "max_duration", "max_pcm_bytes")
    MEL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MAX_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_PCM_BYTES_FIELD_NUMBER: _ClassVar[int]
    mel_parameters: MelParameters
    max_duration: _duration_pb2.Duration
    max_pcm_bytes: int
    def __init__(self, mel_parameters: _Optional[_Union[MelParameters, _Mapping]] = ..., max_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_pcm_bytes: _Optional[int] = ...) -> None: ...

class Level(_message.Message):
    __slots__ = ("rms_dbfs", "peak_dbfs")
    RMS_DBFS_FIELD_NUMBER: _ClassVar[int]
    PEAK_DBFS_FIELD_NUMBER: _ClassVar[int]
    rms_dbfs: float
    peak_dbfs: float
    def __init__(self, rms_dbfs: _Optional[float] = ..., peak_dbfs: _Optional[float] = ...) -> None: ...

class MelFrames(_message.Message):
    __slots__ = ("first_frame", "power_db", "level")
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    POWER_DB_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    first_frame: int
    power_db: _tensor_pb2.Tensor
    level: Level
    def __init__(self, first_frame: _Optional[int] = ..., power_db: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., level: _Optional[_Union[Level, _Mapping]] = ...) -> None: ...

class StreamSummary(_message.Message):
    __slots__ = ("frame_count", "duration", "mel_parameters", "descriptors", "embedding", "limit_reached")
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    MEL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTORS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    LIMIT_REACHED_FIELD_NUMBER: _ClassVar[int]
    frame_count: int
    duration: _duration_pb2.Duration
    mel_parameters: MelParameters
    descriptors: _containers.RepeatedCompositeFieldContainer[Descriptor]
    embedding: _tensor_pb2.Embedding
    limit_reached: bool
    def __init__(self, frame_count: _Optional[int] = ..., duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., mel_parameters: _Optional[_Union[MelParameters, _Mapping]] = ..., descriptors: _Optional[_Iterable[_Union[Descriptor, _Mapping]]] = ..., embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., limit_reached: bool = ...) -> None: ...

class StreamFeaturesResponse(_message.Message):
    __slots__ = ("frames", "summary", "ready", "so_far", "heartbeat", "segment")
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    SO_FAR_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    frames: MelFrames
    summary: StreamSummary
    ready: StreamReady
    so_far: StreamSummary
    heartbeat: _generation_pb2.Heartbeat
    segment: _moving_pb2.CourseSegment
    def __init__(self, frames: _Optional[_Union[MelFrames, _Mapping]] = ..., summary: _Optional[_Union[StreamSummary, _Mapping]] = ..., ready: _Optional[_Union[StreamReady, _Mapping]] = ..., so_far: _Optional[_Union[StreamSummary, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ..., segment: _Optional[_Union[_moving_pb2.CourseSegment, _Mapping]] = ...) -> None: ...

class CutConfig(_message.Message):
    __slots__ = ("start", "end")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    start: _duration_pb2.Duration
    end: _duration_pb2.Duration
    def __init__(self, start: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., end: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class CutAudioRequest(_message.Message):
    __slots__ = ("config", "content")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    config: CutConfig
    content: bytes
    def __init__(self, config: _Optional[_Union[CutConfig, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class AudioCut(_message.Message):
    __slots__ = ("audio", "sample_count", "warnings")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    sample_count: int
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., sample_count: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ...) -> None: ...

class CutAudioResponse(_message.Message):
    __slots__ = ("cut", "samples", "heartbeat")
    CUT_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    cut: AudioCut
    samples: bytes
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, cut: _Optional[_Union[AudioCut, _Mapping]] = ..., samples: _Optional[bytes] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class RenderSpectrogramRequest(_message.Message):
    __slots__ = ("audio", "width_pixels", "height_pixels", "colormap", "mel", "encoding")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    COLORMAP_FIELD_NUMBER: _ClassVar[int]
    MEL_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    width_pixels: int
    height_pixels: int
    colormap: Colormap
    mel: MelOptions
    encoding: _media_pb2.ImageEncoding
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., colormap: _Optional[_Union[Colormap, str]] = ..., mel: _Optional[_Union[MelOptions, _Mapping]] = ..., encoding: _Optional[_Union[_media_pb2.ImageEncoding, _Mapping]] = ...) -> None: ...

class RenderSpectrogramResponse(_message.Message):
    __slots__ = ("image", "audio", "mel_parameters", "warnings")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    MEL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    image: _media_pb2.EncodedImage
    audio: _media_pb2.AudioProperties
    mel_parameters: MelParameters
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    def __init__(self, image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., mel_parameters: _Optional[_Union[MelParameters, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ...) -> None: ...

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

from chladni.audio.v1 import audio_feature_service_pb2 as _audio_feature_service_pb2
from chladni.errors.v1 import warning_pb2 as _warning_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReconstructionOutput(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECONSTRUCTION_OUTPUT_UNSPECIFIED: _ClassVar[ReconstructionOutput]
    RECONSTRUCTION_OUTPUT_AUDIO: _ClassVar[ReconstructionOutput]
    RECONSTRUCTION_OUTPUT_SPECTROGRAMS: _ClassVar[ReconstructionOutput]
    RECONSTRUCTION_OUTPUT_LATENTS: _ClassVar[ReconstructionOutput]
RECONSTRUCTION_OUTPUT_UNSPECIFIED: ReconstructionOutput
RECONSTRUCTION_OUTPUT_AUDIO: ReconstructionOutput
RECONSTRUCTION_OUTPUT_SPECTROGRAMS: ReconstructionOutput
RECONSTRUCTION_OUTPUT_LATENTS: ReconstructionOutput

class ReconstructAudioRequest(_message.Message):
    __slots__ = ("audio", "model", "outputs", "colormap")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OUTPUTS_FIELD_NUMBER: _ClassVar[int]
    COLORMAP_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    model: str
    outputs: _containers.RepeatedScalarFieldContainer[ReconstructionOutput]
    colormap: _audio_feature_service_pb2.Colormap
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., model: _Optional[str] = ..., outputs: _Optional[_Iterable[_Union[ReconstructionOutput, str]]] = ..., colormap: _Optional[_Union[_audio_feature_service_pb2.Colormap, str]] = ...) -> None: ...

class ReconstructionFigures(_message.Message):
    __slots__ = ("mean_squared_error", "mean_absolute_error", "cosine", "perceptual_similarity")
    MEAN_SQUARED_ERROR_FIELD_NUMBER: _ClassVar[int]
    MEAN_ABSOLUTE_ERROR_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    PERCEPTUAL_SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    mean_squared_error: float
    mean_absolute_error: float
    cosine: float
    perceptual_similarity: float
    def __init__(self, mean_squared_error: _Optional[float] = ..., mean_absolute_error: _Optional[float] = ..., cosine: _Optional[float] = ..., perceptual_similarity: _Optional[float] = ...) -> None: ...

class ReconstructAudioResponse(_message.Message):
    __slots__ = ("audio", "reconstruction", "original_spectrogram", "reconstructed_spectrogram", "figures", "latents", "model", "model_digest", "mel_parameters", "window", "warnings", "processing_time")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    RECONSTRUCTION_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    RECONSTRUCTED_SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    LATENTS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    MEL_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioProperties
    reconstruction: _media_pb2.AudioClip
    original_spectrogram: _media_pb2.EncodedImage
    reconstructed_spectrogram: _media_pb2.EncodedImage
    figures: ReconstructionFigures
    latents: _tensor_pb2.Tensor
    model: str
    model_digest: str
    mel_parameters: _audio_feature_service_pb2.MelParameters
    window: _duration_pb2.Duration
    warnings: _containers.RepeatedCompositeFieldContainer[_warning_pb2.Warning]
    processing_time: _duration_pb2.Duration
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioProperties, _Mapping]] = ..., reconstruction: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., original_spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., reconstructed_spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., figures: _Optional[_Union[ReconstructionFigures, _Mapping]] = ..., latents: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., model: _Optional[str] = ..., model_digest: _Optional[str] = ..., mel_parameters: _Optional[_Union[_audio_feature_service_pb2.MelParameters, _Mapping]] = ..., window: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., warnings: _Optional[_Iterable[_Union[_warning_pb2.Warning, _Mapping]]] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

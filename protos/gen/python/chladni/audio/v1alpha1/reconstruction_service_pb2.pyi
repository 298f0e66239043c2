from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ReconstructAudioRequest(_message.Message):
    __slots__ = ("audio", "model")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    model: str
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class ReconstructAudioResponse(_message.Message):
    __slots__ = ("audio", "original_spectrogram", "reconstructed_spectrogram", "mean_squared_error", "mean_absolute_error", "cosine", "perceptual_distance", "model")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    RECONSTRUCTED_SPECTROGRAM_FIELD_NUMBER: _ClassVar[int]
    MEAN_SQUARED_ERROR_FIELD_NUMBER: _ClassVar[int]
    MEAN_ABSOLUTE_ERROR_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    PERCEPTUAL_DISTANCE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    audio: _media_pb2.AudioClip
    original_spectrogram: _media_pb2.EncodedImage
    reconstructed_spectrogram: _media_pb2.EncodedImage
    mean_squared_error: float
    mean_absolute_error: float
    cosine: float
    perceptual_distance: float
    model: str
    def __init__(self, audio: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., original_spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., reconstructed_spectrogram: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., mean_squared_error: _Optional[float] = ..., mean_absolute_error: _Optional[float] = ..., cosine: _Optional[float] = ..., perceptual_distance: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

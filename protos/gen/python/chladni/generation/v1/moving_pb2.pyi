from chladni.media.v1 import media_pb2 as _media_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CourseSegment(_message.Message):
    __slots__ = ("number", "course", "overall", "heard", "level", "onset")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    COURSE_FIELD_NUMBER: _ClassVar[int]
    OVERALL_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    ONSET_FIELD_NUMBER: _ClassVar[int]
    number: int
    course: _containers.RepeatedScalarFieldContainer[float]
    overall: _containers.RepeatedScalarFieldContainer[float]
    heard: _duration_pb2.Duration
    level: float
    onset: _duration_pb2.Duration
    def __init__(self, number: _Optional[int] = ..., course: _Optional[_Iterable[float]] = ..., overall: _Optional[_Iterable[float]] = ..., heard: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., level: _Optional[float] = ..., onset: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class FrameOptions(_message.Message):
    __slots__ = ("model", "seed", "width_pixels", "height_pixels", "look", "max_frame_rate", "encoding")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    MAX_FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    model: str
    seed: int
    width_pixels: int
    height_pixels: int
    look: str
    max_frame_rate: float
    encoding: _media_pb2.ImageEncoding
    def __init__(self, model: _Optional[str] = ..., seed: _Optional[int] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., look: _Optional[str] = ..., max_frame_rate: _Optional[float] = ..., encoding: _Optional[_Union[_media_pb2.ImageEncoding, _Mapping]] = ...) -> None: ...

class FramesReady(_message.Message):
    __slots__ = ("seed", "window_duration", "width_pixels", "height_pixels")
    SEED_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DURATION_FIELD_NUMBER: _ClassVar[int]
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    seed: int
    window_duration: _duration_pb2.Duration
    width_pixels: int
    height_pixels: int
    def __init__(self, seed: _Optional[int] = ..., window_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("index", "time", "image", "skipped_frames", "late_frames", "delay")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    LATE_FRAMES_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    index: int
    time: _duration_pb2.Duration
    image: _media_pb2.EncodedImage
    skipped_frames: int
    late_frames: int
    delay: _duration_pb2.Duration
    def __init__(self, index: _Optional[int] = ..., time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., skipped_frames: _Optional[int] = ..., late_frames: _Optional[int] = ..., delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

from chladni.gateway.v1 import job_service_pb2 as _job_service_pb2
from chladni.gateway.v1 import server_service_pb2 as _server_service_pb2
from chladni.generation.v1 import generation_pb2 as _generation_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FilmState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILM_STATE_UNSPECIFIED: _ClassVar[FilmState]
    FILM_STATE_QUEUED: _ClassVar[FilmState]
    FILM_STATE_RUNNING: _ClassVar[FilmState]
    FILM_STATE_COMPLETED: _ClassVar[FilmState]
    FILM_STATE_FAILED: _ClassVar[FilmState]
    FILM_STATE_CANCELLED: _ClassVar[FilmState]

class FilmPart(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILM_PART_UNSPECIFIED: _ClassVar[FilmPart]
    FILM_PART_VISUALIZER: _ClassVar[FilmPart]
    FILM_PART_LOOP: _ClassVar[FilmPart]
    FILM_PART_COVER: _ClassVar[FilmPart]
FILM_STATE_UNSPECIFIED: FilmState
FILM_STATE_QUEUED: FilmState
FILM_STATE_RUNNING: FilmState
FILM_STATE_COMPLETED: FilmState
FILM_STATE_FAILED: FilmState
FILM_STATE_CANCELLED: FilmState
FILM_PART_UNSPECIFIED: FilmPart
FILM_PART_VISUALIZER: FilmPart
FILM_PART_LOOP: FilmPart
FILM_PART_COVER: FilmPart

class FilmOptions(_message.Message):
    __slots__ = ("width_pixels", "height_pixels", "frames_per_second", "loop_duration", "look", "seed", "model", "parts")
    WIDTH_PIXELS_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_PIXELS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    LOOP_DURATION_FIELD_NUMBER: _ClassVar[int]
    LOOK_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    width_pixels: int
    height_pixels: int
    frames_per_second: int
    loop_duration: _duration_pb2.Duration
    look: str
    seed: int
    model: str
    parts: _containers.RepeatedScalarFieldContainer[FilmPart]
    def __init__(self, width_pixels: _Optional[int] = ..., height_pixels: _Optional[int] = ..., frames_per_second: _Optional[int] = ..., loop_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., look: _Optional[str] = ..., seed: _Optional[int] = ..., model: _Optional[str] = ..., parts: _Optional[_Iterable[_Union[FilmPart, str]]] = ...) -> None: ...

class FilmConfig(_message.Message):
    __slots__ = ("options", "display_name", "request_id")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    options: FilmOptions
    display_name: str
    request_id: str
    def __init__(self, options: _Optional[_Union[FilmOptions, _Mapping]] = ..., display_name: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class FilmFile(_message.Message):
    __slots__ = ("part", "size_bytes", "sha256", "content_type")
    PART_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    part: FilmPart
    size_bytes: int
    sha256: str
    content_type: str
    def __init__(self, part: _Optional[_Union[FilmPart, str]] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[str] = ..., content_type: _Optional[str] = ...) -> None: ...

class Film(_message.Message):
    __slots__ = ("film_id", "state", "display_name", "create_time", "end_time", "options", "progress", "remaining", "part", "song_duration", "files", "error")
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    SONG_DURATION_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    state: FilmState
    display_name: str
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    options: FilmOptions
    progress: float
    remaining: _duration_pb2.Duration
    part: FilmPart
    song_duration: _duration_pb2.Duration
    files: _containers.RepeatedCompositeFieldContainer[FilmFile]
    error: _job_service_pb2.JobError
    def __init__(self, film_id: _Optional[str] = ..., state: _Optional[_Union[FilmState, str]] = ..., display_name: _Optional[str] = ..., create_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., options: _Optional[_Union[FilmOptions, _Mapping]] = ..., progress: _Optional[float] = ..., remaining: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., part: _Optional[_Union[FilmPart, str]] = ..., song_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., files: _Optional[_Iterable[_Union[FilmFile, _Mapping]]] = ..., error: _Optional[_Union[_job_service_pb2.JobError, _Mapping]] = ...) -> None: ...

class CreateFilmRequest(_message.Message):
    __slots__ = ("config", "content")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    config: FilmConfig
    content: bytes
    def __init__(self, config: _Optional[_Union[FilmConfig, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class CreateFilmResponse(_message.Message):
    __slots__ = ("film", "session_token")
    FILM_FIELD_NUMBER: _ClassVar[int]
    SESSION_TOKEN_FIELD_NUMBER: _ClassVar[int]
    film: Film
    session_token: str
    def __init__(self, film: _Optional[_Union[Film, _Mapping]] = ..., session_token: _Optional[str] = ...) -> None: ...

class GetFilmRequest(_message.Message):
    __slots__ = ("film_id",)
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    def __init__(self, film_id: _Optional[str] = ...) -> None: ...

class GetFilmResponse(_message.Message):
    __slots__ = ("film",)
    FILM_FIELD_NUMBER: _ClassVar[int]
    film: Film
    def __init__(self, film: _Optional[_Union[Film, _Mapping]] = ...) -> None: ...

class ListFilmsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListFilmsResponse(_message.Message):
    __slots__ = ("films", "limits")
    FILMS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    films: _containers.RepeatedCompositeFieldContainer[Film]
    limits: FilmLimits
    def __init__(self, films: _Optional[_Iterable[_Union[Film, _Mapping]]] = ..., limits: _Optional[_Union[FilmLimits, _Mapping]] = ...) -> None: ...

class FilmLimits(_message.Message):
    __slots__ = ("max_song_bytes", "min_song_duration", "max_song_duration", "side_pixels", "side_step_pixels", "frames_per_second", "min_loop_duration", "max_loop_duration", "max_films", "retention")
    MAX_SONG_BYTES_FIELD_NUMBER: _ClassVar[int]
    MIN_SONG_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_SONG_DURATION_FIELD_NUMBER: _ClassVar[int]
    SIDE_PIXELS_FIELD_NUMBER: _ClassVar[int]
    SIDE_STEP_PIXELS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MIN_LOOP_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_LOOP_DURATION_FIELD_NUMBER: _ClassVar[int]
    MAX_FILMS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    max_song_bytes: int
    min_song_duration: _duration_pb2.Duration
    max_song_duration: _duration_pb2.Duration
    side_pixels: _server_service_pb2.NumberRange
    side_step_pixels: int
    frames_per_second: _server_service_pb2.NumberRange
    min_loop_duration: _duration_pb2.Duration
    max_loop_duration: _duration_pb2.Duration
    max_films: int
    retention: _duration_pb2.Duration
    def __init__(self, max_song_bytes: _Optional[int] = ..., min_song_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_song_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., side_pixels: _Optional[_Union[_server_service_pb2.NumberRange, _Mapping]] = ..., side_step_pixels: _Optional[int] = ..., frames_per_second: _Optional[_Union[_server_service_pb2.NumberRange, _Mapping]] = ..., min_loop_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_loop_duration: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_films: _Optional[int] = ..., retention: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WatchFilmRequest(_message.Message):
    __slots__ = ("film_id",)
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    def __init__(self, film_id: _Optional[str] = ...) -> None: ...

class WatchFilmResponse(_message.Message):
    __slots__ = ("film", "heartbeat")
    FILM_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    film: Film
    heartbeat: _generation_pb2.Heartbeat
    def __init__(self, film: _Optional[_Union[Film, _Mapping]] = ..., heartbeat: _Optional[_Union[_generation_pb2.Heartbeat, _Mapping]] = ...) -> None: ...

class CancelFilmRequest(_message.Message):
    __slots__ = ("film_id",)
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    def __init__(self, film_id: _Optional[str] = ...) -> None: ...

class CancelFilmResponse(_message.Message):
    __slots__ = ("film",)
    FILM_FIELD_NUMBER: _ClassVar[int]
    film: Film
    def __init__(self, film: _Optional[_Union[Film, _Mapping]] = ...) -> None: ...

class ResumeFilmRequest(_message.Message):
    __slots__ = ("film_id",)
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    def __init__(self, film_id: _Optional[str] = ...) -> None: ...

class ResumeFilmResponse(_message.Message):
    __slots__ = ("film",)
    FILM_FIELD_NUMBER: _ClassVar[int]
    film: Film
    def __init__(self, film: _Optional[_Union[Film, _Mapping]] = ...) -> None: ...

class DeleteFilmRequest(_message.Message):
    __slots__ = ("film_id",)
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    def __init__(self, film_id: _Optional[str] = ...) -> None: ...

class DeleteFilmResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DownloadFilmRequest(_message.Message):
    __slots__ = ("film_id", "part", "offset_bytes")
    FILM_ID_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    film_id: str
    part: FilmPart
    offset_bytes: int
    def __init__(self, film_id: _Optional[str] = ..., part: _Optional[_Union[FilmPart, str]] = ..., offset_bytes: _Optional[int] = ...) -> None: ...

class DownloadFilmResponse(_message.Message):
    __slots__ = ("content", "total_bytes")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    total_bytes: int
    def __init__(self, content: _Optional[bytes] = ..., total_bytes: _Optional[int] = ...) -> None: ...

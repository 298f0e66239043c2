from chladni.similarity.v1 import anomaly_service_pb2 as _anomaly_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreAnomalyRequest(_message.Message):
    __slots__ = ("score",)
    SCORE_FIELD_NUMBER: _ClassVar[int]
    score: _anomaly_service_pb2.ScoreAnomalyRequest
    def __init__(self, score: _Optional[_Union[_anomaly_service_pb2.ScoreAnomalyRequest, _Mapping]] = ...) -> None: ...

class ScoreAnomalyResponse(_message.Message):
    __slots__ = ("scored",)
    SCORED_FIELD_NUMBER: _ClassVar[int]
    scored: _anomaly_service_pb2.ScoreAnomalyResponse
    def __init__(self, scored: _Optional[_Union[_anomaly_service_pb2.ScoreAnomalyResponse, _Mapping]] = ...) -> None: ...

class CreateNormalSetRequest(_message.Message):
    __slots__ = ("create",)
    CREATE_FIELD_NUMBER: _ClassVar[int]
    create: _anomaly_service_pb2.CreateNormalSetRequest
    def __init__(self, create: _Optional[_Union[_anomaly_service_pb2.CreateNormalSetRequest, _Mapping]] = ...) -> None: ...

class CreateNormalSetResponse(_message.Message):
    __slots__ = ("normal_set",)
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    normal_set: _anomaly_service_pb2.NormalSet
    def __init__(self, normal_set: _Optional[_Union[_anomaly_service_pb2.NormalSet, _Mapping]] = ...) -> None: ...

class GetNormalSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetNormalSetResponse(_message.Message):
    __slots__ = ("normal_set",)
    NORMAL_SET_FIELD_NUMBER: _ClassVar[int]
    normal_set: _anomaly_service_pb2.NormalSet
    def __init__(self, normal_set: _Optional[_Union[_anomaly_service_pb2.NormalSet, _Mapping]] = ...) -> None: ...

class ListNormalSetsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListNormalSetsResponse(_message.Message):
    __slots__ = ("normal_sets", "next_page_token")
    NORMAL_SETS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    normal_sets: _containers.RepeatedCompositeFieldContainer[_anomaly_service_pb2.NormalSet]
    next_page_token: str
    def __init__(self, normal_sets: _Optional[_Iterable[_Union[_anomaly_service_pb2.NormalSet, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteNormalSetRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class DeleteNormalSetResponse(_message.Message):
    __slots__ = ("deleted",)
    DELETED_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    def __init__(self, deleted: bool = ...) -> None: ...

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GrpcCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRPC_CODE_UNSPECIFIED: _ClassVar[GrpcCode]
    GRPC_CODE_CANCELLED: _ClassVar[GrpcCode]
    GRPC_CODE_UNKNOWN: _ClassVar[GrpcCode]
    GRPC_CODE_INVALID_ARGUMENT: _ClassVar[GrpcCode]
    GRPC_CODE_DEADLINE_EXCEEDED: _ClassVar[GrpcCode]
    GRPC_CODE_NOT_FOUND: _ClassVar[GrpcCode]
    GRPC_CODE_ALREADY_EXISTS: _ClassVar[GrpcCode]
    GRPC_CODE_PERMISSION_DENIED: _ClassVar[GrpcCode]
    GRPC_CODE_RESOURCE_EXHAUSTED: _ClassVar[GrpcCode]
    GRPC_CODE_FAILED_PRECONDITION: _ClassVar[GrpcCode]
    GRPC_CODE_ABORTED: _ClassVar[GrpcCode]
    GRPC_CODE_OUT_OF_RANGE: _ClassVar[GrpcCode]
    GRPC_CODE_UNIMPLEMENTED: _ClassVar[GrpcCode]
    GRPC_CODE_INTERNAL: _ClassVar[GrpcCode]
    GRPC_CODE_UNAVAILABLE: _ClassVar[GrpcCode]
    GRPC_CODE_DATA_LOSS: _ClassVar[GrpcCode]
    GRPC_CODE_UNAUTHENTICATED: _ClassVar[GrpcCode]
GRPC_CODE_UNSPECIFIED: GrpcCode
GRPC_CODE_CANCELLED: GrpcCode
GRPC_CODE_UNKNOWN: GrpcCode
GRPC_CODE_INVALID_ARGUMENT: GrpcCode
GRPC_CODE_DEADLINE_EXCEEDED: GrpcCode
GRPC_CODE_NOT_FOUND: GrpcCode
GRPC_CODE_ALREADY_EXISTS: GrpcCode
GRPC_CODE_PERMISSION_DENIED: GrpcCode
GRPC_CODE_RESOURCE_EXHAUSTED: GrpcCode
GRPC_CODE_FAILED_PRECONDITION: GrpcCode
GRPC_CODE_ABORTED: GrpcCode
GRPC_CODE_OUT_OF_RANGE: GrpcCode
GRPC_CODE_UNIMPLEMENTED: GrpcCode
GRPC_CODE_INTERNAL: GrpcCode
GRPC_CODE_UNAVAILABLE: GrpcCode
GRPC_CODE_DATA_LOSS: GrpcCode
GRPC_CODE_UNAUTHENTICATED: GrpcCode
REASON_FIELD_NUMBER: _ClassVar[int]
reason: _descriptor.FieldDescriptor
REASONS_FIELD_NUMBER: _ClassVar[int]
reasons: _descriptor.FieldDescriptor

class ErrorReasonOptions(_message.Message):
    __slots__ = ("grpc_code", "http_status", "metadata_keys")
    GRPC_CODE_FIELD_NUMBER: _ClassVar[int]
    HTTP_STATUS_FIELD_NUMBER: _ClassVar[int]
    METADATA_KEYS_FIELD_NUMBER: _ClassVar[int]
    grpc_code: GrpcCode
    http_status: int
    metadata_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, grpc_code: _Optional[_Union[GrpcCode, str]] = ..., http_status: _Optional[int] = ..., metadata_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class CommonReasonOptions(_message.Message):
    __slots__ = ("metadata_keys",)
    METADATA_KEYS_FIELD_NUMBER: _ClassVar[int]
    metadata_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, metadata_keys: _Optional[_Iterable[str]] = ...) -> None: ...

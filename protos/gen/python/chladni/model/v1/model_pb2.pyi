from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class ModelInfo(_message.Message):
    __slots__ = ("id", "digest", "description", "license", "is_default", "is_ready", "input_spaces", "output_space", "properties", "family", "inputs", "required_input_count", "unavailable_reason")
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
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    IS_READY_FIELD_NUMBER: _ClassVar[int]
    INPUT_SPACES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SPACE_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_INPUT_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    digest: str
    description: str
    license: str
    is_default: bool
    is_ready: bool
    input_spaces: _containers.RepeatedScalarFieldContainer[str]
    output_space: str
    properties: _containers.ScalarMap[str, str]
    family: str
    inputs: _containers.RepeatedScalarFieldContainer[str]
    required_input_count: int
    unavailable_reason: str
    def __init__(self, id: _Optional[str] = ..., digest: _Optional[str] = ..., description: _Optional[str] = ..., license: _Optional[str] = ..., is_default: bool = ..., is_ready: bool = ..., input_spaces: _Optional[_Iterable[str]] = ..., output_space: _Optional[str] = ..., properties: _Optional[_Mapping[str, str]] = ..., family: _Optional[str] = ..., inputs: _Optional[_Iterable[str]] = ..., required_input_count: _Optional[int] = ..., unavailable_reason: _Optional[str] = ...) -> None: ...

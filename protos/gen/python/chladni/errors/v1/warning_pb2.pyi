from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WarningReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_REASON_UNSPECIFIED: _ClassVar[WarningReason]
    WARNING_REASON_AUDIO_DAMAGED: _ClassVar[WarningReason]
    WARNING_REASON_AUDIO_INCOMPLETE: _ClassVar[WarningReason]
    WARNING_REASON_CHANNELS_CANCEL: _ClassVar[WarningReason]
    WARNING_REASON_SEVERAL_AUDIO_STREAMS: _ClassVar[WarningReason]
    WARNING_REASON_TEXT_TRUNCATED: _ClassVar[WarningReason]
    WARNING_REASON_SETTING_IGNORED: _ClassVar[WarningReason]
    WARNING_REASON_IMAGES_REMOVED: _ClassVar[WarningReason]
WARNING_REASON_UNSPECIFIED: WarningReason
WARNING_REASON_AUDIO_DAMAGED: WarningReason
WARNING_REASON_AUDIO_INCOMPLETE: WarningReason
WARNING_REASON_CHANNELS_CANCEL: WarningReason
WARNING_REASON_SEVERAL_AUDIO_STREAMS: WarningReason
WARNING_REASON_TEXT_TRUNCATED: WarningReason
WARNING_REASON_SETTING_IGNORED: WarningReason
WARNING_REASON_IMAGES_REMOVED: WarningReason

class Warning(_message.Message):
    __slots__ = ("reason", "message", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: WarningReason
    message: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[_Union[WarningReason, str]] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

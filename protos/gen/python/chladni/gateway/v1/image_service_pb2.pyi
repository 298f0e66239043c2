from chladni.gateway.v1 import creation_pb2 as _creation_pb2
from chladni.gateway.v1 import image_pb2 as _image_pb2
from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateImageFromUploadRequest(_message.Message):
    __slots__ = ("creation", "content")
    CREATION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    creation: _creation_pb2.CreateImageRequest
    content: bytes
    def __init__(self, creation: _Optional[_Union[_creation_pb2.CreateImageRequest, _Mapping]] = ..., content: _Optional[bytes] = ...) -> None: ...

class CreateImageFromUploadResponse(_message.Message):
    __slots__ = ("creation",)
    CREATION_FIELD_NUMBER: _ClassVar[int]
    creation: _creation_pb2.CreateImageResponse
    def __init__(self, creation: _Optional[_Union[_creation_pb2.CreateImageResponse, _Mapping]] = ...) -> None: ...

class GetImageRequest(_message.Message):
    __slots__ = ("image_id",)
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    def __init__(self, image_id: _Optional[str] = ...) -> None: ...

class GetImageResponse(_message.Message):
    __slots__ = ("image", "file")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    file: _media_pb2.EncodedImage
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., file: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class DownloadImageRequest(_message.Message):
    __slots__ = ("image_id", "offset_bytes")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_BYTES_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    offset_bytes: int
    def __init__(self, image_id: _Optional[str] = ..., offset_bytes: _Optional[int] = ...) -> None: ...

class DownloadImageResponse(_message.Message):
    __slots__ = ("content", "total_bytes", "format")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    total_bytes: int
    format: _media_pb2.ImageFormat
    def __init__(self, content: _Optional[bytes] = ..., total_bytes: _Optional[int] = ..., format: _Optional[_Union[_media_pb2.ImageFormat, str]] = ...) -> None: ...

class ListImagesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListImagesResponse(_message.Message):
    __slots__ = ("images", "next_page_token")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[_image_pb2.Image]
    next_page_token: str
    def __init__(self, images: _Optional[_Iterable[_Union[_image_pb2.Image, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteImageRequest(_message.Message):
    __slots__ = ("image_id",)
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    def __init__(self, image_id: _Optional[str] = ...) -> None: ...

class DeleteImageResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PinImageRequest(_message.Message):
    __slots__ = ("image_id", "unpin")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    UNPIN_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    unpin: bool
    def __init__(self, image_id: _Optional[str] = ..., unpin: bool = ...) -> None: ...

class PinImageResponse(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ...) -> None: ...

class ImageReference(_message.Message):
    __slots__ = ("image_id", "file")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    FILE_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    file: _media_pb2.EncodedImage
    def __init__(self, image_id: _Optional[str] = ..., file: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ...) -> None: ...

class CompareImagesRequest(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: ImageReference
    second: ImageReference
    def __init__(self, first: _Optional[_Union[ImageReference, _Mapping]] = ..., second: _Optional[_Union[ImageReference, _Mapping]] = ...) -> None: ...

class CompareImagesResponse(_message.Message):
    __slots__ = ("score", "cosine", "model")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    score: float
    cosine: float
    model: str
    def __init__(self, score: _Optional[float] = ..., cosine: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

class CompareImageMatrixRequest(_message.Message):
    __slots__ = ("image_ids",)
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CompareImageMatrixResponse(_message.Message):
    __slots__ = ("image_ids", "scores", "model")
    IMAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    SCORES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    image_ids: _containers.RepeatedScalarFieldContainer[str]
    scores: _tensor_pb2.Tensor
    model: str
    def __init__(self, image_ids: _Optional[_Iterable[str]] = ..., scores: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class SearchImagesRequest(_message.Message):
    __slots__ = ("image_id", "max_results")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_RESULTS_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    max_results: int
    def __init__(self, image_id: _Optional[str] = ..., max_results: _Optional[int] = ...) -> None: ...

class ImageMatch(_message.Message):
    __slots__ = ("image", "score")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    image: _image_pb2.Image
    score: float
    def __init__(self, image: _Optional[_Union[_image_pb2.Image, _Mapping]] = ..., score: _Optional[float] = ...) -> None: ...

class SearchImagesResponse(_message.Message):
    __slots__ = ("matches",)
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    matches: _containers.RepeatedCompositeFieldContainer[ImageMatch]
    def __init__(self, matches: _Optional[_Iterable[_Union[ImageMatch, _Mapping]]] = ...) -> None: ...

class ScoreAlignmentRequest(_message.Message):
    __slots__ = ("image_id", "audio_of")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIO_OF_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    audio_of: str
    def __init__(self, image_id: _Optional[str] = ..., audio_of: _Optional[str] = ...) -> None: ...

class ScoreAlignmentResponse(_message.Message):
    __slots__ = ("score", "cosine", "model")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    score: float
    cosine: float
    model: str
    def __init__(self, score: _Optional[float] = ..., cosine: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

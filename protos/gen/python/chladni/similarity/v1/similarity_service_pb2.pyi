from chladni.media.v1 import media_pb2 as _media_pb2
from chladni.model.v1 import model_pb2 as _model_pb2
from chladni.tensor.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ImageBatch(_message.Message):
    __slots__ = ("images",)
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[_media_pb2.EncodedImage]
    def __init__(self, images: _Optional[_Iterable[_Union[_media_pb2.EncodedImage, _Mapping]]] = ...) -> None: ...

class EmbedImagesRequest(_message.Message):
    __slots__ = ("encoded", "pixels", "model", "own_batch")
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    PIXELS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    OWN_BATCH_FIELD_NUMBER: _ClassVar[int]
    encoded: ImageBatch
    pixels: _tensor_pb2.Tensor
    model: str
    own_batch: bool
    def __init__(self, encoded: _Optional[_Union[ImageBatch, _Mapping]] = ..., pixels: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., model: _Optional[str] = ..., own_batch: bool = ...) -> None: ...

class EmbedImagesResponse(_message.Message):
    __slots__ = ("embeddings", "model", "cached_count", "processing_time", "score_curve")
    EMBEDDINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CACHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    PROCESSING_TIME_FIELD_NUMBER: _ClassVar[int]
    SCORE_CURVE_FIELD_NUMBER: _ClassVar[int]
    embeddings: _tensor_pb2.Embedding
    model: str
    cached_count: int
    processing_time: _duration_pb2.Duration
    score_curve: _model_pb2.ScoreCurve
    def __init__(self, embeddings: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., model: _Optional[str] = ..., cached_count: _Optional[int] = ..., processing_time: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., score_curve: _Optional[_Union[_model_pb2.ScoreCurve, _Mapping]] = ...) -> None: ...

class CompareImagesRequest(_message.Message):
    __slots__ = ("first", "second", "model")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    first: _media_pb2.EncodedImage
    second: _media_pb2.EncodedImage
    model: str
    def __init__(self, first: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., second: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("rows", "columns", "model")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    rows: ImageBatch
    columns: ImageBatch
    model: str
    def __init__(self, rows: _Optional[_Union[ImageBatch, _Mapping]] = ..., columns: _Optional[_Union[ImageBatch, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class CompareImageMatrixResponse(_message.Message):
    __slots__ = ("scores", "model")
    SCORES_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    scores: _tensor_pb2.Tensor
    model: str
    def __init__(self, scores: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class AudioQuery(_message.Message):
    __slots__ = ("clip", "embedding")
    CLIP_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    clip: _media_pb2.AudioClip
    embedding: _tensor_pb2.Embedding
    def __init__(self, clip: _Optional[_Union[_media_pb2.AudioClip, _Mapping]] = ..., embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ...) -> None: ...

class ScoreAlignmentRequest(_message.Message):
    __slots__ = ("audio", "image", "model")
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    audio: AudioQuery
    image: _media_pb2.EncodedImage
    model: str
    def __init__(self, audio: _Optional[_Union[AudioQuery, _Mapping]] = ..., image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., model: _Optional[str] = ...) -> None: ...

class ScoreAlignmentResponse(_message.Message):
    __slots__ = ("score", "cosine", "model")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    COSINE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    score: float
    cosine: float
    model: str
    def __init__(self, score: _Optional[float] = ..., cosine: _Optional[float] = ..., model: _Optional[str] = ...) -> None: ...

class Collection(_message.Message):
    __slots__ = ("name", "image_count", "models", "outdated")
    NAME_FIELD_NUMBER: _ClassVar[int]
    IMAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    OUTDATED_FIELD_NUMBER: _ClassVar[int]
    name: str
    image_count: int
    models: _containers.RepeatedScalarFieldContainer[str]
    outdated: bool
    def __init__(self, name: _Optional[str] = ..., image_count: _Optional[int] = ..., models: _Optional[_Iterable[str]] = ..., outdated: bool = ...) -> None: ...

class ListCollectionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListCollectionsResponse(_message.Message):
    __slots__ = ("collections", "next_page_token")
    COLLECTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collections: _containers.RepeatedCompositeFieldContainer[Collection]
    next_page_token: str
    def __init__(self, collections: _Optional[_Iterable[_Union[Collection, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetCollectionRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class GetCollectionResponse(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: Collection
    def __init__(self, collection: _Optional[_Union[Collection, _Mapping]] = ...) -> None: ...

class DeleteCollectionRequest(_message.Message):
    __slots__ = ("collection",)
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    collection: str
    def __init__(self, collection: _Optional[str] = ...) -> None: ...

class DeleteCollectionResponse(_message.Message):
    __slots__ = ("deleted_count",)
    DELETED_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_count: int
    def __init__(self, deleted_count: _Optional[int] = ...) -> None: ...

class CollectionImage(_message.Message):
    __slots__ = ("id", "image", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    image: _media_pb2.EncodedImage
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class UpsertImagesRequest(_message.Message):
    __slots__ = ("collection", "images", "replace_outdated")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    REPLACE_OUTDATED_FIELD_NUMBER: _ClassVar[int]
    collection: str
    images: _containers.RepeatedCompositeFieldContainer[CollectionImage]
    replace_outdated: bool
    def __init__(self, collection: _Optional[str] = ..., images: _Optional[_Iterable[_Union[CollectionImage, _Mapping]]] = ..., replace_outdated: bool = ...) -> None: ...

class UpsertImagesResponse(_message.Message):
    __slots__ = ("image_count",)
    IMAGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    image_count: int
    def __init__(self, image_count: _Optional[int] = ...) -> None: ...

class ListImagesRequest(_message.Message):
    __slots__ = ("collection", "page_size", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    page_size: int
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class StoredImage(_message.Message):
    __slots__ = ("id", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class ListImagesResponse(_message.Message):
    __slots__ = ("images", "next_page_token")
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    images: _containers.RepeatedCompositeFieldContainer[StoredImage]
    next_page_token: str
    def __init__(self, images: _Optional[_Iterable[_Union[StoredImage, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SearchImagesRequest(_message.Message):
    __slots__ = ("collection", "image", "audio", "id", "embedding", "page_size", "candidate_ids", "min_score", "page_token")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_IDS_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    collection: str
    image: _media_pb2.EncodedImage
    audio: AudioQuery
    id: str
    embedding: _tensor_pb2.Embedding
    page_size: int
    candidate_ids: _containers.RepeatedScalarFieldContainer[str]
    min_score: float
    page_token: str
    def __init__(self, collection: _Optional[str] = ..., image: _Optional[_Union[_media_pb2.EncodedImage, _Mapping]] = ..., audio: _Optional[_Union[AudioQuery, _Mapping]] = ..., id: _Optional[str] = ..., embedding: _Optional[_Union[_tensor_pb2.Embedding, _Mapping]] = ..., page_size: _Optional[int] = ..., candidate_ids: _Optional[_Iterable[str]] = ..., min_score: _Optional[float] = ..., page_token: _Optional[str] = ...) -> None: ...

class Neighbor(_message.Message):
    __slots__ = ("id", "score", "metadata")
    ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    id: str
    score: float
    metadata: _struct_pb2.Struct
    def __init__(self, id: _Optional[str] = ..., score: _Optional[float] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ...) -> None: ...

class SearchImagesResponse(_message.Message):
    __slots__ = ("neighbors", "absent_ids", "next_page_token")
    NEIGHBORS_FIELD_NUMBER: _ClassVar[int]
    ABSENT_IDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    neighbors: _containers.RepeatedCompositeFieldContainer[Neighbor]
    absent_ids: _containers.RepeatedScalarFieldContainer[str]
    next_page_token: str
    def __init__(self, neighbors: _Optional[_Iterable[_Union[Neighbor, _Mapping]]] = ..., absent_ids: _Optional[_Iterable[str]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class DeleteImagesRequest(_message.Message):
    __slots__ = ("collection", "ids")
    COLLECTION_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    collection: str
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, collection: _Optional[str] = ..., ids: _Optional[_Iterable[str]] = ...) -> None: ...

class DeleteImagesResponse(_message.Message):
    __slots__ = ("deleted_count",)
    DELETED_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_count: int
    def __init__(self, deleted_count: _Optional[int] = ...) -> None: ...

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

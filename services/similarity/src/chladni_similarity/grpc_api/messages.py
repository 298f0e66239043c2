"""Between the messages of the contract and the types of this service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from google.protobuf import duration_pb2

from chladni.media.v1 import media_pb2
from chladni.model.v1 import model_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.score_curve import AlikenessDistribution
from chladni_contract.tensors import to_array, to_tensor
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.embedders.interface import AudioEmbedder, ImageEmbedder
from chladni_similarity.embedding.engine import Embeddings
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.images.sources import EncodedImage, ImageSource, RawImage
from chladni_similarity.models.scoring import ScoreMap

MAX_IMAGES_PER_REQUEST: Final = 64

_IMAGE_INPUTS: Final = (model_pb2.ModelInput(name="image", required=True),)
_AUDIO_AND_IMAGE_INPUTS: Final = (*_IMAGE_INPUTS, model_pb2.ModelInput(name="audio"))


def images_to_embed(request: similarity_pb2.EmbedImagesRequest, limits: ImageLimits) -> Sequence[ImageSource]:
    """Return the images of a request.

    Raises:
        InvalidFieldsError: None are given, or too many.
        InvalidInputError: The tensor does not hold images.
    """
    source = request.WhichOneof("source")
    if source == "pixels":
        return _raw_images(request.pixels, limits)
    validator = RequestValidator()
    validator.require("source", present=source is not None, hint="set encoded or pixels")
    if source == "encoded":
        validator.check_range(
            "encoded.images",
            len(request.encoded.images),
            minimum=1,
            maximum=MAX_IMAGES_PER_REQUEST,
            unit="images",
        )
    validator.raise_if_invalid()
    return [
        encoded_image(image, f"encoded.images[{index}]", limits)
        for index, image in enumerate(request.encoded.images)
    ]


def images_to_compare(
    request: similarity_pb2.CompareImagesRequest, limits: ImageLimits
) -> tuple[ImageSource, ImageSource]:
    """Return the two images of a request.

    Raises:
        InvalidFieldsError: One of them is missing.
    """
    validator = RequestValidator()
    for field in ("first", "second"):
        validator.require(field, present=request.HasField(field), hint="send a PNG, JPEG or WebP image")
    validator.raise_if_invalid()
    return encoded_image(request.first, "first", limits), encoded_image(request.second, "second", limits)


def images_of_matrix(
    request: similarity_pb2.CompareImageMatrixRequest, limits: ImageLimits
) -> tuple[Sequence[ImageSource], Sequence[ImageSource]]:
    """Return the images of the rows and of the columns of a request; no columns if they are the rows.

    Raises:
        InvalidFieldsError: None are given, or too many.
    """
    rows, columns = request.rows.images, request.columns.images
    validator = RequestValidator()
    validator.require("rows", present=request.HasField("rows"), hint="send PNG, JPEG or WebP images")
    if request.HasField("rows"):
        validator.check_range(
            "rows.images", len(rows), minimum=1, maximum=MAX_IMAGES_PER_REQUEST, unit="images"
        )
    if request.HasField("columns"):
        validator.check_range(
            "columns.images",
            len(columns),
            minimum=1,
            maximum=max(1, MAX_IMAGES_PER_REQUEST - len(rows)),
            unit="images",
        )
    validator.raise_if_invalid()
    return (
        [encoded_image(image, f"rows.images[{index}]", limits) for index, image in enumerate(rows)],
        [encoded_image(image, f"columns.images[{index}]", limits) for index, image in enumerate(columns)],
    )


def image_to_align(request: similarity_pb2.ScoreAlignmentRequest, limits: ImageLimits) -> ImageSource:
    """Return the image of a request.

    Raises:
        InvalidFieldsError: It is missing.
    """
    validator = RequestValidator()
    validator.require("image", present=request.HasField("image"), hint="send a PNG, JPEG or WebP image")
    validator.require("audio", present=request.HasField("audio"), hint="set audio.clip or audio.embedding")
    validator.raise_if_invalid()
    return encoded_image(request.image, "image", limits)


def embed_images_response(
    embedder: ImageEmbedder, embeddings: Embeddings
) -> similarity_pb2.EmbedImagesResponse:
    """Return the answer to a request for embeddings."""
    card = embedder.card
    processing_time = duration_pb2.Duration()
    processing_time.FromMicroseconds(round(embeddings.processing_seconds * 1e6))
    return similarity_pb2.EmbedImagesResponse(
        embeddings=tensor_pb2.Embedding(space=card.space, values=to_tensor(embeddings.vectors)),
        model=card.model_id,
        cached_count=embeddings.cached_count,
        processing_time=processing_time,
        score_curve=_to_score_curve(embedder.score_map),
    )


def models_response(
    embedders: Iterable[ImageEmbedder],
    *,
    default: ImageEmbedder,
    unavailable: Iterable[tuple[str, str]] = (),
) -> similarity_pb2.ListModelsResponse:
    """Return the description of models.

    Args:
        embedders: Those that serve.
        default: The one of requests that name none.
        unavailable: Names of those that could not be loaded, with the reasons.
    """
    missing = (
        model_pb2.ModelInfo(id=name, state=model_pb2.MODEL_STATE_UNAVAILABLE, unavailable_reason=reason)
        for name, reason in unavailable
    )
    return similarity_pb2.ListModelsResponse(
        models=[*map(_model_info, embedders), *missing], default_model=default.card.model_id
    )


def _model_info(embedder: ImageEmbedder) -> model_pb2.ModelInfo:
    card = embedder.card
    takes_audio = isinstance(embedder, AudioEmbedder)
    return model_pb2.ModelInfo(
        id=card.model_id,
        digest=card.digest,
        description=card.description,
        license=card.license,
        state=model_pb2.MODEL_STATE_READY,  # The service answers only once all models are warm.
        family=card.family,
        inputs=_AUDIO_AND_IMAGE_INPUTS if takes_audio else _IMAGE_INPUTS,
        embedding=model_pb2.EmbeddingCapabilities(
            output_space=card.space,
            dimension=card.dimension,
            input_spaces=card.input_spaces,
            score_curve=_to_score_curve(embedder.score_map),
            alignment_score_curve=_to_score_curve(embedder.alignment_score_map)
            if isinstance(embedder, AudioEmbedder)
            else None,
        ),
        properties=card.properties,
    )


def _to_score_curve(score_map: ScoreMap) -> model_pb2.ScoreCurve | None:
    curve = score_map.curve
    if curve is None:
        return None
    return model_pb2.ScoreCurve(
        midpoint=curve.midpoint,
        slope=curve.slope,
        unlike=_to_distribution(curve.unlike),
        like=_to_distribution(curve.like),
    )


def _to_distribution(distribution: AlikenessDistribution | None) -> model_pb2.AlikenessDistribution | None:
    if distribution is None:
        return None
    return model_pb2.AlikenessDistribution(
        mean=distribution.mean, deviation=distribution.deviation, quantiles=distribution.quantiles
    )


def encoded_image(image: media_pb2.EncodedImage, field: str, limits: ImageLimits) -> EncodedImage:
    """Return an image of a request, not decoded yet; `field` is its path. Its bytes alone say its format."""
    return EncodedImage(image.content, f"{field}.content", limits)


def _raw_images(tensor: tensor_pb2.Tensor, limits: ImageLimits) -> list[RawImage]:
    pixels = to_array(tensor, field="pixels", dtype=np.uint8, shape=(None, 3, None, None))
    count, _, height, width = pixels.shape
    side = limits.max_side_pixels
    if not (1 <= count <= MAX_IMAGES_PER_REQUEST and 1 <= height <= side and 1 <= width <= side):
        validator = RequestValidator()
        validator.check_range("pixels.shape[0]", count, minimum=1, maximum=MAX_IMAGES_PER_REQUEST)
        validator.check_range("pixels.shape[2]", height, minimum=1, maximum=side)
        validator.check_range("pixels.shape[3]", width, minimum=1, maximum=side)
        validator.raise_if_invalid()
    return [RawImage(image) for image in pixels]

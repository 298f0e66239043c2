"""What is fuzzed: each function takes arbitrary bytes, and raises only what its target may not refuse with.

A target is broken by any other error, by an error with the reason INTERNAL, by a crash, and by an input that
takes ten seconds or two gigabytes.
"""

from __future__ import annotations

import asyncio
import json
import unicodedata
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from google.rpc import status_pb2
from pydantic import ValidationError

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.gateway.v1 import creation_pb2, image_service_pb2
from chladni.generation.v1 import generation_pb2
from chladni.image.v1 import image_generation_service_pb2 as image_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni.similarity.v1 import similarity_service_pb2 as similarity_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_audio_features.audio import decoding, limits
from chladni_audio_features.audio.errors import CorruptAudioError
from chladni_audio_features.grpc_api import requests as audio_requests
from chladni_contract import printable, provenance_messages, status, tensors
from chladni_contract.errors import ChladniError, Reason
from chladni_contract.images import file_metadata
from chladni_gateway.access import authenticator, token_file
from chladni_gateway.domain.request import check_request, last_seen_of, parse_request_id
from chladni_gateway.grpc_api import requests as gateway_requests
from chladni_gateway.rest import live_messages, schemas
from chladni_gateway.rest import requests as rest_requests
from chladni_gateway.rest.forms import fields, multipart, uploads
from chladni_gateway.rest.routes import prompts
from chladni_gateway.sessions import SessionTokens
from chladni_image_generation import image_codec
from chladni_image_generation.grpc_api import messages as generation_messages
from chladni_image_generation.grpc_api import options as generation_options
from chladni_image_generation.models.interface import ImageSizes, ModelDescription
from chladni_robustness.fuzzing.messages import message_of
from chladni_runtime.failpoints import parse_failpoints
from chladni_runtime.security.watched_files import FileError
from chladni_runtime.server.validation import RequestValidator
from chladni_runtime.settings import SettingsError, load_settings
from chladni_similarity.grpc_api import anomaly, collections, messages, pages
from chladni_similarity.images import containers
from chladni_similarity.images import decoding as image_decoding

Target: TypeAlias = Callable[[bytes], None]

_LIMITS: Final = limits.DecodingLimits()
_IMAGE_LIMITS: Final = image_decoding.ImageLimits()
_MAX_SIDE_PIXELS: Final = 512
_COMMANDING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of characters that command a terminal, or hide or turn what is around them."""
_JOINER: Final = "\u200d"
_MAX_SCANS: Final = 100
_MODEL: Final = ModelDescription(
    id="fuzzed",
    family="stable-diffusion",
    digest="",
    description="",
    license="",
    inputs=frozenset({"prompt", "negative_prompt", "initial_image", "initial_latents"}),
    required_inputs=frozenset(),
    embedding_space=None,
    latent_shape=(4, 64, 64),
    image_size_pixels=(512, 512),
    sizes=ImageSizes(256, 1024, 64),
    default_steps=50,
    default_guidance_scale=7.5,
    scheduler_names=("DDIMScheduler",),
    looks=("plate", "water"),
)


def target_of(name: str) -> Target:
    """Return the function of a target."""
    return _TARGETS[name]


def _refusing(work: Callable[[], Any]) -> Any:
    """Do work that may refuse its input; return what it returns, or `None`.

    Raises:
        ChladniError: It did not refuse the input, but failed.
    """
    try:
        return work()
    except ChladniError as error:
        if error.reason is Reason.INTERNAL:
            raise
    return None


def _audio(data: bytes) -> None:
    # Without the decoding itself, which has processes of its own and may crash there.
    class _Parent(decoding.AudioDecoder):
        def _run(self, *_: Any) -> Any:
            raise CorruptAudioError("not decoded")

    _refusing(lambda: _Parent(_LIMITS).decode(data))


def _images(data: bytes) -> None:
    containers.count_scans(data, limit=_MAX_SCANS)
    containers.name_other_format(data)
    containers.without_large_metadata(data)
    kind = _refusing(
        lambda: image_decoding.recognise_format(data, field="image", max_bytes=_IMAGE_LIMITS.max_bytes)
    )
    if kind is not None:
        _refusing(
            lambda: image_decoding.decode_image(data, kind, field="image", max_side_pixels=_MAX_SIDE_PIXELS)
        )
    _refusing(lambda: image_codec.decode_initial_image(data, field="image"))


def _provenance(data: bytes) -> None:
    file_metadata.can_carry_text(data)
    text = None
    with suppress(ValueError):
        text = file_metadata.find_text(data)
    for found in (text, data.decode(errors="replace")):
        if found is not None:
            shown = printable.printable(found)
            if any(
                unicodedata.category(character) in _COMMANDING for character in shown if character != _JOINER
            ):
                raise AssertionError(f"{shown!r} would reach a terminal")
            with suppress(ValueError):
                provenance_messages.parse_provenance(found)


def _extraction(data: bytes) -> None:
    request = message_of(audio_pb2.ExtractFeaturesRequest, data)
    _refusing(lambda: audio_requests.read_clip(request))
    _refusing(lambda: audio_requests.read_clip_part(request))
    _refusing(lambda: audio_requests.read_feature_selection(request))
    drawn = message_of(audio_pb2.RenderSpectrogramRequest, data)
    _refusing(lambda: audio_requests.read_image_options(drawn))
    _refusing(lambda: audio_requests.read_mel_request(drawn.mel))
    _refusing(lambda: audio_requests.read_latents_request(request.initial_latents))
    streamed = message_of(audio_pb2.StreamFeaturesRequest, data)
    _refusing(lambda: audio_requests.read_pcm_format(streamed))
    _refusing(lambda: audio_requests.read_chunk(streamed))
    cut = message_of(audio_pb2.CutAudioRequest, data)
    _refusing(lambda: audio_requests.read_cut_part(cut))
    _refusing(lambda: audio_requests.read_file_chunk(cut))


def _generation(data: bytes) -> None:
    request = message_of(image_pb2.GenerateImageRequest, data)

    def convert() -> None:
        wanted = generation_messages.to_generation_request(
            request, _MODEL, max_steps=150, draw_seed=lambda: 0
        )
        generation_messages.warnings_about(wanted, _MODEL)
        generation_options.to_preview_options(request.options)
        generation_options.to_image_encoding(request.options.encoding)
        generation_options.to_scheduling_parameters(request.options, "caller")

    _refusing(convert)
    tensor = message_of(tensor_pb2.Tensor, data)
    _refusing(lambda: tensors.to_array(tensor, field="tensor", dtype=np.float32, shape=(4, None)))
    provenance = message_of(generation_pb2.Provenance, data)
    provenance_messages.to_provenance_message(provenance_messages.to_provenance(provenance))


def _similarity(data: bytes) -> None:
    readers: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
        (similarity_pb2.EmbedImagesRequest, lambda one: messages.images_to_embed(one, _IMAGE_LIMITS)),
        (similarity_pb2.CompareImagesRequest, lambda one: messages.images_to_compare(one, _IMAGE_LIMITS)),
        (similarity_pb2.CompareImageMatrixRequest, lambda one: messages.images_of_matrix(one, _IMAGE_LIMITS)),
        (similarity_pb2.ScoreAlignmentRequest, lambda one: messages.image_to_align(one, _IMAGE_LIMITS)),
        (similarity_pb2.UpsertImagesRequest, lambda one: collections.images_to_add(one, _IMAGE_LIMITS)),
        (similarity_pb2.SearchImagesRequest, collections.search_scope),
        (similarity_pb2.ListImagesRequest, collections.images_to_list),
        (similarity_pb2.ListCollectionsRequest, collections.collections_to_list),
        (similarity_pb2.GetCollectionRequest, collections.collection_to_describe),
        (similarity_pb2.DeleteCollectionRequest, collections.collection_to_delete),
        (similarity_pb2.DeleteImagesRequest, collections.ids_to_delete),
        (anomaly_pb2.ScoreAnomalyRequest, lambda one: anomaly.to_query(one, _IMAGE_LIMITS)),
        (anomaly_pb2.CreateNormalSetRequest, lambda one: anomaly.to_new_set(one, _IMAGE_LIMITS)),
    )
    kind, read = readers[data[-1] % len(readers) if data else 0]
    request = message_of(kind, data)
    _refusing(lambda: read(request))


def _creation(data: bytes) -> None:
    request = message_of(creation_pb2.CreateImageRequest, data)

    def convert() -> None:
        asked = gateway_requests.to_creation_request(request, owner="owner", caller="caller")
        check_request(asked, max_audio_bytes=_LIMITS.max_bytes)

    _refusing(convert)
    reference = message_of(image_service_pb2.ImageReference, data)
    _refusing(lambda: gateway_requests.to_image_source(reference, field="image"))


def _forms(data: bytes) -> None:
    _refusing(lambda: asyncio.run(_read_form(data)))
    with suppress(ValueError):
        fields.read_npy(data)


async def _read_form(data: bytes) -> None:
    form_type = (rest_requests.GenerationForm, prompts.PromptForm)[len(data) % 2]

    async def pieces() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        yield data[len(data) // 2 :]

    rules = {
        name: multipart.FieldRule(limit, multipart.text_too_long(name, limit))
        for name, limit in form_type.text_limits().items()
    }
    rules["file"] = multipart.FieldRule(_LIMITS.max_bytes, multipart.files_too_large("file", 1))
    found = await multipart.read_form(pieces(), content_type="multipart/form-data; boundary=b", rules=rules)
    uploads.to_form(found, form_type)


def _json(data: bytes) -> None:
    text = data.decode(errors="replace")
    for model in (
        prompts.ScoreRequest,
        schemas.CompareRequest,
        schemas.MatrixRequest,
        schemas.SearchRequest,
    ):
        with suppress(ValidationError):
            model.model_validate_json(data)
    _refusing(lambda: live_messages.parse_opening(text))
    _refusing(lambda: live_messages.parse_chunk({"text": text}))
    _refusing(lambda: live_messages.parse_chunk({"bytes": data}))


def _tokens(data: bytes) -> None:
    text = data.decode("latin-1")
    for name in (text, data.decode(errors="replace")):
        _refusing(partial(last_seen_of, name))
        _refusing(partial(parse_request_id, name))
        SessionTokens("key").is_issued(name)
        validator = RequestValidator()
        pages.read_page_start(similarity_pb2.ListImagesRequest(page_token=""), name, validator)
    known = authenticator.Authenticator()
    _refusing(lambda: asyncio.run(known.authenticate_header(text)))
    _refusing(lambda: authenticator.SignInCookies("key", known).authenticate(text))
    with suppress(FileError):
        token_file.parse_tokens({token_file.TOKENS: data})


def _settings(data: bytes) -> None:
    from chladni_audio_features.config import AudioFeaturesSettings  # noqa: PLC0415 - seldom needed
    from chladni_gateway.config import GatewaySettings  # noqa: PLC0415
    from chladni_image_generation.config import ImageGenerationSettings  # noqa: PLC0415
    from chladni_similarity.config import SimilaritySettings  # noqa: PLC0415

    kinds: tuple[Any, ...] = (
        AudioFeaturesSettings,
        GatewaySettings,
        ImageGenerationSettings,
        SimilaritySettings,
    )
    kind = kinds[len(data) % len(kinds)]
    lines = (line.partition("=") for line in data.decode(errors="replace").replace("\0", "").split("\n"))
    environ = {f"{kind.environment_prefix}{name}": value for name, _, value in lines}
    with suppress(SettingsError):
        load_settings(kind, environ)
    with suppress(ValueError):
        parse_failpoints(data.decode(errors="replace"))


def _errors(data: bytes) -> None:
    error = status.from_status(message_of(status_pb2.Status, data))
    again = status.from_status(status.to_status(error))
    if (again.reason, again.metadata) != (error.reason, error.metadata):
        raise AssertionError(f"{error!r} became {again!r}")
    with suppress(ValueError):
        json.dumps(dict(error.metadata), allow_nan=False)


_TARGETS: Final[Mapping[str, Target]] = {
    "audio": _audio,
    "images": _images,
    "provenance": _provenance,
    "extraction-messages": _extraction,
    "generation-messages": _generation,
    "similarity-messages": _similarity,
    "creation-messages": _creation,
    "forms": _forms,
    "json": _json,
    "tokens": _tokens,
    "settings": _settings,
    "errors": _errors,
}

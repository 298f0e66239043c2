"""Between the messages about anomalies and the types of this service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_runtime.server.validation import RequestValidator
from chladni_similarity.anomaly.attributes import MAX_SHAFT_HZ
from chladni_similarity.anomaly.backends import BACKENDS, FUSION
from chladni_similarity.anomaly.calibration import AnomalyLabel
from chladni_similarity.anomaly.detector import AnomalyQuery, Judgement, Source
from chladni_similarity.anomaly.encoders import EFFICIENTNET, MEL_STATISTICS
from chladni_similarity.anomaly.normal_set import NAME_MEANING, NAME_PATTERN, NormalSetInfo
from chladni_similarity.anomaly.windows import SIDE_PIXELS
from chladni_similarity.grpc_api.audio import to_clip
from chladni_similarity.grpc_api.messages import encoded_image
from chladni_similarity.grpc_api.pages import page_token, read_page_size, read_page_start
from chladni_similarity.images.decoding import ImageLimits

MAX_CLIPS: Final = 64
MAX_SPECTROGRAMS: Final = 1024
MAX_LISTED_COUNT: Final = 100

_DEFAULT_LISTED_COUNT: Final = 50
_MAX_DESCRIPTION_LENGTH: Final = 500
_MIN_SHAFT_HZ: Final = 0.5
_BACKEND_NAMES: Final = (FUSION, *BACKENDS)
_ENCODER_NAMES: Final = (MEL_STATISTICS, EFFICIENTNET)
_AUDIO_HINT: Final = "send the bytes of an audio file, or samples in pcm"

_LABELS: Final = {
    AnomalyLabel.NORMAL: anomaly_pb2.ANOMALY_LABEL_NORMAL,
    AnomalyLabel.NEEDS_MAINTENANCE: anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE,
    AnomalyLabel.SEVERE_ANOMALY: anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY,
}


def to_query(request: anomaly_pb2.ScoreAnomalyRequest, limits: ImageLimits) -> AnomalyQuery:
    """Return what a request asks to judge.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
    """
    validator = RequestValidator()
    kind = request.WhichOneof("source")
    validator.require("source", present=kind is not None, hint="set audio or spectrogram")
    if kind == "audio":
        _require_audio(request.audio, "audio", validator)
    if request.normal_set:
        validator.check_pattern("normal_set", request.normal_set, pattern=NAME_PATTERN, meaning=NAME_MEANING)
    _check_choice("backend", request.backend, _BACKEND_NAMES, validator)
    shaft_hz = _shaft_hz(request, validator)
    if kind == "spectrogram":
        validator.check(
            "shaft_speed_hz",
            valid=shaft_hz is None,
            description="has no meaning with a spectrogram, too coarse for single turns; leave it out.",
        )
    validator.raise_if_invalid()
    source: Source = (
        to_clip(request.audio, "audio")
        if kind == "audio"
        else encoded_image(request.spectrogram, "spectrogram", limits)
    )
    return AnomalyQuery(
        source=source,
        normal_set=request.normal_set,
        backend=request.backend,
        shaft_hz=shaft_hz,
        with_error_map=request.with_error_map,
    )


def to_new_set(
    request: anomaly_pb2.CreateNormalSetRequest, limits: ImageLimits
) -> tuple[NormalSetInfo, Sequence[Source]]:
    """Return what a new normal set is to be, and what it is to be made of.

    Raises:
        InvalidFieldsError: A field is missing or wrong.
    """
    validator = RequestValidator()
    _check_name(request.name, validator)
    validator.check_length("description", request.description, maximum=_MAX_DESCRIPTION_LENGTH)
    validator.require(
        "audio",
        present=bool(request.audio or request.spectrograms),
        hint="send about a minute of normal audio in one or more clips, or spectrograms",
    )
    validator.check_range("audio", len(request.audio), minimum=0, maximum=MAX_CLIPS, unit="clips")
    validator.check_range(
        "spectrograms", len(request.spectrograms), minimum=0, maximum=MAX_SPECTROGRAMS, unit="images"
    )
    for index, clip in enumerate(request.audio):
        _require_audio(clip, f"audio[{index}]", validator)
    _check_choice("encoder", request.encoder, _ENCODER_NAMES, validator)
    _check_choice("backend", request.backend, _BACKEND_NAMES, validator)
    shaft_hz = _shaft_hz(request, validator)
    validator.raise_if_invalid()
    sources: list[Source] = [to_clip(clip, f"audio[{index}]") for index, clip in enumerate(request.audio)]
    sources += [
        encoded_image(image, f"spectrograms[{index}]", limits)
        for index, image in enumerate(request.spectrograms)
    ]
    info = NormalSetInfo(
        name=request.name,
        description=request.description,
        clip_count=len(sources),
        window_count=0,
        encoder=request.encoder or MEL_STATISTICS,
        backend=request.backend or FUSION,
        shaft_hz=shaft_hz,
    )
    return info, sources


def to_name(name: str) -> str:
    """Return the name of a normal set.

    Raises:
        InvalidFieldsError: It is none.
    """
    validator = RequestValidator()
    _check_name(name, validator)
    validator.raise_if_invalid()
    return name


def score_anomaly_response(judgement: Judgement) -> anomaly_pb2.ScoreAnomalyResponse:
    """Return the message of a judgement."""
    response = anomaly_pb2.ScoreAnomalyResponse(
        distance=judgement.score.distance,
        score=judgement.score.score,
        percentile=judgement.score.percentile,
        label=_LABELS[judgement.label],
        normal_set=judgement.normal_set,
        attributes=[
            anomaly_pb2.DeviatingAttribute(
                name=item.name,
                z_score=item.z_score,
                description=item.description,
                value=item.value,
                normal_mean=item.normal_mean,
                normal_deviation=item.normal_deviation,
                unit=item.unit,
            )
            for item in judgement.attributes
        ],
        backend=judgement.backend,
        window_count=judgement.window_count,
    )
    if judgement.error_map is not None:
        response.error_map.CopyFrom(
            media_pb2.EncodedImage(
                content=judgement.error_map,
                format=media_pb2.IMAGE_FORMAT_PNG,
                width_pixels=SIDE_PIXELS,
                height_pixels=SIDE_PIXELS,
            )
        )
    return response


def to_message(info: NormalSetInfo) -> anomaly_pb2.NormalSet:
    """Return the message of what a normal set is."""
    message = anomaly_pb2.NormalSet(
        name=info.name,
        description=info.description,
        clip_count=info.clip_count,
        window_count=info.window_count,
        encoder=info.encoder,
        backend=info.backend,
        shaft_speed_hz=info.shaft_hz,
    )
    message.create_time.FromDatetime(info.created)
    if info.audio_seconds is not None:
        message.audio_duration.FromMilliseconds(round(1000 * info.audio_seconds))
    return message


def list_normal_sets_response(
    request: anomaly_pb2.ListNormalSetsRequest, infos: Sequence[NormalSetInfo]
) -> anomaly_pb2.ListNormalSetsResponse:
    """Return the page of normal sets that a request asks for.

    Raises:
        InvalidFieldsError: The page's size or token is wrong.
    """
    validator = RequestValidator()
    size = read_page_size(
        request, validator, default=_DEFAULT_LISTED_COUNT, maximum=MAX_LISTED_COUNT, unit="normal sets"
    )
    start = read_page_start(request, request.page_token, validator)
    validator.raise_if_invalid()
    remaining = [info for info in infos if info.name >= start]
    response = anomaly_pb2.ListNormalSetsResponse(normal_sets=map(to_message, remaining[:size]))
    if len(remaining) > size:
        response.next_page_token = page_token(request, remaining[size].name)
    return response


def _check_name(name: str, validator: RequestValidator) -> None:
    if name:
        validator.check_pattern("name", name, pattern=NAME_PATTERN, meaning=NAME_MEANING)
    validator.require("name", present=bool(name), hint=f"it is {NAME_MEANING}")


def _require_audio(clip: media_pb2.AudioClip, field: str, validator: RequestValidator) -> None:
    validator.require(
        f"{field}.content", present=bool(clip.content) or clip.HasField("pcm"), hint=_AUDIO_HINT
    )


def _check_choice(field: str, name: str, known: Sequence[str], validator: RequestValidator) -> None:
    validator.check(
        field, valid=not name or name in known, description=f"must be one of {', '.join(known)}, or empty."
    )


def _shaft_hz(
    request: anomaly_pb2.ScoreAnomalyRequest | anomaly_pb2.CreateNormalSetRequest, validator: RequestValidator
) -> float | None:
    if not request.HasField("shaft_speed_hz"):
        return None
    speed = request.shaft_speed_hz
    validator.check_range("shaft_speed_hz", speed, minimum=_MIN_SHAFT_HZ, maximum=MAX_SHAFT_HZ, unit="Hz")
    return speed

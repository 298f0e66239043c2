"""Between the messages of machine listening and the types of the client."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Final

from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_client.types.anomaly import AnomalyLabel, AnomalyScore, DeviatingAttribute, NormalSet
from chladni_contract.images.file_format import image_format_of

if TYPE_CHECKING:
    from chladni.media.v1 import media_pb2

_LABELS: Final = {
    anomaly_pb2.ANOMALY_LABEL_NORMAL: AnomalyLabel.NORMAL,
    anomaly_pb2.ANOMALY_LABEL_NEEDS_MAINTENANCE: AnomalyLabel.NEEDS_MAINTENANCE,
    anomaly_pb2.ANOMALY_LABEL_SEVERE_ANOMALY: AnomalyLabel.SEVERE_ANOMALY,
}


def is_image(clip: media_pb2.AudioClip) -> bool:
    """Return whether a file that is to be judged is a spectrogram image, by its first bytes."""
    return bool(image_format_of(clip.content))


def to_anomaly_score(response: anomaly_pb2.ScoreAnomalyResponse) -> AnomalyScore:
    """Return the judgement of a message."""
    return AnomalyScore(
        result=_LABELS.get(response.label, AnomalyLabel.UNKNOWN),
        score=response.score,
        distance=response.distance,
        percentile=response.percentile,
        normal_set=response.normal_set,
        backend=response.backend,
        window_count=response.window_count,
        attributes=tuple(
            DeviatingAttribute(
                name=item.name,
                z_score=item.z_score,
                description=item.description,
                value=item.value,
                normal_mean=item.normal_mean,
                normal_deviation=item.normal_deviation,
                unit=item.unit,
            )
            for item in response.attributes
        ),
        error_map=response.error_map.content,
    )


def to_normal_set(message: anomaly_pb2.NormalSet) -> NormalSet:
    """Return the normal set of a message."""
    return NormalSet(
        name=message.name,
        description=message.description,
        clip_count=message.clip_count,
        window_count=message.window_count,
        encoder=message.encoder,
        backend=message.backend,
        shaft_speed_hz=message.shaft_speed_hz if message.HasField("shaft_speed_hz") else None,
        audio_seconds=(
            message.audio_duration.ToMilliseconds() / 1000 if message.HasField("audio_duration") else None
        ),
        create_time=message.create_time.ToDatetime(tzinfo=UTC),
    )

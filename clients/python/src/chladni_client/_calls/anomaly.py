"""Machine listening: whether a machine sounds as it should."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from chladni.gateway.v1 import anomaly_service_pb2 as gateway_pb2
from chladni.gateway.v1 import anomaly_service_pb2_grpc as gateway_grpc
from chladni.media.v1 import media_pb2
from chladni.similarity.v1 import anomaly_service_pb2 as anomaly_pb2
from chladni_client._calls.base import Calls
from chladni_client._messages import requests
from chladni_client._messages.anomaly_results import is_image, to_anomaly_score, to_normal_set

if TYPE_CHECKING:
    from chladni_client.types.anomaly import AnomalyScore, NormalSet
    from chladni_client.types.audio import AudioInput


class AnomalyCalls(Calls):
    """Judgements of machines, and sets of normal operation."""

    async def score_anomaly(
        self,
        audio: AudioInput,
        normal_set: str = "",
        *,
        sample_rate_hz: int | None = None,
        backend: str = "",
        shaft_speed_hz: float | None = None,
        with_error_map: bool = False,
        timeout_seconds: float | None = None,
    ) -> AnomalyScore:
        """Return how far a machine is from normal operation.

        Args:
            audio: As for `create_image`; or a gray spectrogram image as a PNG, JPEG or WebP file.
            normal_set: Normal set by its name; may be left out if the server has one only.
            sample_rate_hz: As for `create_image`.
            backend: ``fusion``, ``mahalanobis``, ``cosine-knn``, ``density-knn`` or ``pca-residual``; the
                normal set's own if absent.
            shaft_speed_hz: Revolutions per second; the normal set's if absent.
            with_error_map: Whether to draw where the audio differs from normal.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        clip = await requests.to_audio_clip(audio, sample_rate_hz)
        score = anomaly_pb2.ScoreAnomalyRequest(
            normal_set=normal_set,
            backend=backend,
            shaft_speed_hz=shaft_speed_hz,
            with_error_map=with_error_map,
        )
        if is_image(clip):
            score.spectrogram.content = clip.content
        else:
            score.audio.CopyFrom(clip)
        request = gateway_pb2.ScoreAnomalyRequest(score=score)
        response = await self._call(self._anomaly_stub.ScoreAnomaly, request, timeout_seconds)
        return to_anomaly_score(response.scored)

    async def create_normal_set(
        self,
        name: str,
        audio: Sequence[AudioInput],
        *,
        sample_rate_hz: int | None = None,
        description: str = "",
        encoder: str = "",
        backend: str = "",
        shaft_speed_hz: float | None = None,
        replace: bool = False,
        timeout_seconds: float | None = None,
    ) -> NormalSet:
        """Learn the normal operation of a machine from about a minute of audio, without training.

        Args:
            name: Its name: lower-case letters, digits, ``-`` or ``_``.
            audio: Clips of normal operation, or spectrogram images.
            sample_rate_hz: As for `create_image`.
            description: One sentence for people.
            encoder: ``mel-statistics`` or ``efficientnet-lite0``; the former if absent.
            backend: As for `score_anomaly`; ``fusion`` if absent.
            shaft_speed_hz: Revolutions per second, if known.
            replace: Whether a set of the same name is replaced.
            timeout_seconds: Time for the call; `Timeouts.creation_seconds` if absent.
        """
        clips = [await requests.to_audio_clip(item, sample_rate_hz) for item in audio]
        create = anomaly_pb2.CreateNormalSetRequest(
            name=name,
            description=description,
            audio=[clip for clip in clips if not is_image(clip)],
            spectrograms=[media_pb2.EncodedImage(content=clip.content) for clip in clips if is_image(clip)],
            encoder=encoder,
            backend=backend,
            shaft_speed_hz=shaft_speed_hz,
            replace=replace,
        )
        request = gateway_pb2.CreateNormalSetRequest(create=create)
        seconds = self._timeouts.creation_seconds if timeout_seconds is None else timeout_seconds
        response = await self._call(self._anomaly_stub.CreateNormalSet, request, seconds)
        return to_normal_set(response.normal_set)

    async def get_normal_set(self, name: str, *, timeout_seconds: float | None = None) -> NormalSet:
        """Return a normal set.

        Args:
            name: Its name.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.GetNormalSetRequest(name=name)
        response = await self._call(self._anomaly_stub.GetNormalSet, request, timeout_seconds)
        return to_normal_set(response.normal_set)

    async def list_normal_sets(
        self, *, timeout_seconds: float | None = None
    ) -> AsyncGenerator[NormalSet, None]:
        """Yield the normal sets of the server, by name.

        Args:
            timeout_seconds: Time for each page; `Timeouts.call_seconds` if absent.
        """
        token = ""
        while True:
            request = gateway_pb2.ListNormalSetsRequest(page_token=token)
            page = await self._call(self._anomaly_stub.ListNormalSets, request, timeout_seconds)
            for message in page.normal_sets:
                yield to_normal_set(message)
            token = page.next_page_token
            if not token:
                return

    async def delete_normal_set(self, name: str, *, timeout_seconds: float | None = None) -> bool:
        """Delete a normal set; return whether there was one.

        Args:
            name: Its name.
            timeout_seconds: Time for the call; `Timeouts.call_seconds` if absent.
        """
        request = gateway_pb2.DeleteNormalSetRequest(name=name)
        return (await self._call(self._anomaly_stub.DeleteNormalSet, request, timeout_seconds)).deleted

    @property
    def _anomaly_stub(self) -> gateway_grpc.AnomalyServiceAsyncStub:
        return gateway_grpc.AnomalyServiceStub(self._gateway.channel)

"""Judges audio and spectrogram images by normal sets, and makes normal sets of normal audio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol, TypeAlias

import numpy as np

from chladni_contract.errors import ChladniError, InvalidInputError, NotOfferedError, Reason
from chladni_runtime.execution.cancellation import CancellationToken
from chladni_runtime.execution.worker_pool import WorkerPool
from chladni_runtime.models.files import ModelLoadingError
from chladni_similarity.anomaly.attributes import Attributes, describe
from chladni_similarity.anomaly.backends import FUSION
from chladni_similarity.anomaly.calibration import AnomalyLabel, label_of
from chladni_similarity.anomaly.encoders import Encoder
from chladni_similarity.anomaly.explanation import DeviatingAttribute, deviating_attributes, error_map
from chladni_similarity.anomaly.normal_model import (
    MIN_WINDOWS,
    AnomalyScore,
    Observations,
    fit_normal_model,
)
from chladni_similarity.anomaly.normal_set import LoadEncoder, NormalSet, NormalSetInfo
from chladni_similarity.anomaly.normal_set_store import NormalSetStore
from chladni_similarity.anomaly.windows import (
    HOP_LENGTH,
    SAMPLE_RATE_HZ,
    Spectrogram,
    Window,
    fitted_windows,
    image_window,
    scored_windows,
)
from chladni_similarity.audio import AudioClip
from chladni_similarity.images.decoder import Decode, ImageDecoder
from chladni_similarity.images.sources import ImageSource

WANTED_WINDOWS: Final = 32
"""So many windows show the range of normal operation; short clips are cut into parts to get them."""

MAX_WINDOWS: Final = 2048
"""So many windows are kept while a request is fitted, each some 0.4 MB; long clips give fewer of them."""

_CLIPS_AT_A_TIME: Final = 2

Source: TypeAlias = AudioClip | ImageSource


class SpectrogramMaker(Protocol):
    """What turns clips into mel spectrograms."""

    async def mel_spectrogram(self, clip: AudioClip, token: CancellationToken) -> Spectrogram:
        """Return the mel spectrogram and the envelopes of a clip.

        Raises:
            ChladniError: The clip cannot be used, or cannot be analysed now.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyQuery:
    """What is to be judged, and how.

    Attributes:
        source: A clip, or a spectrogram image.
        normal_set: Name of the normal set; empty for the only one or the one called "default".
        backend: Name of the backend; empty for that of the normal set.
        shaft_hz: Revolutions per second; `None` for those of the normal set.
        with_error_map: Whether the error map is wanted.
    """

    source: Source
    normal_set: str = ""
    backend: str = ""
    shaft_hz: float | None = None
    with_error_map: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found.

    Attributes:
        score: Distance, score and percentile.
        label: Condition by the score.
        normal_set: Name of the normal set.
        backend: Name of the backend.
        attributes: What left its normal range, the farthest first.
        error_map: The spectrogram with red where it differs, a PNG; `None` unless asked for.
        window_count: Number of windows that were judged.
    """

    score: AnomalyScore
    label: AnomalyLabel
    normal_set: str
    backend: str
    attributes: Sequence[DeviatingAttribute]
    error_map: bytes | None
    window_count: int


class AnomalyDetector:
    """Judges machines. Lives on one event loop.

    Args:
        store: Keeps the normal sets.
        workers: Decode images, compute embeddings and fit.
        maker: Turns clips into spectrograms; `None` if no audio-features service is configured.
        load_encoder: Returns encoders by name.
        decoder: Decodes spectrogram images.
    """

    def __init__(
        self,
        *,
        store: NormalSetStore,
        workers: WorkerPool,
        maker: SpectrogramMaker | None,
        load_encoder: LoadEncoder,
        decoder: ImageDecoder,
    ) -> None:
        self._store = store
        self._workers = workers
        self._maker = maker
        self._load_encoder = load_encoder
        self._decoder = decoder

    async def judge(self, query: AnomalyQuery, token: CancellationToken) -> Judgement:
        """Return how far a source is from normal operation.

        Raises:
            ChladniError: There is no such normal set, or the source cannot be used, or not be analysed now.
        """
        normal_set = await self._workers.run(token, self._store.get, query.normal_set)
        spectrogram = await self._spectrogram_of(query.source, token)
        return await self._workers.run(token, _judge, normal_set, spectrogram, query)

    async def create(
        self, info: NormalSetInfo, sources: Sequence[Source], token: CancellationToken, *, replace: bool
    ) -> NormalSetInfo:
        """Make a normal set of sources and keep it; return what it became.

        Args:
            info: What is known before; counts are found.
            sources: Clips and images of normal operation, at least one.
            token: Cancelled when the result is no longer needed.
            replace: Whether one of the same name is replaced.

        Raises:
            ChladniError: The name is taken, there is no room, a source cannot be used, or they are too few.
        """
        await self._workers.run(token, self._store.check_room, info.name, replace=replace)
        try:
            encoder = await self._workers.run(token, self._load_encoder, info.encoder, {})
        except ModelLoadingError as error:
            raise ChladniError(
                Reason.MODEL_UNAVAILABLE,
                f"The encoder {info.encoder} cannot be loaded: {error}",
                metadata={"model": info.encoder},
            ) from error
        places = asyncio.Semaphore(_CLIPS_AT_A_TIME)

        async def observed(source: Source) -> Spectrogram | Window:
            async with places:
                return await self._spectrogram_of(source, token)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(observed(source)) for source in sources]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        spectrograms = [task.result() for task in tasks]
        normal_set = await self._workers.run(
            token, fit_normal_set, info, spectrograms, encoder, max_windows=MAX_WINDOWS
        )
        await self._workers.run(token, self._store.put, normal_set, replace=replace)
        return normal_set.info

    async def get(self, name: str, token: CancellationToken) -> NormalSetInfo:
        """Return what a normal set is.

        Raises:
            NotFoundError: There is none of this name.
        """
        return (await self._workers.run(token, self._store.get, name)).info

    async def list(self, token: CancellationToken) -> Sequence[NormalSetInfo]:
        """Return all normal sets, by name."""
        return await self._workers.run(token, self._store.list)

    async def delete(self, name: str, token: CancellationToken) -> bool:
        """Delete a normal set; return whether there was one."""
        return await self._workers.run(token, self._store.delete, name)

    async def _spectrogram_of(self, source: Source, token: CancellationToken) -> Spectrogram | Window:
        if not isinstance(source, AudioClip):
            return await self._workers.run(token, _window_of, source, partial(self._decoder.decode, token))
        if self._maker is None:
            raise NotOfferedError(
                "This server takes spectrogram images only. Send spectrogram, as `chladni spectrogram` draws "
                "it; or have the operator set CHLADNI_SIMILARITY_AUDIO_FEATURES_TARGET, and send the audio."
            )
        return await self._maker.mel_spectrogram(source, token)


def fit_normal_set(
    info: NormalSetInfo,
    spectrograms: Sequence[Spectrogram | Window],
    encoder: Encoder,
    weights: Mapping[str, np.ndarray] | None = None,
    shaft_speeds_hz: Sequence[float] = (),
    *,
    max_windows: int | None = None,
) -> NormalSet:
    """Return the normal set of spectrograms.

    Args:
        info: What is known before; counts are found.
        spectrograms: One a clip or image of normal operation.
        encoder: Makes embeddings.
        weights: Weights of the encoder to keep with it.
        shaft_speeds_hz: Revolutions per second of each, if they differ; none for those of `info`.
        max_windows: Windows at most, but one of each; `None` for as many as there are.

    Raises:
        InvalidInputError: They give too few windows.
    """
    wanted = -(-WANTED_WINDOWS // len(spectrograms))
    most = None if max_windows is None else max(1, max_windows // len(spectrograms))
    windows = [
        (number, window)
        for number, item in enumerate(spectrograms)
        for window in (
            [item] if isinstance(item, Window) else fitted_windows(item, wanted_count=wanted, max_count=most)
        )
    ]
    field = "spectrograms" if isinstance(spectrograms[0], Window) else "audio"
    if len(windows) < MIN_WINDOWS:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"{field} shows too little of normal operation: {len(windows)} windows, at least {MIN_WINDOWS} "
            "are needed. Send about a minute of audio, or more images.",
            field=field,
            metadata={"value": len(windows), "minimum": MIN_WINDOWS},
        )
    images = np.stack([window.image for _, window in windows])
    observations = Observations(
        embeddings=encoder.encode(images),
        images=images,
        attributes=[
            describe(window, shaft_speeds_hz[number] if shaft_speeds_hz else info.shaft_hz)
            for number, window in windows
        ],
        groups=np.array([number for number, _ in windows]),
    )
    try:
        model = fit_normal_model(observations)
    except ValueError:
        raise InvalidInputError(
            Reason.INVALID_FIELD,
            f"{field} is the same all the time, such as silence: it shows no range of normal operation. Send "
            "audio of the machine from different times.",
            field=field,
        ) from None
    frames = sum(item.levels.shape[1] for item in spectrograms if isinstance(item, Spectrogram))
    fitted = replace(
        info,
        clip_count=len(spectrograms),
        window_count=len(windows),
        audio_seconds=frames * HOP_LENGTH / SAMPLE_RATE_HZ or None,
    )
    return NormalSet(fitted, model, encoder, weights or {})


def judge_windows(
    normal_set: NormalSet, windows: Sequence[Window], *, backend: str = "", shaft_hz: float | None = None
) -> tuple[AnomalyScore, Sequence[Attributes]]:
    """Return the score of a clip's windows, and their attributes.

    Args:
        normal_set: The normal set.
        windows: At least one.
        backend: Name of the backend; empty for that of the normal set.
        shaft_hz: Revolutions per second; `None` for those of the normal set.
    """
    embeddings = normal_set.encoder.encode(np.stack([window.image for window in windows]))
    score = normal_set.model.score(embeddings, backend or normal_set.info.backend)
    return score, [describe(window, shaft_hz or normal_set.info.shaft_hz) for window in windows]


def _judge(normal_set: NormalSet, observed: Spectrogram | Window, query: AnomalyQuery) -> Judgement:
    windows = [observed] if isinstance(observed, Window) else scored_windows(observed)
    score, attributes = judge_windows(normal_set, windows, backend=query.backend, shaft_hz=query.shaft_hz)
    model = normal_set.model
    most_different = max(
        windows, key=lambda window: float(np.abs(window.image - model.row_means[:, None]).mean())
    )
    return Judgement(
        score=score,
        label=label_of(score.score),
        normal_set=normal_set.info.name,
        backend=query.backend or normal_set.info.backend or FUSION,
        attributes=deviating_attributes(model.ranges, attributes),
        error_map=error_map(model, most_different.image) if query.with_error_map else None,
        window_count=len(windows),
    )


def _window_of(source: ImageSource, decode: Decode) -> Window:
    gray = source.pixels(decode).mean(axis=0).round().astype(np.uint8)
    return image_window(gray)

"""An audio-features service; plain attributes decide what it answers."""

from __future__ import annotations

import asyncio
import hashlib
import math
import struct
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.duration_pb2 import Duration

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import audio_feature_service_pb2_grpc as audio_grpc
from chladni.generation.v1 import generation_pb2, moving_pb2
from chladni.media.v1 import media_pb2
from chladni.tensor.v1 import tensor_pb2
from chladni_contract.errors import NotFoundError, Reason
from chladni_fakes.families import SPACE, descriptors
from chladni_fakes.images import file_with_text, png_message, solid_png

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from chladni_contract.errors import ChladniError

CUT_RATE_HZ: Final = 8000
LIVE_BINS: Final = 4
LIVE_POWER_DB: Final = -20.0
CALIBRATION: Final = "scripted-calibration"
VIRIDIS_DARK: Final = (68, 1, 84)
_SIDE_PIXELS: Final = 512
_DESCRIPTOR_NAMES: Final = ("loudness", "brightness", "roughness", "tempo", "pitch_height", "harmonicity")
_LIVE_READY: Final = audio_pb2.StreamReady(
    mel_parameters=audio_pb2.MelParameters(
        sample_rate_hz=22050, fft_size=2048, hop_length=512, mel_bin_count=LIVE_BINS, max_frequency_hz=11025
    ),
    max_duration=Duration(seconds=120),
    max_pcm_bytes=1024 * 1024,
)
_MAGIC: Final = (
    (b"RIFF", media_pb2.AUDIO_FORMAT_WAV),
    (b"fLaC", media_pb2.AUDIO_FORMAT_FLAC),
    (b"OggS", media_pb2.AUDIO_FORMAT_OGG),
)


class ScriptedAudioFeatures(audio_grpc.AudioFeatureServiceServicer):
    """Features of any bytes, which follow from their digest.

    Attributes:
        error: Raised by every call but ListModels, if set.
        models_error: Raised by ListModels, if set.
        errors: Raised instead of an answer, by what is requested: the name of a model, ``latents`` or
            ``spectrogram``.
        models: Descriptions of its models, the default one first.
        may_go_on: Analysis waits while this is not set.
        requests: Every request for features so far.
        spectrogram_requests: Every request for a spectrogram so far.
        open_streams: Live sounds in progress.
        received_bytes: Bytes of live sound, and of files to be cut, so far.
        cut_configs: Which parts of files were asked for so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Set every attribute to its initial value."""
        self.error: ChladniError | None = None
        self.models_error: ChladniError | None = None
        self.errors: dict[str, ChladniError] = {}
        self.models = [descriptors()]
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.requests: list[audio_pb2.ExtractFeaturesRequest] = []
        self.spectrogram_requests: list[audio_pb2.RenderSpectrogramRequest] = []
        self.open_streams = 0
        self.received_bytes = 0
        self.cut_configs: list[audio_pb2.CutConfig] = []

    async def RenderSpectrogram(
        self, request: audio_pb2.RenderSpectrogramRequest, _context: Any
    ) -> audio_pb2.RenderSpectrogramResponse:
        self.spectrogram_requests.append(request)
        self._check("spectrogram")
        width_pixels = request.width_pixels or _SIDE_PIXELS
        height_pixels = request.height_pixels or _SIDE_PIXELS
        content = solid_png(width_pixels, height_pixels, VIRIDIS_DARK)
        image = png_message(content, width_pixels, height_pixels)
        if request.encoding.format in {media_pb2.IMAGE_FORMAT_JPEG, media_pb2.IMAGE_FORMAT_WEBP}:
            image.content = file_with_text(request.encoding.format, "")
            image.format = request.encoding.format
        return audio_pb2.RenderSpectrogramResponse(image=image)

    async def StreamFeatures(
        self, request_iterator: AsyncIterator[audio_pb2.StreamFeaturesRequest], _context: Any
    ) -> AsyncIterator[audio_pb2.StreamFeaturesResponse]:
        """Answer each piece of sound with one frame of `LIVE_BINS` bins, all at one level."""
        if self.error is not None:
            raise self.error
        config = (await anext(request_iterator)).config
        self.open_streams += 1
        try:
            frame_count = 0
            yield audio_pb2.StreamFeaturesResponse(ready=_LIVE_READY)
            async for request in request_iterator:
                if request.HasField("flush"):
                    so_far = audio_pb2.StreamSummary(frame_count=frame_count)
                    yield audio_pb2.StreamFeaturesResponse(so_far=so_far)
                    continue
                self.received_bytes += len(request.pcm)
                await self.may_go_on.wait()
                if config.HasField("segments"):
                    yield _live_segment(frame_count)
                else:
                    yield _live_frame(frame_count)
                frame_count += 1
            if config.HasField("segments"):
                return
            duration = Duration()
            duration.FromMilliseconds(round(1000 * self.received_bytes / 2 / config.sample_rate_hz))
            yield audio_pb2.StreamFeaturesResponse(
                summary=audio_pb2.StreamSummary(
                    frame_count=frame_count,
                    duration=duration,
                    descriptors=[
                        audio_pb2.Descriptor(name="loudness", value=0.5, unit="1", minimum=0, maximum=1)
                    ],
                )
            )
        finally:
            self.open_streams -= 1

    async def CutAudio(
        self, request_iterator: AsyncIterator[audio_pb2.CutAudioRequest], _context: Any
    ) -> AsyncIterator[audio_pb2.CutAudioResponse]:
        """Answer with one second of silence, whatever comes."""
        config = (await anext(request_iterator)).config
        self.cut_configs.append(config)
        self._check("cut")
        yield audio_pb2.CutAudioResponse(heartbeat=generation_pb2.Heartbeat())
        self._check("cut_file")
        digest = hashlib.sha256()
        async for request in request_iterator:
            digest.update(request.content)
            self.received_bytes += len(request.content)
        audio = media_pb2.AudioProperties(
            format=media_pb2.AUDIO_FORMAT_WAV,
            sample_rate_hz=CUT_RATE_HZ,
            channel_count=2,
            duration=Duration(seconds=1),
            sha256=digest.hexdigest(),
            start=config.start,
        )
        yield audio_pb2.CutAudioResponse(cut=audio_pb2.AudioCut(audio=audio, sample_count=CUT_RATE_HZ))
        yield audio_pb2.CutAudioResponse(samples=bytes(4 * CUT_RATE_HZ))

    async def ExtractFeatures(
        self, request: audio_pb2.ExtractFeaturesRequest, _context: Any
    ) -> audio_pb2.ExtractFeaturesResponse:
        self.requests.append(request)
        await self.may_go_on.wait()
        self._check()
        content = request.audio.content or request.audio.pcm.samples
        kinds = [kind for magic, kind in _MAGIC if content.startswith(magic)]
        response = audio_pb2.ExtractFeaturesResponse(
            audio=media_pb2.AudioProperties(
                format=_format_of(request.audio, kinds),
                sample_rate_hz=44100,
                channel_count=2,
                duration=_duration_of(request.audio),
                start=request.audio.start if request.audio.HasField("start") else None,
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
        if audio_pb2.FEATURE_DESCRIPTORS in request.features:
            response.descriptors.extend(_descriptors(content))
        if audio_pb2.FEATURE_EMBEDDING in request.features:
            response.embedding.CopyFrom(self._embedding(content, request.embedding_model))
            response.further_embeddings.extend(
                self._embedding(content, name) for name in request.further_embedding_models
            )
        if audio_pb2.FEATURE_INITIAL_LATENTS in request.features:
            self._check("latents")
            response.initial_latents.CopyFrom(_latents(request.initial_latents))
            response.latent_calibration.name = CALIBRATION
            response.latent_calibration.digest = "c" * 64
        return response

    async def ListModels(
        self, _request: audio_pb2.ListModelsRequest, _context: Any
    ) -> audio_pb2.ListModelsResponse:
        if self.models_error is not None:
            raise self.models_error
        return audio_pb2.ListModelsResponse(models=self.models, default_model=self._default_model)

    @property
    def _default_model(self) -> str:
        return self.models[0].id if self.models and self.models[0].family else ""

    def _check(self, requested: str = "") -> None:
        """Raise the error that is set for what is requested, if any."""
        error = self.error or self.errors.get(requested)
        if error is not None:
            raise error

    def _embedding(self, content: bytes, name: str) -> tensor_pb2.Embedding:
        name = name or self.models[0].id
        model = next((model for model in self.models if model.id == name), None)
        if model is None:
            raise NotFoundError(Reason.UNKNOWN_MODEL, f"No embedding model is called {name!r}.")
        self._check(name)
        values = _values(content)
        is_own = model.embedding.output_space == SPACE
        return tensor_pb2.Embedding(
            space=model.embedding.output_space,
            values=float_tensor((len(values),), values),
            component_names=_DESCRIPTOR_NAMES if is_own else (),
        )


def _format_of(audio: media_pb2.AudioClip, kinds: Sequence[media_pb2.AudioFormat]) -> media_pb2.AudioFormat:
    if audio.HasField("pcm"):
        return media_pb2.AUDIO_FORMAT_PCM
    return kinds[0] if kinds else media_pb2.AUDIO_FORMAT_MP3


def _duration_of(audio: media_pb2.AudioClip) -> Duration:
    """Return the length of the chosen part; 1.5 s of a clip that is used whole."""
    if not audio.HasField("end"):
        return Duration(seconds=1, nanos=500_000_000)
    duration = Duration()
    duration.FromNanoseconds(audio.end.ToNanoseconds() - audio.start.ToNanoseconds())
    return duration


def _live_segment(number: int) -> audio_pb2.StreamFeaturesResponse:
    heard = Duration()
    heard.FromMilliseconds(250 * (number + 1))
    segment = moving_pb2.CourseSegment(
        number=number, course=[0.5] * 8, overall=[0.5] * 24, heard=heard, level=0.5
    )
    return audio_pb2.StreamFeaturesResponse(segment=segment)


def _live_frame(number: int) -> audio_pb2.StreamFeaturesResponse:
    return audio_pb2.StreamFeaturesResponse(
        frames=audio_pb2.MelFrames(
            first_frame=number,
            power_db=float_tensor((LIVE_BINS, 1), [LIVE_POWER_DB] * LIVE_BINS),
            level=audio_pb2.Level(rms_dbfs=-20.0, peak_dbfs=-10.0),
        )
    )


def _values(content: bytes) -> list[float]:
    digest = hashlib.sha256(content).digest()
    return [byte / 255 for byte in digest[: len(_DESCRIPTOR_NAMES)]]


def _descriptors(content: bytes) -> list[audio_pb2.Descriptor]:
    return [
        audio_pb2.Descriptor(
            name=name,
            value=value,
            unit="1",
            minimum=0,
            maximum=1,
            description=f"How much {name} the sound has.",
        )
        for name, value in zip(_DESCRIPTOR_NAMES, _values(content), strict=True)
    ]


def _latents(options: audio_pb2.InitialLatentsOptions) -> tensor_pb2.Tensor:
    """Return latents that show in which mode they were requested: each value is the mode's number."""
    return float_tensor(options.shape, [float(options.mode)] * math.prod(options.shape))


def float_tensor(shape: Sequence[int], values: Sequence[float]) -> tensor_pb2.Tensor:
    """Return the message of a tensor."""
    return tensor_pb2.Tensor(
        dtype=tensor_pb2.DATA_TYPE_FLOAT32, shape=shape, data=struct.pack(f"<{len(values)}f", *values)
    )

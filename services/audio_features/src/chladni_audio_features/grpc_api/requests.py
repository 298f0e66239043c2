"""Requests as domain objects, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from chladni.audio.v1 import audio_feature_service_pb2 as audio_pb2
from chladni.audio.v1 import music_service_pb2 as music_pb2
from chladni.audio.v1 import reconstruction_service_pb2 as reconstruction_pb2
from chladni.audio.v1alpha1 import song_service_pb2 as song_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_audio_features.analysis.clip_analysis import MelRequest
from chladni_audio_features.analysis.spectrogram import MelSettings
from chladni_audio_features.audio.clip import ClipPart
from chladni_audio_features.audio.pcm import PcmClip, PcmEncoding, PcmFormat
from chladni_audio_features.extraction import ClipContent
from chladni_audio_features.latents.catalog import LatentsRequest
from chladni_audio_features.latents.initial_latents import (
    DEFAULT_LATENT_SHAPE,
    LatentBasis,
    describe_latent_shapes,
    is_latent_shape,
)
from chladni_audio_features.live_course import DEFAULT_SEGMENT_SECONDS
from chladni_audio_features.rendering import Colormap, ImageEncoding, ImageFormat
from chladni_runtime.server.validation import RequestValidator, read_first, read_piece

MIN_IMAGE_PIXELS: Final = 16
MAX_IMAGE_PIXELS: Final = 4096
DEFAULT_IMAGE_PIXELS: Final = 512
MAX_CHUNK_BYTES: Final = 1024 * 1024
MAX_FURTHER_MODELS: Final = 4
MAX_MEL_CELLS: Final = 1_000_000
"""Cells of a spectrogram in a response: clients take 4 MiB unless they are set to take more."""

_MAX_NAME_CHARACTERS: Final = 255

_COLORMAPS: Final = {
    audio_pb2.COLORMAP_UNSPECIFIED: Colormap.VIRIDIS,
    audio_pb2.COLORMAP_VIRIDIS: Colormap.VIRIDIS,
    audio_pb2.COLORMAP_GRAY: Colormap.GRAY,
}
_ENCODINGS: Final = {
    media_pb2.PCM_ENCODING_INT16: PcmEncoding.INT16,
    media_pb2.PCM_ENCODING_FLOAT32: PcmEncoding.FLOAT32,
}
_FORMATS: Final = {
    media_pb2.IMAGE_FORMAT_UNSPECIFIED: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_PNG: ImageFormat.PNG,
    media_pb2.IMAGE_FORMAT_JPEG: ImageFormat.JPEG,
    media_pb2.IMAGE_FORMAT_WEBP: ImageFormat.WEBP,
}
_COMPUTED: Final = (
    audio_pb2.FEATURE_LOG_MEL,
    audio_pb2.FEATURE_DESCRIPTORS,
    audio_pb2.FEATURE_EMBEDDING,
    audio_pb2.FEATURE_INITIAL_LATENTS,
)
_DEFAULT_FEATURES: Final = (audio_pb2.FEATURE_DESCRIPTORS, audio_pb2.FEATURE_EMBEDDING)

_MODES: Final = {
    generation_pb2.NOISE_MODE_UNSPECIFIED: LatentBasis.MEL,
    generation_pb2.NOISE_MODE_MEL: LatentBasis.MEL,
    generation_pb2.NOISE_MODE_DCT: LatentBasis.DCT,
}
_SHAPE_FIELD: Final = "initial_latents.shape"
_MAX_SIZES_SHOWN: Final = 8

_ClipRequest = (
    audio_pb2.ExtractFeaturesRequest
    | audio_pb2.RenderSpectrogramRequest
    | music_pb2.AnalyzeMusicRequest
    | reconstruction_pb2.ReconstructAudioRequest
)


@dataclass(frozen=True)
class FeatureSelection:
    """Which features a caller wants."""

    log_mel: bool
    descriptors: bool
    embedding: bool
    initial_latents: bool


@dataclass(frozen=True)
class ImageOptions:
    """How a spectrogram is to be drawn."""

    width_pixels: int
    height_pixels: int
    colormap: Colormap
    encoding: ImageEncoding


def read_clip(request: _ClipRequest) -> ClipContent:
    """Return the file or the samples of a request; whether they can be used, the decoder finds out.

    Raises:
        InvalidFieldsError: there is neither, the samples have no type, or the clip's name is too long.
    """
    validator = RequestValidator()
    source = request.audio.WhichOneof("source")
    validator.require(
        "audio", present=request.HasField("audio"), hint="put the clip's bytes in audio.content"
    )
    if request.HasField("audio"):
        validator.require(
            "audio.content",
            present=source is not None,
            hint="send the bytes of an audio file, or samples in audio.pcm",
        )
    pcm = request.audio.pcm
    if source == "pcm":
        _check_encoding("audio.pcm.encoding", pcm.encoding, validator)
    validator.check_length("audio.display_name", request.audio.display_name, maximum=_MAX_NAME_CHARACTERS)
    validator.raise_if_invalid()
    if source == "content":
        return request.audio.content
    return PcmClip(
        pcm.samples,
        PcmFormat(
            sample_rate_hz=pcm.sample_rate_hz,
            channels=pcm.channel_count or 1,
            encoding=_ENCODINGS[pcm.encoding],
        ),
    )


def read_clip_part(request: _ClipRequest) -> ClipPart | None:
    """Return which part of its clip a request means, `None` if all of it."""
    audio = request.audio
    if not audio.HasField("start") and not audio.HasField("end"):
        return None
    return ClipPart(
        start_seconds=audio.start.ToNanoseconds() / 1e9,
        end_seconds=audio.end.ToNanoseconds() / 1e9 if audio.HasField("end") else None,
    )


def read_feature_selection(request: audio_pb2.ExtractFeaturesRequest) -> FeatureSelection:
    """Return which features a request wants.

    Raises:
        InvalidFieldsError: a feature is unspecified or unknown, or there are options of one that is not
            asked for.
    """
    wanted = tuple(request.features) or _DEFAULT_FEATURES
    validator = RequestValidator()
    for index, feature in enumerate(wanted):
        validator.check(
            f"features[{index}]",
            valid=feature in _COMPUTED,
            description=f"is {feature}, must be FEATURE_LOG_MEL, FEATURE_DESCRIPTORS, FEATURE_EMBEDDING or "
            "FEATURE_INITIAL_LATENTS.",
            metadata={"value": feature},
        )
    validator.check(
        "mel",
        valid=audio_pb2.FEATURE_LOG_MEL in wanted or not request.HasField("mel"),
        description="is set but not asked for; add FEATURE_LOG_MEL to features, or leave it out.",
    )
    validator.check(
        "initial_latents",
        valid=audio_pb2.FEATURE_INITIAL_LATENTS in wanted or not request.HasField("initial_latents"),
        description="is set but not asked for; add FEATURE_INITIAL_LATENTS to features, or leave it out.",
    )
    further_count = len(request.further_embedding_models)
    validator.check(
        "further_embedding_models",
        valid=further_count <= MAX_FURTHER_MODELS,
        description=f"names {further_count} models, at most {MAX_FURTHER_MODELS} are allowed.",
        metadata={"value": further_count, "maximum": MAX_FURTHER_MODELS},
    )
    validator.check(
        "further_embedding_models",
        valid=audio_pb2.FEATURE_EMBEDDING in wanted or not further_count,
        description="is set but not asked for; add FEATURE_EMBEDDING to features, or leave it out.",
    )
    validator.raise_if_invalid()
    return FeatureSelection(
        log_mel=audio_pb2.FEATURE_LOG_MEL in wanted,
        descriptors=audio_pb2.FEATURE_DESCRIPTORS in wanted,
        embedding=audio_pb2.FEATURE_EMBEDDING in wanted,
        initial_latents=audio_pb2.FEATURE_INITIAL_LATENTS in wanted,
    )


def read_image_options(request: audio_pb2.RenderSpectrogramRequest) -> ImageOptions:
    """Return how to draw a spectrogram.

    Raises:
        InvalidFieldsError: a size is out of range or the colour map unknown.
    """
    sizes = {
        name: getattr(request, name) if request.HasField(name) else DEFAULT_IMAGE_PIXELS
        for name in ("width_pixels", "height_pixels")
    }
    validator = RequestValidator()
    for name, size in sizes.items():
        validator.check_range(name, size, minimum=MIN_IMAGE_PIXELS, maximum=MAX_IMAGE_PIXELS, unit="pixels")
    colormap = read_colormap(request.colormap, validator)
    encoding = _read_encoding(request.encoding, validator)
    validator.raise_if_invalid()
    return ImageOptions(**sizes, colormap=colormap, encoding=encoding)


def read_colormap(colormap: audio_pb2.Colormap, validator: RequestValidator) -> Colormap:
    """Return the colours of a spectrogram; the validator notes unknown ones."""
    validator.check(
        "colormap",
        valid=colormap in _COLORMAPS,
        description="must be COLORMAP_VIRIDIS or COLORMAP_GRAY.",
        metadata={"value": colormap},
    )
    return _COLORMAPS.get(colormap, Colormap.VIRIDIS)


def read_mel_request(options: audio_pb2.MelOptions) -> MelRequest:
    """Return which mel spectrogram a request wants; what it does not say is as for embeddings.

    Raises:
        InvalidFieldsError: a parameter is out of range, or two do not go together.
    """
    validator = RequestValidator()
    default = MelSettings()

    def read_count(name: str, default: int, *, minimum: int, maximum: int, unit: str) -> tuple[int, int]:
        """Return a parameter, and what others are checked against: the default instead of a wrong one."""
        value = getattr(options, name) if options.HasField(name) else default
        validator.check_range(f"mel.{name}", value, minimum=minimum, maximum=maximum, unit=unit)
        return value, value if minimum <= value <= maximum else default

    rate_hz, usable_rate_hz = read_count(
        "sample_rate_hz", default.sample_rate_hz, minimum=8000, maximum=48_000, unit="Hz"
    )
    fft_size, usable_fft_size = read_count(
        "fft_size", default.fft_size, minimum=128, maximum=8192, unit="samples"
    )
    hop_length, _ = read_count(
        "hop_length",
        min(default.hop_length, usable_fft_size),
        minimum=32,
        maximum=usable_fft_size,
        unit="samples",
    )
    mel_bins, _ = read_count("mel_bin_count", default.mel_bins, minimum=8, maximum=512, unit="bins")
    frame_count, _ = read_count("frame_count", 8, minimum=8, maximum=8192, unit="frames")
    half_rate_hz = usable_rate_hz / 2
    low_hz = options.min_frequency_hz if options.HasField("min_frequency_hz") else 0.0
    high_hz = options.max_frequency_hz if options.HasField("max_frequency_hz") else half_rate_hz
    validator.check_range("mel.min_frequency_hz", low_hz, minimum=0, maximum=half_rate_hz, unit="Hz")
    validator.check_range("mel.max_frequency_hz", high_hz, minimum=0, maximum=half_rate_hz, unit="Hz")
    validator.check(
        "mel.max_frequency_hz" if options.HasField("max_frequency_hz") else "mel.min_frequency_hz",
        valid=not low_hz >= high_hz,  # NaN is reported above
        description=f"leaves no range: {low_hz:g} Hz is not below {high_hz:g} Hz.",
        metadata={"minimum": low_hz, "maximum": high_hz},
    )
    validator.raise_if_invalid()
    return MelRequest(
        MelSettings(
            sample_rate_hz=rate_hz,
            fft_size=fft_size,
            hop_length=hop_length,
            mel_bins=mel_bins,
            min_frequency_hz=low_hz,
            max_frequency_hz=None if high_hz == half_rate_hz else high_hz,
        ),
        frame_count=frame_count if options.HasField("frame_count") else None,
    )


@dataclass(frozen=True)
class SegmentLengths:
    """How the course of live audio is divided.

    Attributes:
        segment_seconds: length of a segment.
        update_seconds: audio between two messages about the newest one.
    """

    segment_seconds: float
    update_seconds: float


def read_pcm_format(request: audio_pb2.StreamFeaturesRequest) -> PcmFormat:
    """Return what the first message of a stream says about the following ones.

    Raises:
        InvalidFieldsError: the message is no `config`, or a field of it is missing.
    """
    validator = RequestValidator()
    is_config = request.WhichOneof("payload") == "config"
    validator.require("config", present=is_config, hint="send it in the first message")
    validator.raise_if_invalid()
    _check_encoding("config.encoding", request.config.encoding, validator)
    validator.raise_if_invalid()
    return PcmFormat(
        sample_rate_hz=request.config.sample_rate_hz,
        channels=request.config.channel_count or 1,
        encoding=_ENCODINGS[request.config.encoding],
    )


def read_segment_options(request: audio_pb2.StreamFeaturesRequest) -> SegmentLengths:
    """Return how the first message of a stream wants the course divided.

    Raises:
        InvalidFieldsError: a length is out of range.
    """
    options = request.config.segments
    segment_seconds = DEFAULT_SEGMENT_SECONDS
    if options.HasField("segment_duration"):
        segment_seconds = options.segment_duration.ToNanoseconds() / 1e9
    update_seconds = segment_seconds / 3
    if options.HasField("update_interval"):
        update_seconds = options.update_interval.ToNanoseconds() / 1e9
    validator = RequestValidator()
    validator.check_range(
        "config.segments.segment_duration", segment_seconds, minimum=0.05, maximum=2, unit="seconds"
    )
    validator.raise_if_invalid()
    validator.check_range(
        "config.segments.update_interval",
        update_seconds,
        minimum=min(0.02, segment_seconds / 3),
        maximum=segment_seconds,
        unit="seconds",
    )
    validator.raise_if_invalid()
    return SegmentLengths(segment_seconds, update_seconds)


def read_chunk(request: audio_pb2.StreamFeaturesRequest) -> bytes | None:
    """Return the PCM of a later message of a stream; `None` if the message asks for a summary.

    Raises:
        InvalidInputError: the message holds neither, or too much PCM.
    """
    if request.WhichOneof("payload") == "flush":
        return None
    return read_piece(request, field="pcm", max_bytes=MAX_CHUNK_BYTES, alternative="flush")


def read_cut_part(request: audio_pb2.CutAudioRequest) -> ClipPart:
    """Return which part the first message of an upload asks for.

    Raises:
        InvalidInputError: the message holds no configuration.
    """
    config = read_first(request, field="config")
    return ClipPart(
        start_seconds=config.start.ToNanoseconds() / 1e9,
        end_seconds=config.end.ToNanoseconds() / 1e9 if config.HasField("end") else None,
    )


def read_file_chunk(request: audio_pb2.CutAudioRequest | song_pb2.AnalyzeSongRequest) -> bytes:
    """Return the bytes of a later message of an upload.

    Raises:
        InvalidInputError: the message holds none, or too many.
    """
    return read_piece(request, field="content", max_bytes=MAX_CHUNK_BYTES)


def read_latents_request(options: audio_pb2.InitialLatentsOptions) -> LatentsRequest:
    """Return what a request wants of initial latents.

    Raises:
        InvalidFieldsError: the shape is none of latents, the mode is unknown, or a calibration is named and
            not wanted.
    """
    shape = tuple(options.shape) or DEFAULT_LATENT_SHAPE
    validator = RequestValidator()
    shown = _describe_sizes(shape)
    validator.check(
        _SHAPE_FIELD,
        valid=is_latent_shape(shape),
        description=f"is ({shown}), must be {describe_latent_shapes()}.",
        metadata={"value": shown, "allowed": describe_latent_shapes()},
    )
    validator.check(
        "initial_latents.mode",
        valid=options.mode in _MODES,
        description=f"is {options.mode}, must be NOISE_MODE_MEL or NOISE_MODE_DCT.",
        metadata={"value": options.mode},
    )
    validator.check(
        "initial_latents.calibration",
        valid=not (options.unscaled and options.calibration),
        description="is set, but unscaled does without one; leave out either.",
    )
    validator.raise_if_invalid()
    channels, height, width = shape
    return LatentsRequest(
        shape=(channels, height, width),
        basis=_MODES[options.mode],
        calibration_name=options.calibration,
        is_unscaled=options.unscaled,
    )


def _check_encoding(field: str, encoding: int, validator: RequestValidator) -> None:
    validator.require(
        field,
        present=encoding in _ENCODINGS,
        hint="send PCM_ENCODING_INT16 or PCM_ENCODING_FLOAT32",
    )


def _read_encoding(encoding: media_pb2.ImageEncoding, validator: RequestValidator) -> ImageEncoding:
    validator.check(
        "encoding.format",
        valid=encoding.format in _FORMATS,
        description="must be IMAGE_FORMAT_PNG, IMAGE_FORMAT_JPEG or IMAGE_FORMAT_WEBP.",
        metadata={"value": encoding.format},
    )
    image_format = _FORMATS.get(encoding.format, ImageFormat.PNG)
    if not encoding.HasField("quality"):
        return ImageEncoding(image_format)
    if image_format is ImageFormat.PNG and encoding.format in _FORMATS:
        validator.check(
            "encoding.quality", valid=False, description="is set, but PNG is lossless; leave it out."
        )
    validator.check_range("encoding.quality", encoding.quality, minimum=1, maximum=100)
    return ImageEncoding(image_format, encoding.quality)


def _describe_sizes(shape: tuple[int, ...]) -> str:
    sizes = ", ".join(map(str, shape[:_MAX_SIZES_SHOWN]))
    return f"{sizes}, ..." if len(shape) > _MAX_SIZES_SHOWN else sizes

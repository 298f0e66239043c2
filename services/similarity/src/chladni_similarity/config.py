"""Settings of the similarity service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from chladni_runtime.models.devices import DEVICE_PATTERN
from chladni_runtime.models.reference import ModelReference
from chladni_runtime.security.certificates import AUTHORITIES, watched_certificates
from chladni_runtime.setting_faults import SettingConflictError
from chladni_runtime.settings import CallingServiceSettings, OptionalFile, Port, check_files
from chladni_similarity.collections.interface import CollectionLimits, ServerAccess
from chladni_similarity.images.decoding import ImageLimits
from chladni_similarity.models.references import EMBEDDED_MODEL_IDS, parse_model_references

COLLECTIONS_IN_MEMORY: Final = "memory"
COLLECTIONS_OFF: Final = "off"
NORMAL_SETS_IN_MEMORY: Final = "memory"
NORMAL_SETS_OFF: Final = "off"


class SimilaritySettings(CallingServiceSettings):
    """What the environment says, in variables named ``CHLADNI_SIMILARITY_<FIELD>``."""

    environment_prefix: ClassVar[str] = "CHLADNI_SIMILARITY_"

    grpc_port: Port = Field(50053, description="Port of the gRPC server; 0 picks a free one.")
    metrics_port: Port = Field(9103, description="Port of the Prometheus endpoint; 0 picks a free one.")
    max_request_bytes: int = Field(
        64 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        description="Largest gRPC message, in bytes; by default 64 raw images of 512 x 512 pixels fit.",
    )
    max_concurrent_requests: int = Field(
        1024,
        ge=1,
        le=100_000,
        description="Requests in progress at most; more are refused before their message is received. Above "
        "max_images_in_progress, which should be the limit that callers meet.",
    )
    models: Annotated[
        tuple[ModelReference, ...],
        BeforeValidator(lambda value: parse_model_references(value) if isinstance(value, str) else value),
    ] = Field(
        tuple(map(ModelReference, EMBEDDED_MODEL_IDS)),
        description="Models, separated by commas; the first is the default. Each is efficientnet-lite0, "
        "chladni-alignment, the directory of a CLIP in transformers format (/dir or ./dir), or "
        "owner/name[@revision] on the model hub.",
    )
    device: str = Field(
        "auto",
        pattern=DEVICE_PATTERN,
        description="Device of the models: cpu, cuda, cuda:<number>, or auto, which takes a GPU if there is "
        "one.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Numbers that the models compute in. auto is float32; the others change scores in the "
        "third digit, so all that share collections should have the same.",
    )
    audio_features_target: str = Field(
        "",
        max_length=512,
        description="gRPC target of audio-features, which embeds the audio files of ScoreAlignment and "
        "SearchImages, such as dns:///audio-features:50051. Empty: audio is taken as embeddings alone.",
    )
    torch_thread_count: int | None = Field(
        None,
        ge=1,
        le=1024,
        description="Threads of a run of a model; by default the container's processors, shared out among "
        "the batches computed at a time.",
    )
    concurrent_batch_count: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Batches computed at a time; by default as many as suit the models best: 2 for CLIPs, 1 "
        "for the models that come with the service and on a single processor.",
    )
    decode_thread_count: int | None = Field(
        None, ge=1, le=1024, description="Images decoded at a time; by default one a processor."
    )
    max_batch_size: int = Field(
        16,
        ge=1,
        le=1024,
        description="Images in one run of a model at most. Best is half of those that usually are in "
        "progress: one half is computed while the other arrives. On a CPU more than 16 gain nothing.",
    )
    max_batch_delay_seconds: float = Field(
        0.0, ge=0, le=1, description="How long an image may wait for others while the model is idle."
    )
    max_images_in_progress: int = Field(
        512,
        ge=64,
        le=1_000_000,
        description="Images of all requests together that may be worked on or wait; more are refused.",
    )
    cache_capacity: int = Field(
        4096, ge=0, le=10_000_000, description="Embeddings kept, at about 5 KiB each; 0 keeps none."
    )
    max_image_bytes: int = Field(
        10 * 1024 * 1024, ge=1024, le=1024**3, description="Largest encoded image, in bytes."
    )
    max_image_side_pixels: int = Field(
        4096, ge=1, le=16384, description="Largest width and height of an image, in pixels."
    )
    collections: str = Field(
        COLLECTIONS_IN_MEMORY,
        max_length=2048,
        pattern=r"^(memory|off|/.*|https?://.+)$",
        description="Where collections of images are kept: memory, the absolute path of a folder, the URL "
        "of a Qdrant server (port 6333 unless it says another), or off. Replicas share nothing but a server.",
    )
    qdrant_api_key: SecretStr | None = Field(
        None, min_length=1, description="Key of the Qdrant server; only with an https URL."
    )
    qdrant_ca_file: OptionalFile = Field(
        None, description="Certificates in PEM format to trust of a Qdrant server, instead of the system's."
    )
    qdrant_timeout_seconds: int = Field(
        5, ge=1, le=300, description="Time for one call of the Qdrant server."
    )
    max_collections: int = Field(8, ge=1, le=10_000, description="Collections at most.")
    max_images_per_collection: int = Field(
        10_000,
        ge=64,
        le=100_000_000,
        description="Images in one collection at most. In this process each takes about 12 KiB of memory, "
        "and its metadata.",
    )

    normal_sets: str = Field(
        NORMAL_SETS_IN_MEMORY,
        max_length=2048,
        pattern=r"^(memory|off|/.*)$",
        description="Where the sets of normal operation of machines are kept: memory, the absolute path of a "
        "folder, which several processes may share, or off. chladni-train anomaly writes such files.",
    )
    max_normal_sets: int = Field(100, ge=1, le=10_000, description="Sets of normal operation at most.")

    @model_validator(mode="after")
    def _check_qdrant_authorities(self) -> Self:
        if (path := self.qdrant_ca_file) is not None:
            check_files(
                lambda: watched_certificates("Qdrant's authorities", authorities=path),
                {AUTHORITIES: "qdrant_ca_file"},
            )
        return self

    @model_validator(mode="after")
    def _keep_key_secret(self) -> Self:
        if self.qdrant_api_key is not None and self.collections.startswith("http://"):
            raise SettingConflictError(
                "qdrant_api_key",
                "would travel unencrypted. Give CHLADNI_SIMILARITY_COLLECTIONS as an https URL.",
            )
        return self

    @property
    def image_limits(self) -> ImageLimits:
        """Limits of one image."""
        return ImageLimits(max_bytes=self.max_image_bytes, max_side_pixels=self.max_image_side_pixels)

    @property
    def collection_limits(self) -> CollectionLimits:
        """Limits of what collections hold."""
        return CollectionLimits(
            max_collections=self.max_collections, max_images=self.max_images_per_collection
        )

    @property
    def normal_set_folder(self) -> Path | None:
        """Folder of the normal sets; `None` for memory."""
        return None if self.normal_sets == NORMAL_SETS_IN_MEMORY else Path(self.normal_sets)

    @property
    def store_location(self) -> Path | ServerAccess | None:
        """Where collections are kept: in a folder, on a server, or `None` for memory."""
        if self.collections == COLLECTIONS_IN_MEMORY:
            return None
        if self.collections.startswith("/"):
            return Path(self.collections)
        return ServerAccess(
            url=self.collections,
            api_key=self.qdrant_api_key.get_secret_value() if self.qdrant_api_key else None,
            ca_file=self.qdrant_ca_file,
            timeout_seconds=self.qdrant_timeout_seconds,
        )

"""Settings of the gateway, from variables named `CHLADNI_GATEWAY_<FIELD>`."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationInfo,
    field_validator,
)

from chladni_gateway.access.settings import AccessSettings
from chladni_gateway.creation.webhook_policy import WebhookPolicy, is_secret
from chladni_runtime.settings import Networks, Port, split_list
from chladni_runtime.spool import SpoolLimits

_DAY_SECONDS: Final = 24 * 60 * 60
_MEBIBYTE: Final = 1024 * 1024
_MIN_KEY_LENGTH: Final = 32


def _default_image_folder() -> Path:
    return Path.home() / ".local" / "state" / "chladni" / "images"


Target = Annotated[str, Field(min_length=1, max_length=512)]
"""gRPC target, such as `127.0.0.1:50051` or `dns:///audio-features:50051`."""


def _check_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    for host in hosts:
        if "/" in host:
            ip_network(host, strict=False)
    return hosts


HostNames = Annotated[tuple[str, ...], BeforeValidator(split_list), AfterValidator(_check_hosts)]


ReceiverName = Annotated[str, Field(max_length=253, pattern=r"^(\*|(\*\.)?[a-z0-9_-][a-z0-9_.-]*)$")]
ReceiverNames = Annotated[tuple[ReceiverName, ...], BeforeValidator(split_list)]


def _check_endpoint(address: str) -> str:
    if address:
        _URL.validate_python(address)
    return address


_URL: Final = TypeAdapter(HttpUrl)
Endpoint = Annotated[str, Field(max_length=512), AfterValidator(_check_endpoint)]

RecipeName = Literal["embedded", "audioldm", "spectrogram", "latent-noise", "music-prompts", "clap-unclip"]


class GatewaySettings(AccessSettings):
    """Where the gateway listens, where the services behind it are, and its limits."""

    environment_prefix: ClassVar[str] = "CHLADNI_GATEWAY_"

    grpc_port: Port = 50050
    metrics_port: Port = 9100
    http_port: Port = Field(8000, description="Port of the REST API and the page; 0 picks a free one.")
    http_client_certificates: bool = Field(
        True,
        description="Whether the REST API and the page too ask for certificates of TLS_CLIENT_CA, if that is "
        "set. Browsers seldom have one: false leaves it to tokens who may use them.",
    )

    trusted_peers: Networks = Field(
        (),
        description="Addresses and networks of proxies and programs whose X-Forwarded-For and X-Caller-Id "
        "count, separated by commas.",
    )
    max_request_bytes: int = Field(
        24 * _MEBIBYTE,
        ge=1024,
        le=1024 * _MEBIBYTE,
        description="Largest gRPC message, in bytes: two images to compare, or a recording with latents.",
    )
    max_slow_messages: int = Field(
        8,
        ge=1,
        le=100_000,
        description="Request messages at most that take more than a second to arrive; when there are more, "
        "the connection that has the most loses its oldest.",
    )
    max_bytes_in_flight: int = Field(
        256 * _MEBIBYTE,
        ge=1024,
        le=1024**4,
        description="Bytes of recordings and images that requests and jobs may hold together; each is in "
        "memory up to three times while it is passed on.",
    )
    max_requests_per_host: int = Field(
        48, ge=0, le=100_000, description="gRPC requests in progress of one host at most; 0 for all."
    )
    allowed_hosts: HostNames = Field(
        ("localhost", "127.0.0.1", "::1"),
        description="Names and addresses under which the REST API and the page may be asked, separated by "
        "commas: a name, *.example.com, an address, a network such as 10.0.0.0/8, or * for any.",
    )
    session_key: SecretStr = Field(
        SecretStr(""),
        description="Secret of at least 32 characters by which sessions are signed; the same for gateways "
        "that share images. Without it the gateway draws one and keeps it beside the images.",
    )

    audio_features_target: Target = "127.0.0.1:50051"
    image_generation_target: Target = "127.0.0.1:50052"
    further_image_generation_targets: Annotated[tuple[Target, ...], BeforeValidator(split_list)] = Field(
        (),
        description="Further servers of image generation, separated by commas, so that models may have "
        "machines of their own; one that is down takes its models along, not the gateway.",
    )
    similarity_target: Target = "127.0.0.1:50053"

    default_recipe: RecipeName = Field("embedded", description="Recipe of requests that name none.")
    model_listing_seconds: float = Field(
        5.0,
        ge=0,
        le=600,
        description="Time for which a service's answer about its models is used again.",
    )

    creation_timeout_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Time for one image, the wait in queues included, unless a gRPC caller "
        "sets a deadline of its own.",
    )
    comparison_timeout_seconds: float = Field(20.0, gt=0, le=600, description="Time for one comparison.")
    spectrogram_timeout_seconds: float = Field(20.0, gt=0, le=600, description="Time for one spectrogram.")
    upload_timeout_seconds: float = Field(
        300.0,
        gt=0,
        le=3600,
        description="Time for an upload of one file to arrive; phones in the country send 40 kB a second.",
    )
    health_timeout_seconds: float = Field(
        1.0, gt=0, le=60, description="Time for a service behind the gateway to say how it is."
    )

    min_upload_bytes_per_second: int = Field(
        4096, ge=1, le=1024**3, description="Rate at which a body must arrive, after its first 10 seconds."
    )
    max_http_connections: int = Field(
        512, ge=1, le=100_000, description="HTTP connections at most; idle ones make room for further ones."
    )
    max_http_connections_per_host: int = Field(
        128, ge=1, le=100_000, description="HTTP connections of one host at most; proxies are exempt."
    )
    http_header_seconds: float = Field(
        10.0, gt=0, le=600, description="Time for the headers of an HTTP request to arrive."
    )
    http_write_seconds: float = Field(
        60.0, gt=0, le=3600, description="Time for an HTTP client to read what fills its buffers."
    )

    max_concurrent_creations: int = Field(
        32, ge=1, le=10_000, description="Creations in progress at most, and uploads in progress at most."
    )
    max_concurrent_searches: int = Field(
        4, ge=1, le=1000, description="Searches and matrices in progress at most."
    )
    max_jobs: int = Field(
        32, ge=1, le=10_000, description="Unfinished jobs at most, each with its recording."
    )
    max_jobs_per_session: int = Field(
        16, ge=1, le=10_000, description="Unfinished jobs of one session at most."
    )
    max_jobs_per_host: int = Field(
        24, ge=1, le=10_000, description="Unfinished jobs of one host, or of one trusted caller, at most."
    )
    max_remembered_jobs: int = Field(
        512, ge=1, le=100_000, description="Finished jobs remembered at most; the oldest go first."
    )
    job_retention_seconds: float = Field(
        3600.0, gt=0, le=_DAY_SECONDS, description="Time for which a finished job is remembered."
    )
    job_database: Path | None = Field(
        None,
        description="File of SQLite that holds the jobs, with the recordings of unfinished ones; "
        "jobs.sqlite3 in the folder of the images if absent. On a disk of this machine, not on a network's.",
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Address of Redis, such as redis://redis:6379/0, that holds the jobs and counts requests "
        "in place of this gateway, so that several gateways share them; needs the extra redis and a "
        "session_key.",
    )
    job_retry_seconds: float = Field(
        300.0,
        ge=0,
        le=_DAY_SECONDS,
        description="Time for which a job is tried again if a service cannot be reached; 0 for none.",
    )
    job_lease_seconds: float = Field(
        15.0,
        ge=1,
        le=3600,
        description="Time after which the jobs of a gateway that has died are taken over.",
    )
    job_timeout_seconds: float = Field(
        600.0,
        gt=0,
        le=_DAY_SECONDS,
        description="Time for one job, and for one image of batch priority over gRPC if "
        "the caller sets no deadline; the wait in queues included.",
    )
    webhook_hosts: ReceiverNames = Field(
        (),
        description="Public hosts to which the ends of jobs may be reported, by https, separated by commas: "
        "names, *.name for all below a name, or * for every one. Empty: none.",
    )
    webhook_private_hosts: ReceiverNames = Field(
        (),
        description="Further hosts for that, separated by commas, which may be at private addresses and be "
        "called by http.",
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="What reports are signed with whose job brought no secret of its own: whsec_ and the "
        "base64 of 24 to 64 bytes; several with spaces between, the newest first, to replace one.",
    )
    max_live_streams: int = Field(16, ge=1, le=10_000, description="Live streams at a time at most.")
    max_live_streams_per_client: int = Field(
        4, ge=1, le=10_000, description="Live streams of one client at most."
    )
    max_live_streams_per_host: int = Field(
        12, ge=1, le=10_000, description="Live streams of one host at most."
    )
    max_live_seconds: float = Field(
        120.0, gt=0, le=3600, description="Longest live sound; shown to people, enforced by audio-features."
    )
    rate_limit_per_minute: float = Field(
        600.0, ge=0, le=1_000_000, description="POST requests of one client a minute in the long run; 0: any."
    )
    rate_limit_burst: int = Field(
        120, ge=1, le=1_000_000, description="POST requests of one client at once, after a rest."
    )
    rate_limit_clients_per_host: int = Field(
        8,
        ge=1,
        le=1_000_000,
        description="Clients whose rate one host may reach; raise it if all come through one proxy.",
    )
    max_audio_bytes: int = Field(
        10 * _MEBIBYTE, ge=1024, le=1024 * _MEBIBYTE, description="Largest recording, in bytes."
    )
    max_upload_bytes: int = Field(
        200 * _MEBIBYTE,
        ge=1024,
        le=1024**3,
        description="Largest recording of which a part is chosen, in bytes; one above "
        "`max_audio_bytes` comes in pieces and waits on disk, in TMPDIR.",
    )
    max_large_uploads: int = Field(
        4,
        ge=1,
        le=1000,
        description="Such uploads at a time at most; each with `max_upload_bytes` of disk.",
    )
    max_upload_seconds: float = Field(
        1800.0, gt=0, le=_DAY_SECONDS, description="Time for such an upload to arrive."
    )
    max_image_bytes: int = Field(
        10 * _MEBIBYTE, ge=1024, le=1024 * _MEBIBYTE, description="Largest image to compare, in bytes."
    )
    min_audio_seconds: float = Field(
        0.1, ge=0, description="Shortest recording; shown to people, enforced by audio-features."
    )
    max_audio_seconds: float = Field(
        30.0, gt=0, description="Longest recording; shown to people, enforced by audio-features."
    )
    preview_interval_steps: int = Field(
        2, ge=0, le=150, description="Denoising steps between the previews of an event stream; 0 sends none."
    )
    preview_size_pixels: int = Field(128, ge=16, le=512, description="Side of those previews.")

    image_folder: Path = Field(
        default_factory=_default_image_folder, description="Folder of the images; made if absent."
    )
    image_bucket: str = Field(
        "",
        max_length=255,
        description="Bucket of S3, or of a server that speaks its protocol, that holds the images in place "
        "of the folder, so that several gateways share them; needs the extra s3 and a session_key.",
    )
    image_bucket_prefix: str = Field(
        "", max_length=255, description="Beginning of the keys of the images in the bucket."
    )
    image_bucket_endpoint: Endpoint = Field(
        "", description="Address of the server that holds the bucket; empty for Amazon's."
    )
    image_bucket_region: str = Field("", max_length=64, description="Region of the bucket.")
    image_bucket_access_key_id: SecretStr = Field(
        SecretStr(""),
        description="Name of the key to the bucket; empty for what the environment gives (AWS_...).",
    )
    image_bucket_secret_access_key: SecretStr = Field(SecretStr(""), description="The key to the bucket.")
    max_share_links: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Links to images kept at most, with the clips that may be heard there; the oldest go.",
    )
    max_share_bytes: int = Field(
        1024 * _MEBIBYTE,
        ge=10 * _MEBIBYTE,
        le=1024**4,
        description="Bytes of such clips at most; the owner with the most loses the oldest.",
    )
    max_images: int = Field(
        1000,
        ge=1,
        le=100_000,
        description="Images of all sessions kept at most; then the session with the most gives its oldest.",
    )
    max_images_per_session: int = Field(
        100, ge=1, le=100_000, description="Images of one session kept at most; the oldest go first."
    )
    image_retention_seconds: float = Field(
        _DAY_SECONDS, gt=0, le=366 * _DAY_SECONDS, description="Time after which an image expires."
    )
    image_sweep_interval_seconds: float = Field(
        60.0, gt=0, le=_DAY_SECONDS, description="Time between looks for expired images."
    )

    film_folder: Path | None = Field(
        None,
        description="Folder of the films and their songs; films in the folder of the images if absent.",
    )
    max_films: int = Field(16, ge=0, le=10_000, description="Unfinished films at most; 0 makes none.")
    max_film_bytes: int = Field(
        16 * 1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="Bytes of all films and their songs. Films that failed or were cancelled make room for "
        "new ones; a song for which that is not enough is refused.",
    )
    max_films_per_session: int = Field(
        8, ge=1, le=10_000, description="Films of one session kept at most, each up to some 300 MB."
    )

    cors_origins: Annotated[tuple[HttpUrl, ...], BeforeValidator(split_list)] = Field(
        (), description="Other origins whose pages may use the REST API, separated by commas."
    )

    @property
    def spool_limits(self) -> SpoolLimits:
        """What may wait on disk."""
        return SpoolLimits(
            max_bytes=self.max_upload_bytes,
            max_files=self.max_large_uploads,
            max_seconds=self.max_upload_seconds,
            min_bytes_per_second=self.min_upload_bytes_per_second,
        )

    @field_validator("session_key")
    @classmethod
    def _check_session_key(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < _MIN_KEY_LENGTH:
            raise ValueError(f"is too short; give at least {_MIN_KEY_LENGTH} characters, or none")
        return key

    @field_validator("redis_url")
    @classmethod
    def _check_redis_url(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if text and not text.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return url

    @field_validator("webhook_secret")
    @classmethod
    def _check_webhook_secret(cls, secrets: SecretStr) -> SecretStr:
        if not all(map(is_secret, secrets.get_secret_value().split())):
            raise ValueError("must be whsec_ and the base64 of 24 to 64 bytes")
        return secrets

    @property
    def webhook_policy(self) -> WebhookPolicy:
        """Which webhooks are allowed."""
        return WebhookPolicy(
            self.webhook_hosts,
            self.webhook_private_hosts,
            tuple(self.webhook_secret.get_secret_value().split()),
        )

    @field_validator("image_bucket", "redis_url")
    @classmethod
    def _check_shared_key(cls, address: str | SecretStr, info: ValidationInfo) -> str | SecretStr:
        key = info.data.get("session_key")
        given = address.get_secret_value() if isinstance(address, SecretStr) else address
        if given and key is not None and not key.get_secret_value():
            raise ValueError(
                f"needs {cls.environment_prefix}SESSION_KEY, the same for all gateways that share it"
            )
        return address

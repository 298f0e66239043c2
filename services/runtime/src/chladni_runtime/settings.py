"""Settings from the environment, read once, with every fault reported together."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from chladni_runtime.execution.heartbeats import HEARTBEAT_SECONDS, MAX_HEARTBEAT_SECONDS
from chladni_runtime.failpoints import Failpoints, parse_failpoints
from chladni_runtime.security.certificates import (
    AUTHORITIES,
    CERTIFICATE,
    KEY,
    TlsMaterial,
    watched_certificates,
)
from chladni_runtime.security.watched_files import FileError, WatchedFiles
from chladni_runtime.setting_faults import SettingConflictError, describe_faults, describe_unknown

Port = Annotated[int, Field(ge=0, le=65535)]


def split_list(value: object) -> object:
    """Return the items of a text that are separated by commas; anything else as it is."""
    return (
        tuple(item.strip() for item in value.split(",") if item.strip()) if isinstance(value, str) else value
    )


def _check_networks(networks: tuple[str, ...]) -> tuple[str, ...]:
    for network in networks:
        ip_network(network, strict=False)
    return networks


Networks = Annotated[tuple[str, ...], BeforeValidator(split_list), AfterValidator(_check_networks)]
"""Addresses and networks, such as `127.0.0.1` and `10.0.0.0/8`."""


Names = Annotated[tuple[str, ...], BeforeValidator(split_list)]


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _check_failpoints(text: str) -> str:
    parse_failpoints(text)
    return text


FailpointText = Annotated[str, AfterValidator(_check_failpoints)]

OptionalFile = Annotated[Path | None, BeforeValidator(_none_if_empty)]
"""A file, or nothing, which an empty variable says too."""


class ServiceSettings(BaseModel):
    """Settings that every service has. A subclass sets the prefix and adds its own.

    Attributes:
        environment_prefix: Beginning of the names of the environment variables, such as ``CHLADNI_GATEWAY_``;
            the rest of a name is that of the field in capitals.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    environment_prefix: ClassVar[str]

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 in a container.")
    grpc_port: Port = Field(description="Port of the gRPC server; 0 picks a free one.")
    metrics_port: Port = Field(description="Port of the Prometheus endpoint; 0 picks a free one.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Log level.")
    max_concurrent_requests: int = Field(
        64, ge=1, le=100_000, description="Requests in progress at most; more are refused."
    )
    max_request_bytes: int = Field(
        32 * 1024 * 1024,
        ge=1024,
        le=1024**3,
        description="Largest gRPC message, in bytes. The limits of single fields are lower.",
    )
    max_requests_per_host: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Requests in progress of one host at most; 0 for all, as behind a proxy.",
    )
    trusted_peers: Networks = Field(
        ("127.0.0.0/8", "::1/128"),
        description="Addresses and networks of clients whose word counts on whose behalf they call "
        "(x-caller-id), separated by commas.",
    )
    max_connections: int = Field(
        1024, ge=1, le=100_000, description="gRPC connections at most; further ones are closed."
    )
    max_connection_age_seconds: float = Field(
        30.0,
        ge=0.1,
        le=86_400,
        description="Age at which a client is asked to connect again, so that it finds replicas that were "
        "added. Its calls in progress go on.",
    )
    message_timeout_seconds: float = Field(
        300.0, gt=0, le=3600, description="Time for the request message of a gRPC call to arrive."
    )
    max_slow_messages: int = Field(
        16,
        ge=1,
        le=100_000,
        description="Request messages at most that take more than a second to arrive; when there are more, "
        "the connection that has the most loses its oldest.",
    )
    stream_idle_seconds: float = Field(
        120.0, gt=0, le=3600, description="Time between two request messages of a gRPC stream."
    )
    max_bytes_in_flight: int = Field(
        512 * 1024 * 1024,
        ge=1024,
        le=1024**4,
        description="Bytes that the requests in progress may hold together; more are refused.",
    )
    min_ping_interval_seconds: float = Field(
        5.0,
        ge=0.05,
        le=3600,
        description="How often a client may ping a silent connection (gRPC keepalive); one that pings more "
        "often is disconnected.",
    )
    heartbeat_seconds: float = Field(
        HEARTBEAT_SECONDS,
        gt=0,
        le=MAX_HEARTBEAT_SECONDS,
        description="Silence of a stream after which a heartbeat is sent, so that proxies keep it open.",
    )
    tls_certificate: OptionalFile = Field(
        None,
        description="File of the server's certificate, and those above it, in PEM format; it switches TLS "
        "on. It is read again when it changes, as the other files of TLS are.",
    )
    tls_key: OptionalFile = Field(
        None, description="File of the private key of that certificate, in PEM format, not encrypted."
    )
    tls_client_ca: OptionalFile = Field(
        None,
        description="File of authorities in PEM format: clients without a certificate of theirs are refused.",
    )
    tls_client_names: Names = Field(
        (),
        description="Names, separated by commas, of which a client's certificate must bear one: a DNS name, "
        "a URI, an address or the common name. Without any, each certificate of TLS_CLIENT_CA is good.",
    )
    file_check_seconds: float = Field(
        10.0, gt=0, le=3600, description="Time between two looks at whether such files have changed."
    )
    drain_delay_seconds: float = Field(
        1.0,
        ge=0,
        le=120,
        description="After SIGTERM, how long new requests are still taken while health says "
        "NOT_SERVING, so that load balancers notice first.",
    )
    drain_timeout_seconds: float = Field(
        30.0, ge=0, le=3600, description="After that, how long requests in progress may take."
    )
    failpoints: FailpointText = Field(
        "",
        description="Faults at named places, for tests of robustness alone, such as step.after=1%exit; "
        "refused without ALLOW_FAILPOINTS=true, and on other addresses than loopback.",
    )
    allow_failpoints: bool = Field(
        False, description="Whether this is a test of robustness, in which FAILPOINTS may be set."
    )

    @cached_property
    def armed_failpoints(self) -> Failpoints:
        """The failpoints of the service; those of a service that is no test do nothing."""
        return parse_failpoints(self.failpoints)

    @cached_property
    def server_certificates(self) -> WatchedFiles[TlsMaterial] | None:
        """The files of the server's TLS, read for the first time; `None` for clear text."""
        if self.tls_certificate is None:
            return None
        return watched_certificates(
            "server certificates",
            certificate=self.tls_certificate,
            key=self.tls_key,
            authorities=self.tls_client_ca,
        )

    @property
    def watched_files(self) -> list[WatchedFiles[Any]]:
        """All files that are read again when they change."""
        return [self.server_certificates] if self.server_certificates else []

    @model_validator(mode="after")
    def _check_server_files(self) -> Self:
        _check_pair(self, "tls_certificate", "tls_key")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise SettingConflictError(
                "tls_client_ca", "asks clients for certificates without TLS. Set tls_certificate too."
            )
        if self.tls_client_names and self.tls_client_ca is None:
            raise SettingConflictError(
                "tls_client_names", "needs certificates that say the names. Set tls_client_ca too."
            )
        check_files(lambda: self.server_certificates, SERVER_FIELDS)
        return self

    @model_validator(mode="after")
    def _check_failpoints_allowed(self) -> Self:
        if self.failpoints and not self.allow_failpoints:
            raise SettingConflictError(
                "failpoints",
                "makes the service fail, for tests. Unset it; in a test, set allow_failpoints.",
            )
        if self.failpoints and not is_loopback(self.host):
            raise SettingConflictError(
                "failpoints", f"is for tests on loopback, and this service listens on {self.host}. Unset it."
            )
        return self


class CallingServiceSettings(ServiceSettings):
    """Settings of a service that calls others."""

    backend_tls_ca: OptionalFile = Field(
        None,
        description="File of authorities in PEM format, whose certificates are accepted of the services that "
        "this one calls; it switches TLS on for all of them.",
    )
    backend_tls_certificate: OptionalFile = Field(
        None, description="File of the certificate that these services are shown, in PEM format."
    )
    backend_tls_key: OptionalFile = Field(
        None, description="File of the private key of that certificate, in PEM format, not encrypted."
    )

    @property
    def watched_files(self) -> list[WatchedFiles[Any]]:
        """All files that are read again when they change."""
        return [*super().watched_files, *([self.backend_certificates] if self.backend_certificates else [])]

    @cached_property
    def backend_certificates(self) -> WatchedFiles[TlsMaterial] | None:
        """The files of the connections to other services; `None` for clear text."""
        if self.backend_tls_ca is None:
            return None
        return watched_certificates(
            "backend certificates",
            certificate=self.backend_tls_certificate,
            key=self.backend_tls_key,
            authorities=self.backend_tls_ca,
        )

    @model_validator(mode="after")
    def _check_backend_files(self) -> Self:
        _check_pair(self, "backend_tls_certificate", "backend_tls_key")
        if self.backend_tls_certificate is not None and self.backend_tls_ca is None:
            raise SettingConflictError(
                "backend_tls_certificate", "is never shown without TLS. Set backend_tls_ca too."
            )
        check_files(lambda: self.backend_certificates, BACKEND_FIELDS)
        return self


SERVER_FIELDS: Final = {
    CERTIFICATE: "tls_certificate",
    KEY: "tls_key",
    AUTHORITIES: "tls_client_ca",
}
BACKEND_FIELDS: Final = {
    CERTIFICATE: "backend_tls_certificate",
    KEY: "backend_tls_key",
    AUTHORITIES: "backend_tls_ca",
}


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_pair(settings: BaseModel, certificate: str, key: str) -> None:
    for one, other in ((certificate, key), (key, certificate)):
        if getattr(settings, one) is not None and getattr(settings, other) is None:
            raise SettingConflictError(one, f"is of no use alone. Set {other} too.")


def check_files(load: Callable[[], object], fields: Mapping[str, str]) -> None:
    """Load files, of which a setting names each.

    Args:
        load: Loads them.
        fields: The field of each part.

    Raises:
        SettingConflictError: They cannot be used.
    """
    try:
        load()
    except FileError as error:
        raise SettingConflictError(fields[error.part], str(error)) from None


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)


class ConfigurationError(Exception):
    """The service cannot run as it is configured; the message says why and what to do."""


class SettingsError(ConfigurationError):
    """The environment does not hold valid settings; the message lists every fault."""


def load_settings(settings_class: type[SettingsT], environ: Mapping[str, str] | None = None) -> SettingsT:
    """Read settings from environment variables.

    Args:
        settings_class: Class whose `environment_prefix` and fields say which variables to read.
        environ: Variables to read; the process's own if absent.

    Raises:
        SettingsError: Some variable is invalid, missing, or unknown under the prefix.
    """
    environ = os.environ if environ is None else environ
    prefix = settings_class.environment_prefix
    known = {f"{prefix}{name.upper()}": name for name in settings_class.model_fields}
    given = {name: value for name, value in environ.items() if name.startswith(prefix)}
    faults = [describe_unknown(name, list(known)) for name in given if name not in known]
    values = {known[name]: value for name, value in given.items() if name in known}
    try:
        settings = settings_class.model_validate(values)
    except ValidationError as error:
        faults += describe_faults(error, settings_class, prefix=prefix, values=values)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise SettingsError(f"The settings have {len(faults)} fault(s):\n{lines}")
    return settings


def load_settings_or_exit(settings_class: type[SettingsT]) -> SettingsT:
    """Read settings from the environment; print the faults and exit with status 2 if there are any."""
    try:
        return load_settings(settings_class)
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None

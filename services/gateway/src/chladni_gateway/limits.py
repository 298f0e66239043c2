"""What the settings say to the transports and the jobs: their limits, and the TLS of HTTP."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from chladni_gateway.application import Limits
from chladni_gateway.creation.job_worker import JobLimits
from chladni_gateway.rest.http_connections import ConnectionLimits
from chladni_runtime.security.credentials import ServerContext
from chladni_runtime.settings import is_loopback

if TYPE_CHECKING:
    from chladni_gateway.config import GatewaySettings
    from chladni_runtime.server.peers import PeerSet

_log = logging.getLogger(__name__)


def limits_of(settings: GatewaySettings) -> Limits:
    """Return the limits of the transports."""
    return Limits(
        creation_timeout_seconds=settings.creation_timeout_seconds,
        job_timeout_seconds=settings.job_timeout_seconds,
        comparison_timeout_seconds=settings.comparison_timeout_seconds,
        spectrogram_timeout_seconds=settings.spectrogram_timeout_seconds,
        health_timeout_seconds=settings.health_timeout_seconds,
        upload_timeout_seconds=settings.upload_timeout_seconds,
        max_concurrent_uploads=settings.max_concurrent_creations,
        min_upload_bytes_per_second=settings.min_upload_bytes_per_second,
        max_audio_bytes=settings.max_audio_bytes,
        max_upload_bytes=settings.max_upload_bytes,
        max_upload_seconds=settings.max_upload_seconds,
        min_audio_seconds=settings.min_audio_seconds,
        max_audio_seconds=settings.max_audio_seconds,
        max_live_seconds=settings.max_live_seconds,
        max_message_bytes=settings.max_request_bytes,
        min_ping_interval_seconds=settings.min_ping_interval_seconds,
        heartbeat_seconds=settings.heartbeat_seconds,
    )


def connection_limits_of(settings: GatewaySettings, *, exempt_hosts: PeerSet) -> ConnectionLimits:
    """Return the limits of HTTP connections.

    Args:
        settings: The settings.
        exempt_hosts: Hosts that may have as many as they like.
    """
    return ConnectionLimits(
        max_connections=settings.max_http_connections,
        max_per_host=settings.max_http_connections_per_host,
        exempt_hosts=exempt_hosts,
        header_seconds=settings.http_header_seconds,
        write_seconds=settings.http_write_seconds,
    )


def job_limits_of(settings: GatewaySettings) -> JobLimits:
    """Return the limits of jobs."""
    return JobLimits(
        max_unfinished=settings.max_jobs,
        max_unfinished_per_owner=settings.max_jobs_per_session,
        max_unfinished_per_caller=settings.max_jobs_per_host,
        max_remembered=settings.max_remembered_jobs,
        retention=timedelta(seconds=settings.job_retention_seconds),
        timeout_seconds=settings.job_timeout_seconds,
        retry_seconds=settings.job_retry_seconds,
        lease_seconds=settings.job_lease_seconds,
    )


def http_tls_of(settings: GatewaySettings) -> ServerContext | None:
    """Return what the connections of browsers are secured by; `None` for clear text."""
    if settings.server_certificates is None:
        if settings.authenticator.is_required and not is_loopback(settings.host):
            _log.warning(
                "tokens come over clear text, so whoever is on their way can read them. Set "
                "CHLADNI_GATEWAY_TLS_CERTIFICATE and CHLADNI_GATEWAY_TLS_KEY, or let only a proxy with TLS "
                "reach the ports.",
                extra={"host": settings.host},
            )
        return None
    return ServerContext(
        settings.server_certificates,
        asks_clients=settings.http_client_certificates,
        client_names=settings.tls_client_names,
    )

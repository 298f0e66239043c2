"""The shipped service config, as far as gRPC carries it out for this client."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final

from chladni_client._transport.retries import RetryPolicy

_REPEATED_HERE: Final = (
    {"service": "chladni.gateway.v1.ImageService", "method": "CreateImage"},
    {"service": "chladni.gateway.v1.ImageService", "method": "DownloadImage"},
    {"service": "chladni.gateway.v1.JobService", "method": "WatchJob"},
)
"""Repeated by `chladni_client._calls`, which also does it after the first event or part."""

_SHORTEST_BACKOFF_SECONDS: Final = 0.01
"""gRPC refuses a wait of 0; after one that jitter makes shorter than 1 ms, it hangs until the deadline."""


def shipped_service_config() -> dict[str, Any]:
    """Return the service config (https://github.com/grpc/grpc/blob/master/doc/service_config.md).

    It is the copy of ``protos/service_config.json`` that `make protos` puts into `chladni_contract`.
    """
    text = resources.files("chladni_contract").joinpath("service_config.json").read_text("utf-8")
    config: dict[str, Any] = json.loads(text)
    return config


def service_config(policy: RetryPolicy) -> str:
    """Return the service config of a channel, as JSON.

    Every call of this client has a deadline of its own (`Timeouts`), so the time-outs of the shipped config,
    which can only shorten it, are left out.

    Args:
        policy: How often and how patiently calls are repeated, in place of what the config says.
    """
    config = shipped_service_config()
    for entry in config["methodConfig"]:
        entry.pop("timeout", None)
        if "retryPolicy" in entry and policy.max_attempts > 1:
            entry["retryPolicy"] |= _retry_policy(policy)
        else:
            entry.pop("retryPolicy", None)
        entry["name"] = [name for name in entry["name"] if name not in _REPEATED_HERE]
    config["methodConfig"] = [entry for entry in config["methodConfig"] if entry["name"]]
    return json.dumps(config)


def _retry_policy(policy: RetryPolicy) -> dict[str, Any]:
    return {
        "maxAttempts": policy.max_attempts,
        "initialBackoff": _duration(policy.initial_backoff_seconds),
        "maxBackoff": _duration(policy.max_backoff_seconds),
    }


def _duration(seconds: float) -> str:
    return f"{max(seconds, _SHORTEST_BACKOFF_SECONDS):.3f}s"

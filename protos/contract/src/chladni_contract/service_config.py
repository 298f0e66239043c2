"""The shipped gRPC service config: how clients spread, bound and repeat their calls."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def read_service_config() -> dict[str, Any]:
    """Return the service config (https://github.com/grpc/grpc/blob/master/doc/service_config.md).

    It is the copy of ``protos/service_config.json`` that `make protos` puts beside this module.
    """
    text = resources.files(__package__).joinpath("service_config.json").read_text("utf-8")
    config: dict[str, Any] = json.loads(text)
    return config

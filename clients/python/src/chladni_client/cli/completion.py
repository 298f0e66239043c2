"""What a shell proposes while a command is typed."""

from __future__ import annotations

import os
from contextlib import closing

import typer

from chladni_client.client import Client
from chladni_client.errors import ChladniError

_SECONDS = 2.0


def complete_recipe(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Return the recipes of the server whose names begin as typed; none if it does not answer at once."""
    parameters = context.find_root().params | context.params
    target = parameters.get("target") or os.environ.get("CHLADNI_CLIENT_TARGET") or None
    try:
        with closing(Client(target)) as client:
            recipes = client.list_recipes(timeout_seconds=_SECONDS)
    except (ChladniError, OSError, ValueError):
        return []
    return [(item.name, item.description) for item in recipes if item.name.startswith(incomplete)]

"""Options that say how the server is reached; they stand before the subcommand or after it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias, get_args

import typer

from chladni_client.cli.invocation import Invocation

_PANEL: Final = "Connection"

TargetOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        envvar="CHLADNI_CLIENT_TARGET",
        help="Gateway.",
        show_default="localhost:50050",
        rich_help_panel=_PANEL,
    ),
]
AudioFeaturesTargetOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        envvar="CHLADNI_CLIENT_AUDIO_FEATURES_TARGET",
        help="Audio-feature service, for `descriptors`; if it is named, for spectrograms, too.",
        show_default="localhost:50051",
        rich_help_panel=_PANEL,
    ),
]
TlsOption: TypeAlias = Annotated[
    bool, typer.Option("--tls", help="Connect with TLS.", rich_help_panel=_PANEL)
]
CaFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="CHLADNI_CA_FILE",
        help="Certificate authorities to trust (PEM) in place of the system's; implies --tls.",
        exists=True,
        dir_okay=False,
        rich_help_panel=_PANEL,
    ),
]
CertificateFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="CHLADNI_CERTIFICATE_FILE",
        help="Certificate of this client (PEM), for a server that wants one; implies --tls.",
        exists=True,
        dir_okay=False,
        rich_help_panel=_PANEL,
    ),
]
KeyFileOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        envvar="CHLADNI_KEY_FILE",
        help="Key of that certificate (PEM).",
        exists=True,
        dir_okay=False,
        rich_help_panel=_PANEL,
    ),
]
TokenOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        envvar="CHLADNI_CLIENT_TOKEN",
        help="Token that goes with each call. Others on this machine may see what is typed, but not the "
        "variable.",
        rich_help_panel=_PANEL,
    ),
]
SessionTokenOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        envvar="CHLADNI_SESSION_TOKEN",
        help="Token to which images and jobs belong. Without it, one for each server is drawn and kept for "
        "later commands in $XDG_STATE_HOME/chladni (~/.local/state/chladni), in a file for you alone.",
        rich_help_panel=_PANEL,
    ),
]
TimeoutOption: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="Time that a call may take.",
        min=0.001,
        show_default="120 to create, 30 otherwise",
        rich_help_panel=_PANEL,
    ),
]

_OPTIONS: Final = {
    "target": TargetOption,
    "audio_features_target": AudioFeaturesTargetOption,
    "tls": TlsOption,
    "ca_file": CaFileOption,
    "certificate_file": CertificateFileOption,
    "key_file": KeyFileOption,
    "token": TokenOption,
    "session_token": SessionTokenOption,
    "timeout": TimeoutOption,
}


def with_connection_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that also takes the options of the connection; they win over those before its name.

    Args:
        command: A function whose parameter `context` has the `Invocation` of what stands before its name.
    """

    @wraps(command)
    def connected(**arguments: Any) -> None:
        given = {name: arguments.pop(name) for name in _OPTIONS}
        context: typer.Context = arguments["context"]
        invocation: Invocation = context.obj
        given = {name: value for name, value in given.items() if value not in (None, False)}
        context.obj = replace(invocation, **given)
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    further = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if name == "tls" else None,
            annotation=_without_variable(option),
        )
        for name, option in _OPTIONS.items()
    ]
    parameters = [*signature.parameters.values(), *further]
    connected.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    connected.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return connected


def _without_variable(option: Any) -> Any:
    """Return an option that no environment variable sets, so that what stands before the subcommand wins."""
    value_type, info = get_args(option)
    info = copy(info)
    info.envvar = None
    return Annotated[value_type, info]

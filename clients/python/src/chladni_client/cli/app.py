"""The command line as a whole."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from chladni_client.cli.commands.audio import descriptors, spectrogram
from chladni_client.cli.commands.compare import compare
from chladni_client.cli.commands.create import create
from chladni_client.cli.commands.inspect import inspect
from chladni_client.cli.commands.live import live
from chladni_client.cli.commands.reproduce import reproduce
from chladni_client.cli.commands.server import health, recipes
from chladni_client.cli.failures import EXIT_STATUS_MEANINGS
from chladni_client.cli.invocation import Invocation


def main() -> None:
    """Run the command `chladni`."""
    build_app()()


def build_app() -> typer.Typer:
    """Return the command with its subcommands."""
    statuses = "  \n".join(f"{status:d}  {meaning}" for status, meaning in EXIT_STATUS_MEANINGS.items())
    app = typer.Typer(
        name="chladni",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        epilog=f"[bold]Exit statuses[/]\n\n{statuses}",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_choose_server)
    app.command()(create)
    app.command()(live)
    app.command()(compare)
    app.command()(inspect)
    app.command()(reproduce)
    app.command()(spectrogram)
    app.command()(descriptors)
    app.command()(recipes)
    app.command()(health)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chladni {metadata.version('chladni-client')}")
        raise typer.Exit


def _choose_server(
    context: typer.Context,
    *,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="CHLADNI_CLIENT_TARGET",
            help="Gateway.",
            show_default="localhost:50050",
        ),
    ] = None,
    audio_features_target: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="CHLADNI_CLIENT_AUDIO_FEATURES_TARGET",
            help="Audio-feature service.",
            show_default="localhost:50051",
        ),
    ] = None,
    tls: Annotated[bool, typer.Option("--tls", help="Connect with TLS.")] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="CHLADNI_CA_FILE",
            help="Certificate authorities to trust (PEM) in place of the system's; implies --tls.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    certificate_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="CHLADNI_CERTIFICATE_FILE",
            help="Certificate of this client (PEM), for a server that wants one; implies --tls.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            envvar="CHLADNI_KEY_FILE",
            help="Key of that certificate (PEM).",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="CHLADNI_CLIENT_TOKEN",
            help="Token that goes with each call; others on this machine may see what is typed here, but "
            "not the variable.",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Time that a call may take.",
            min=0.001,
            show_default="120 to create, 30 otherwise",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Turn sound into images, and measure how alike images are.

    These commands talk to a Chladni server; `make up` starts one on this machine.

    [bold]Examples[/]

      chladni create voice.wav -o voice.png
      chladni live --prompt "a voice as ink in water"
      chladni compare voice.png flute.png
      chladni inspect voice.png
      chladni reproduce voice.png voice.wav
      chladni --target chladni.example.org:443 --tls create voice.wav
    """
    context.obj = Invocation(
        target=target,
        audio_features_target=audio_features_target,
        is_secure=tls,
        ca_path=ca_file,
        certificate_path=certificate_file,
        key_path=key_file,
        token=token,
        timeout_seconds=timeout,
    )

"""The command line as a whole."""

from __future__ import annotations

import io
import sys
from importlib import metadata
from typing import Annotated

import typer

from chladni_client.cli.batch import batch
from chladni_client.cli.commands.anomaly import anomaly
from chladni_client.cli.commands.audio import descriptors, reconstruct, spectrogram
from chladni_client.cli.commands.compare import compare
from chladni_client.cli.commands.create import create
from chladni_client.cli.commands.images import delete, images, pin
from chladni_client.cli.commands.inspect import inspect
from chladni_client.cli.commands.jobs import jobs
from chladni_client.cli.commands.live import live
from chladni_client.cli.commands.music import music, prompts
from chladni_client.cli.commands.reproduce import reproduce
from chladni_client.cli.commands.server import health, info, recipes
from chladni_client.cli.commands.similarity import align, matrix, search
from chladni_client.cli.connection_options import (
    AudioFeaturesTargetOption,
    CaFileOption,
    CertificateFileOption,
    KeyFileOption,
    SessionTokenOption,
    TargetOption,
    TimeoutOption,
    TlsOption,
    TokenOption,
    with_connection_options,
)
from chladni_client.cli.failures import EXIT_STATUS_MEANINGS
from chladni_client.cli.film import film
from chladni_client.cli.invocation import Invocation


def main() -> None:
    """Run the command `chladni`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a locale cannot show is escaped, and no failure
            stream.reconfigure(errors="backslashreplace")
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
    app.command()(with_connection_options(create))
    app.command()(with_connection_options(live))
    app.command()(with_connection_options(film))
    app.command()(with_connection_options(compare))
    app.command()(inspect)
    app.command()(with_connection_options(reproduce))
    app.command()(with_connection_options(spectrogram))
    app.command()(with_connection_options(descriptors))
    app.command()(with_connection_options(reconstruct))
    app.command()(with_connection_options(music))
    app.command()(with_connection_options(prompts))
    app.command()(with_connection_options(batch))
    app.command()(with_connection_options(anomaly))
    app.command()(with_connection_options(images))
    app.command()(with_connection_options(search))
    app.command()(with_connection_options(matrix))
    app.command()(with_connection_options(align))
    app.command()(with_connection_options(pin))
    app.command()(with_connection_options(delete))
    app.command()(with_connection_options(jobs))
    app.command()(with_connection_options(recipes))
    app.command()(with_connection_options(info))
    app.command()(with_connection_options(health))
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chladni {metadata.version('chladni-client')}")
        raise typer.Exit


def _choose_server(
    context: typer.Context,
    *,
    target: TargetOption = None,
    audio_features_target: AudioFeaturesTargetOption = None,
    tls: TlsOption = False,
    ca_file: CaFileOption = None,
    certificate_file: CertificateFileOption = None,
    key_file: KeyFileOption = None,
    token: TokenOption = None,
    session_token: SessionTokenOption = None,
    timeout: TimeoutOption = None,
    version: Annotated[  # noqa: ARG001 - handled by its callback
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Turn sound into images, and measure how alike images are.

    These commands talk to a Chladni server; `make up` starts one on this machine. The options of the
    connection may stand before the command or after it.

    [bold]Examples[/]

      chladni create voice.wav -o voice.png
      chladni live --prompt "a voice as ink in water"
      chladni film song.flac
      chladni compare voice.wav flute.ogg
      chladni inspect voice.png
      chladni images
      chladni reproduce voice.png voice.wav
      chladni create voice.wav --target chladni.example.org:443 --tls
      arecord -d 5 -f cd | chladni create - -o voice.png
    """
    context.obj = Invocation(
        target=target,
        audio_features_target=audio_features_target,
        tls=tls,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
        token=token,
        session_token=session_token,
        timeout=timeout,
    )

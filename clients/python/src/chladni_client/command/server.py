"""`chladni recipes` and `chladni health`: what a server offers, and whether it serves."""

from contextlib import closing
from dataclasses import asdict
from typing import Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chladni_client.command.failures import ExitStatus, reported_failures
from chladni_client.command.invocation import JsonOption, invocation_of, print_json
from chladni_client.services import ServiceState

_STATE_STYLE: Final = {
    ServiceState.SERVING: "green",
    ServiceState.NOT_SERVING: "yellow",
    ServiceState.UNREACHABLE: "red",
}


def recipes(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the ways from sound to image that the server knows."""
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = client.list_recipes()
    if as_json:
        print_json({"recipes": [asdict(recipe) for recipe in found]})
        return
    table = Table(box=SIMPLE)
    table.add_column("Recipe", style="cyan", no_wrap=True)
    table.add_column("Available")
    table.add_column("What it does")
    table.add_column("Models", style="dim", overflow="fold")
    for recipe in found:
        reason = f" [dim]{escape(recipe.unavailable_reason)}[/]" if recipe.unavailable_reason else ""
        table.add_row(
            escape(recipe.name) + (" [dim](default)[/]" if recipe.is_default else ""),
            "[green]yes[/]" if recipe.is_available else f"[red]no[/]{reason}",
            escape(recipe.description),
            escape(", ".join(recipe.models)),
        )
    Console(highlight=False).print(table)


def health(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the server can be reached and is ready; the exit status is 4 if the gateway is not.

    Only `spectrogram`, `descriptors` and `create --spectrogram` need to reach the audio-feature service.
    """
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = client.health()
    if as_json:
        print_json({"services": [asdict(service) for service in found]})
    else:
        table = Table(box=SIMPLE)
        table.add_column("Service", style="cyan")
        table.add_column("Target")
        table.add_column("State")
        for service in found:
            style = _STATE_STYLE[service.state]
            table.add_row(service.name, escape(service.target), f"[{style}]{service.state}[/]")
        Console(highlight=False).print(table)
    if any(item.name == "gateway" and item.state is not ServiceState.SERVING for item in found):
        raise typer.Exit(ExitStatus.UNAVAILABLE)

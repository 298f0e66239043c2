"""`chladni health`: whether a server serves."""

from contextlib import closing
from dataclasses import asdict
from typing import Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chladni_client.cli.failures import ExitStatus, reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.types.services import ServiceState

_STATE_STYLE: Final = {
    ServiceState.SERVING: "green",
    ServiceState.NOT_SERVING: "yellow",
    ServiceState.UNREACHABLE: "red",
}


def health(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the server can be reached and is ready; the exit status is 4 if the gateway is not.

    Only `spectrogram`, `descriptors` and `create --spectrogram` need to reach the audio-feature service;
    `live` shows a spectrum where it can be reached.

    [bold]Examples[/]

      chladni health
      chladni --target chladni.example.org:443 --tls health --json | jq '.services[].state'
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

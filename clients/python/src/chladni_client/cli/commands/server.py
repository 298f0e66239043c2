"""`chladni recipes` and `chladni health`: what the server offers, and whether it serves."""

from __future__ import annotations

from collections.abc import Iterator
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
from chladni_client.types.services import Recipe, RecipeNeed, ServiceState

_STATE_STYLE: Final = {
    ServiceState.SERVING: "green",
    ServiceState.NOT_SERVING: "yellow",
    ServiceState.UNREACHABLE: "red",
}


def health(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say whether the server can be reached and is ready; the exit status is 4 if the gateway is not.

    Only `descriptors` needs to reach the audio-feature service itself.

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


_OPTION_OF_FIELD: Final = {
    "guidance_scale": "--guidance",
    "width_pixels": "--width",
    "height_pixels": "--height",
}


def recipes(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the ways from sound to image that the server knows: what each needs, and what may be chosen.

    What a recipe can go without, on another way than its own, is marked as optional. Options with a star are
    required.

    [bold]Examples[/]

      chladni recipes
      chladni recipes --json | jq -r '.recipes[] | select(.is_available) | .name'
    """
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = client.list_recipes()
    if as_json:
        print_json({"recipes": [asdict(recipe) for recipe in found]})
        return
    table = Table(box=SIMPLE, show_lines=False, padding=(0, 1, 1, 1))
    table.add_column("Recipe", style="cyan", no_wrap=True)
    table.add_column("Available")
    table.add_column("What it does", ratio=2)
    table.add_column("What it needs", ratio=2)
    table.add_column("Options", overflow="fold")
    for recipe in found:
        table.add_row(
            escape(recipe.name) + (" [dim](default)[/]" if recipe.is_default else ""),
            _availability(recipe),
            escape(recipe.description),
            "\n".join(_needs(recipe)),
            "\n".join(_options(recipe)),
        )
    Console(highlight=False).print(table)


def _availability(recipe: Recipe) -> str:
    if recipe.is_available:
        return "[green]yes[/]"
    reason = f"\n[dim]{escape(recipe.unavailable_reason)}[/]" if recipe.unavailable_reason else ""
    return f"[red]no[/]{reason}"


def _needs(recipe: Recipe) -> Iterator[str]:
    for need in recipe.needs:
        optional = " [dim](optional)[/]" if need.is_optional else ""
        yield f"{_mark(need)} {escape(need.description)}{optional}"
        if need.model:
            yield f"  [dim]{escape(need.model)}[/]"
        if need.remedy:
            yield f"  [yellow]{escape(need.remedy)}[/]"
    if not recipe.needs:
        yield f"[dim]{escape(', '.join(recipe.models))}[/]"


def _mark(need: RecipeNeed) -> str:
    if need.is_met:
        return "[green]✓[/]"
    return "[yellow]○[/]" if need.is_optional else "[red]✗[/]"


def _options(recipe: Recipe) -> Iterator[str]:
    for name in recipe.options:
        option = _OPTION_OF_FIELD.get(name, f"--{name.replace('_', '-')}")
        yield escape(option) + (" [red]*[/]" if name in recipe.required_options else "")

"""`chladni recipes`, `chladni info` and `chladni health`: what the server offers, and whether it serves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from chladni_client.cli.completion import complete_recipe
from chladni_client.cli.display.text import option_of, shown
from chladni_client.cli.failures import ExitStatus, reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.errors import NotFoundError, NotOfferedError
from chladni_client.types.jobs import FilmLimits
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
        table.add_column("Target", overflow="fold")
        table.add_column("State")
        for service in found:
            style = _STATE_STYLE[service.state]
            table.add_row(service.name, shown(service.target), f"[{style}]{service.state}[/]")
        Console(highlight=False).print(table)
    if any(item.name == "gateway" and item.state is not ServiceState.SERVING for item in found):
        raise typer.Exit(ExitStatus.UNAVAILABLE)


def info(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the version and the limits of the server, and the health of the services behind it.

    [bold]Examples[/]

      chladni info
      chladni info --target chladni.example.org:443 --tls
      chladni info --json | jq .limits.max_audio_seconds
    """
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = client.server_info()
        films = _film_limits(client)
    if as_json:
        print_json(asdict(found) | {"film_limits": None if films is None else asdict(films)})
        return
    limits = found.limits
    lines = {
        "Version": found.version,
        "API": ", ".join(found.api_packages),
        **{f"Service {service.name}": str(service.state) for service in found.services},
        "Audio": f"{limits.min_audio_seconds:g} to {limits.max_audio_seconds:g} s, at most "
        f"{limits.max_audio_bytes / 1024**2:.0f} MiB",
        "Live audio": f"at most {limits.max_live_seconds:g} s",
        "--seed": _range(limits.seed),
        "--steps": _range(limits.steps),
        "--guidance": _range(limits.guidance_scale),
        "--width, --height": f"{_range(limits.side_pixels)} pixels; models take some of them",
        "--prompt": f"at most {limits.max_prompt_characters} characters",
        "Unfinished jobs": f"at most {limits.max_unfinished_jobs}",
        "Images are kept for": f"{limits.image_retention_seconds / 3600:g} h",
        "Time for an image": f"{limits.default_creation_seconds:g} s",
        **({} if films is None else _film_lines(films)),
    }
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in lines.items():
        table.add_row(shown(name), shown(value))
    Console(highlight=False).print(table)


def _film_limits(client: Client) -> FilmLimits | None:
    """Return the limits of films; `None` if the server makes none, or does not say them."""
    try:
        return client.film_limits()
    except NotOfferedError:
        return None


def _film_lines(films: FilmLimits) -> dict[str, str]:
    return {
        "Song of a film": f"{_range(films.song_seconds)} s, at most {films.max_song_bytes / 1024**2:.0f} MiB",
        "film --size": f"{_range(films.side_pixels)} pixels, multiples of {films.side_step_pixels}",
        "film --fps": _range(films.frames_per_second),
        "film --loop": f"{_range(films.loop_seconds)} s",
        "Films": f"at most {films.max_films}, kept for {films.retention_seconds / 3600:g} h",
    }


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.12g} to {limits[1]:.12g}"


def recipes(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="Recipe to describe in full.", autocompletion=complete_recipe),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List the ways from sound to image that the server knows, a line each; with NAME, all about one.

    A recipe that is not ready says why. What a recipe can go without, on another way than its own, is
    optional.

    [bold]Examples[/]

      chladni recipes
      chladni recipes latent-noise
      chladni recipes --json | jq -r '.recipes[] | select(.is_available) | .name'
    """
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        found = client.list_recipes()
        if name:
            found = tuple(recipe for recipe in found if recipe.name == name)
            if not found:
                raise NotFoundError(
                    f"There is no recipe {name!r}; `chladni recipes` lists them.", reason="UNKNOWN_RECIPE"
                )
    if as_json:
        print_json({"recipes": [asdict(recipe) for recipe in found]})
    elif name:
        _print_recipe(found[0])
    else:
        _print_recipes(found)


def _print_recipes(found: Sequence[Recipe]) -> None:
    console = Console(highlight=False)
    width = max((len(recipe.name) for recipe in found), default=0)
    for recipe in found:
        state = "[green]ready    [/]" if recipe.is_available else "[red]not ready[/]"
        text = recipe.description if recipe.is_available else recipe.unavailable_reason
        if recipe.is_default:
            text = f"(default) {text}"
        line = Text.from_markup(f"[cyan]{shown(recipe.name):<{width}}[/]  {state}  {shown(text)}")
        if console.is_terminal:  # a line each, however narrow it is; --json and NAME cut nothing
            line.truncate(console.width, overflow="ellipsis")
        console.print(line, soft_wrap=True)
    if found:
        Console(stderr=True, highlight=False).print("[dim]chladni recipes NAME describes one in full.[/]")


def _print_recipe(recipe: Recipe) -> None:
    console = Console(highlight=False)
    default = " (default)" if recipe.is_default else ""
    state = "[green]ready[/]" if recipe.is_available else "[red]not ready[/]"
    console.print(f"[bold cyan]{shown(recipe.name)}[/]{default}: {state}")
    if not recipe.is_available:
        console.print(shown(recipe.unavailable_reason))
    console.print(f"\n{shown(recipe.description)}")
    if recipe.needs:
        console.print("\n[bold]Needs[/]")
    for need in recipe.needs:
        optional = " [dim](optional)[/]" if need.is_optional else ""
        console.print(Padding(f"{_mark(need)} {shown(need.description)}{optional}", (0, 0, 0, 2)))
        for text, style in ((need.model, "dim"), (need.remedy, "yellow")):
            if text:
                console.print(Padding(f"[{style}]{shown(text)}[/]", (0, 0, 0, 6)))
    if recipe.models and not recipe.needs:
        console.print(f"\n[bold]Models[/]\n  {shown(', '.join(recipe.models))}")
    if recipe.options:
        console.print("\n[bold]Options of its own[/]")
    for option in recipe.options:
        required = " [red](required)[/]" if option in recipe.required_options else ""
        console.print(f"  {shown(option_of(option))}{required}", soft_wrap=True)


def _mark(need: RecipeNeed) -> str:
    if need.is_met:
        return "[green]✓[/]"
    return "[yellow]○[/]" if need.is_optional else "[red]✗[/]"

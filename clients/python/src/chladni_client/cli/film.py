"""`chladni film`: a song in, a release kit out."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final
from uuid import NAMESPACE_URL, uuid5

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from chladni_client._transport.statuses import error_class_of
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import ExitStatus, reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.types.jobs import Film, FilmPart, FilmState

_DEFAULT_SEED: Final = 7


def film(
    context: typer.Context,
    song: Annotated[
        Path,
        typer.Argument(metavar="SONG", help="The song, 3 s to 10 minutes.", exists=True, dir_okay=False),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the files; SONG without suffix."),
    ] = None,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Size of the visualiser; sides are multiples of 64.")
    ] = "512x512",
    frames_per_second: Annotated[
        int, typer.Option("--fps", metavar="NUMBER", help="Frames a second.", min=6, max=30)
    ] = 12,
    loop: Annotated[
        float, typer.Option(metavar="SECONDS", help="About how long the loop is.", min=3.0, max=8.0)
    ] = 8.0,
    look: Annotated[str, typer.Option(metavar="LOOK", help="How the song is shown.")] = "",
    seed: Annotated[int, typer.Option(metavar="NUMBER", help="Seed of all frames.", min=0)] = _DEFAULT_SEED,
    model: Annotated[str, typer.Option(metavar="NAME", help="Model; the server's default if absent.")] = "",
    parts: Annotated[
        list[FilmPart] | None,
        typer.Option("--part", metavar="PART", help="Make only this part; may be repeated."),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start the film and do not wait for it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a film of a song: a visualiser of all of it, a loop without a seam at 9:16, and a cover.

    The server makes it; Ctrl-C stops it there. After that, or after a connection or a server was lost, the
    same command goes on where it was. The same song, options and seed give the same frames.

    [bold]Examples[/]

      chladni film song.flac
      chladni film song.mp3 -o release --size 768x768 --fps 24 --seed 11
      chladni film song.mp3 --part loop --loop 5 --look water
    """
    width, height = _size_of(size)
    chosen = tuple(dict.fromkeys(parts or ()))
    folder = output or song.with_suffix("")
    if folder.exists() and not folder.is_dir():
        raise typer.BadParameter(f"{shown(str(folder))} is a file; name a folder", param_hint="'--output'")
    options = {
        "width_pixels": width,
        "height_pixels": height,
        "frames_per_second": frames_per_second,
        "loop_seconds": loop,
        "look": look,
        "seed": seed,
        "model": model,
        "parts": chosen,
    }
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        request_id = _request_id(song, repr(sorted(options.items())))
        started = client.create_film(
            song,
            width_pixels=width,
            height_pixels=height,
            frames_per_second=frames_per_second,
            loop_seconds=loop,
            look=look,
            seed=seed,
            model=model,
            parts=chosen,
            request_id=request_id,
        )
        if detach:
            _print(started, as_json=as_json)
            return
        try:
            ended = _follow(client, started, is_shown=not as_json)
        except KeyboardInterrupt:
            client.cancel_film(started.film_id)
            raise
        _raise_if_not_completed(ended)
        folder.mkdir(parents=True, exist_ok=True)
        written = {
            str(file.part): client.download_film(ended.film_id, file.part, folder / file.part.file_name)
            for file in ended.files
        }
        if as_json:
            print_json(asdict(ended) | {"paths": {part: str(path) for part, path in written.items()}})
            return
        for part, path in written.items():
            typer.echo(f"{part}  {path}")


def _follow(client: Client, started: Film, *, is_shown: bool) -> Film:
    """Return a film once it has ended, and show how far it is."""
    film = started
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not is_shown) as progress:
        task = progress.add_task(shown(started.display_name), total=1.0, left="")
        with closing(client.watch_film(started.film_id)) as films:
            for film in films:
                left = "" if film.remaining_seconds is None else f"{_minutes(film.remaining_seconds)} left"
                name = f"{shown(film.display_name)} {film.part or film.state}"
                progress.update(task, completed=film.progress, description=name, left=left)
    return film


def _raise_if_not_completed(film: Film) -> None:
    if film.error is not None:
        error_class = error_class_of(film.error.reason, film.error.grpc_code)
        raise error_class(
            film.error.message,
            reason=film.error.reason,
            stage=film.error.metadata.get("stage", ""),
            metadata=film.error.metadata,
        )
    if film.state is not FilmState.COMPLETED:
        raise typer.Exit(ExitStatus.INTERRUPTED)


def _size_of(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(
            f"is {text!r}; give width and height, such as 512x512", param_hint="'--size'"
        )
    return int(width), int(height)


def _request_id(song: Path, options: str) -> str:
    """Return an identifier that is the same for the same song and options, so that a repetition resumes."""
    with song.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return str(uuid5(NAMESPACE_URL, f"chladni film {digest} {options}"))


def _print(film: Film, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(film))
    else:
        typer.echo(f"{film.film_id}  {film.state}")


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"

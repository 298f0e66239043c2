"""`chladni anomaly`: whether a machine sounds as it should."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.cli.destinations import prepare, write
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import check_inputs, clips_in, name_of, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.types.anomaly import AnomalyLabel, AnomalyScore, NormalSet

_HINT: Final = "FILE"
_COLOURS: Final = {
    AnomalyLabel.NORMAL: "green",
    AnomalyLabel.NEEDS_MAINTENANCE: "yellow",
    AnomalyLabel.SEVERE_ANOMALY: "red",
}


def anomaly(
    context: typer.Context,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE... | enrol NAME FILE... | sets | delete NAME",
            help="Audio of a machine, or gray spectrogram images, to be judged; or what is normal for it. "
            "Folders stand for the audio files in them.",
        ),
    ],
    *,
    normal_set: Annotated[
        str, typer.Option("--set", metavar="NAME", help="Normal set; may be left out if there is one.")
    ] = "",
    backend: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="fusion, mahalanobis, cosine-knn, density-knn or pca-residual: the distance."
        ),
    ] = "",
    shaft_speed: Annotated[
        float | None,
        typer.Option(metavar="HZ", help="Turns of the shaft per second.", min=0.5, max=150),
    ] = None,
    error_map: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PNG to write: where one file differs from normal.")
    ] = None,
    encoder: Annotated[
        str, typer.Option(metavar="NAME", help="For enrol: mel-statistics or efficientnet-lite0.")
    ] = "",
    description: Annotated[str, typer.Option(metavar="TEXT", help="For enrol: a sentence for people.")] = "",
    replace: Annotated[bool, typer.Option("--replace", help="For enrol: in place of an older set.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge by its sound whether a machine works as it should; one minute of normal sound enrols it.

    The score is below 9 for 99 of 100 clips of normal operation; from 9 a machine needs maintenance, from 15
    the anomaly is severe.

    [bold]Examples[/]

      chladni anomaly enrol pump recordings
      chladni anomaly voice.wav
      chladni anomaly voice.wav --set pump --shaft-speed 24.5 --error-map differs.png
      chladni anomaly voice.wav --json | jq '.result, .score'
      chladni anomaly sets
      chladni anomaly delete pump
    """
    first, rest = words[0], words[1:]
    for_judging = {"--set": normal_set, "--error-map": error_map}
    for_enrolling = {"--encoder": encoder, "--description": description, "--replace": replace}
    for_both = {"--backend": backend, "--shaft-speed": shaft_speed}
    with closing(invocation_of(context).open_client()) as client:
        if first == "enrol":
            if len(rest) < 2:
                raise typer.BadParameter("enrol needs a name and files: enrol NAME FILE...", param_hint=_HINT)
            _require_none("enrol", for_judging)
            files = clips_in([Path(word) for word in rest[1:]], hint=_HINT)
            with reported_failures(as_json=as_json):
                made = client.create_normal_set(
                    rest[0],
                    [source_of(file) for file in files],
                    description=description,
                    encoder=encoder,
                    backend=backend,
                    shaft_speed_hz=shaft_speed,
                    replace=replace,
                )
            _print_sets([made], as_json=as_json, is_one=True)
        elif first == "sets" and not rest:
            _require_none("sets", for_judging | for_enrolling | for_both)
            with reported_failures(as_json=as_json):
                found = list(client.list_normal_sets())
            _print_sets(found, as_json=as_json)
        elif first == "delete":
            if len(rest) != 1:
                raise typer.BadParameter("delete needs one name: delete NAME", param_hint=_HINT)
            _require_none("delete", for_judging | for_enrolling | for_both)
            with reported_failures(as_json=as_json):
                deleted = client.delete_normal_set(rest[0])
            if as_json:
                print_json({"name": rest[0], "deleted": deleted})
            else:
                typer.echo("Deleted." if deleted else "There was none.")
        else:
            _require_none("a judgement", for_enrolling)
            files = clips_in([Path(word) for word in words], hint=_HINT)
            if error_map is not None and len(files) > 1:
                raise typer.BadParameter("for several files there is no error map", param_hint="--error-map")
            for file in files:
                _judge(client, file, normal_set, backend, shaft_speed, error_map, as_json=as_json)


def _require_none(use: str, options: Mapping[str, object]) -> None:
    """Refuse options that would be ignored.

    Raises:
        typer.BadParameter: One was given.
    """
    for option, value in options.items():
        if value:
            raise typer.BadParameter(f"{use} does not use it; leave it out", param_hint=f"'{option}'")


def _judge(
    client: Client,
    file: Path,
    normal_set: str,
    backend: str,
    shaft_speed: float | None,
    error_map: Path | None,
    *,
    as_json: bool,
) -> None:
    check_inputs([file], hint=_HINT)
    with reported_failures(as_json=as_json):
        if error_map is not None:
            prepare(error_map)
        score = client.score_anomaly(
            source_of(file),
            normal_set,
            backend=backend,
            shaft_speed_hz=shaft_speed,
            with_error_map=error_map is not None,
        )
        if error_map is not None:
            write(error_map, score.error_map)
    if as_json:
        print_json({"file": str(file)} | _document_of(score))
        return
    console = Console(highlight=False, soft_wrap=True)
    colour = _COLOURS.get(score.result, "white")
    how = f"{shown(score.normal_set)}, {shown(score.backend)}"
    console.print(
        f"{shown(name_of(file))}  [{colour} bold]{score.result or 'UNKNOWN'}[/]  score {score.score:.1f}, "
        f"farther than {score.percentile:.0f} % of normal audio [dim]({how})[/]"
    )
    for item in score.attributes:
        console.print(f"  {item.z_score:+6.1f} sd  {shown(item.description)}")


def _document_of(score: AnomalyScore) -> dict[str, Any]:
    document = asdict(score)
    del document["error_map"]
    return document


def _print_sets(sets: list[NormalSet], *, as_json: bool, is_one: bool = False) -> None:
    if as_json:
        documents = [asdict(item) for item in sets]
        print_json(documents[0] if is_one else {"normal_sets": documents})
        return
    table = Table(box=SIMPLE)
    for heading in ("Normal set", "Clips", "Windows", "Audio", "Encoder", "Distance", "Description"):
        table.add_column(heading)
    for item in sets:
        seconds = "images" if item.audio_seconds is None else f"{item.audio_seconds:.0f} s"
        table.add_row(
            shown(item.name),
            str(item.clip_count),
            str(item.window_count),
            seconds,
            shown(item.encoder),
            shown(item.backend),
            shown(item.description),
        )
    Console(highlight=False).print(table)

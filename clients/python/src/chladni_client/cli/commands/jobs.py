"""`chladni jobs`: creations that go on without the program that started them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from chladni_client._transport.statuses import error_class_of
from chladni_client.cli.destinations import is_file_name, write
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import ExitStatus, reported_failures
from chladni_client.cli.inputs import check_identifiers
from chladni_client.cli.invocation import JsonOption, document_of, invocation_of, print_json
from chladni_client.client import Client
from chladni_client.types.events import ImageCreated, ImageDrafted, Progress
from chladni_client.types.jobs import Job, JobCancelled, JobEvent, JobFailed
from chladni_contract.printable import printable

_NARROW_COLUMNS: Final = 100


class JobAction(StrEnum):
    """What is done with jobs."""

    LIST = "list"
    WATCH = "watch"
    CANCEL = "cancel"
    DELETE = "delete"


def jobs(
    context: typer.Context,
    action: Annotated[JobAction, typer.Argument(help="What to do; all but list need JOB_ID.")] = (
        JobAction.LIST
    ),
    job_id: Annotated[str, typer.Argument(metavar="JOB_ID", help="Identifier of a job.")] = "",
    *,
    after: Annotated[
        int, typer.Option(metavar="NUMBER", help="Show only events after this one (watch).", min=0)
    ] = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the image to this file (watch)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the jobs of this session, follow one to its image, stop one or remove one.

    A job goes on without the program that started it. Ctrl-C ends watch, but not the job; cancel does. delete
    stops an unfinished job; an image that it made stays.

    [bold]Examples[/]

      chladni jobs
      chladni jobs list --json | jq -r '.jobs[] | select(.state == "running") | .job_id'
      chladni jobs watch 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31 -o voice.png
      chladni jobs cancel 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31
      chladni jobs delete 5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31
    """
    if action is JobAction.LIST and job_id:
        raise typer.BadParameter("list takes no identifier", param_hint="JOB_ID")
    if output is not None and not is_file_name(output):
        raise typer.BadParameter("must name a file", param_hint="'--output'")
    if action is not JobAction.LIST:
        check_identifiers([job_id], hint="JOB_ID", kind="a job")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        match action:
            case JobAction.LIST:
                _print_jobs(list(client.list_jobs()), as_json=as_json)
            case JobAction.WATCH:
                _watch(client, job_id, after, output, as_json=as_json)
            case JobAction.CANCEL:
                _print_job(client.cancel_job(job_id), as_json=as_json)
            case JobAction.DELETE:
                client.delete_job(job_id)
                if as_json:
                    print_json({"job_id": job_id, "is_deleted": True})
                else:
                    typer.echo(f"{job_id}  deleted")


def _watch(client: Client, job_id: str, after: int, output: Path | None, *, as_json: bool) -> None:
    with closing(client.watch_job(job_id, after)) as events:
        for event in events:
            if as_json:
                print_json(_document_of_event(event))
            else:
                typer.echo(f"{event.number:4d}  {printable(_summary_of(event))}")
            match event.event:
                case ImageCreated(image=image) if output is not None:
                    write(output, image.content)
                case JobFailed(error=error):
                    error_class = error_class_of(error.reason, error.grpc_code)
                    stage = error.metadata.get("stage", "")
                    raise error_class(
                        error.message, reason=error.reason, stage=stage, metadata=error.metadata
                    )
                case JobCancelled():
                    raise typer.Exit(ExitStatus.INTERRUPTED)


def _document_of_event(event: JobEvent) -> dict[str, Any]:
    content = event.event
    document = {"number": event.number, "event": type(content).__name__}
    if isinstance(content, ImageCreated):
        return document | {"part": content.part, "image": document_of(content.image)}
    hidden = {"content", "preview_jpeg", "session_token"}
    return document | {name: value for name, value in asdict(content).items() if name not in hidden}


def _summary_of(event: JobEvent) -> str:
    match event.event:
        case Progress(step=step, total_steps=total_steps):
            return f"step {step} of {total_steps}"
        case ImageCreated(image=image):
            return f"image {image.image_id}"
        case ImageDrafted(part=part):
            return f"draft {part}".rstrip()
        case JobFailed():
            return "failed"
        case JobCancelled():
            return "cancelled"
        case other:
            return type(other).__name__


def _print_job(job: Job, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(job))
    else:
        typer.echo(f"{job.job_id}  {job.state}")


def _print_jobs(found: Sequence[Job], *, as_json: bool) -> None:
    if as_json:
        print_json({"jobs": [asdict(job) for job in found]})
        return
    console = Console(highlight=False)
    rows = [
        (shown(job.job_id), shown(job.display_name), str(job.state), shown(_progress_of(job)))
        for job in found
    ]
    if console.width < _NARROW_COLUMNS:
        for job_id, *cells in rows:
            console.print(f"[cyan]{job_id}[/]", soft_wrap=True)
            console.print(Padding(", ".join(filter(None, cells)), (0, 0, 0, 2)))
        return
    table = Table(box=SIMPLE)
    table.add_column("Job", style="cyan", no_wrap=True)
    for title in ("Audio", "State", "Progress"):
        table.add_column(title)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _progress_of(job: Job) -> str:
    if job.error is not None:
        return job.error.message
    return "" if job.step is None else f"step {job.step} of {job.total_steps}"

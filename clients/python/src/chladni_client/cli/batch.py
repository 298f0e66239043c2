"""`chladni batch`: prompts, their scores and images of many clips, resumable at any point."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chladni_client.cli.failures import reported_failures
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json
from chladni_client.study import creativity, images, prompts
from chladni_client.study.clips import in_shard
from chladni_client.study.plots import PLOT_FILE, draw_comparison
from chladni_client.study.records import remove_partial_files
from chladni_contract.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from chladni_client.async_client import AsyncClient


class Phase(StrEnum):
    """A phase of a study; each reads the files of the one before."""

    PROMPTS = "prompts"
    SCORES = "scores"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class _Study:
    """What a study is made of, by the options' names."""

    source: Path
    folder: Path
    samples: int | None
    limit: int | None
    width: int
    height: int
    steps: int
    refiner: bool
    concurrency: int
    shard: tuple[int, int]
    writer: str
    seed: int
    model: str
    time_course: bool

    @property
    def prompts_file(self) -> Path:
        """The file with all prompts."""
        return self.folder / "generated_prompts" / prompts.COMPLETE_FILE

    def chosen(self, indices: Sequence[int]) -> list[int]:
        """Return those of the places of clips that this process works on."""
        return in_shard(
            (index for index in indices if self.samples is None or index < self.samples), *self.shard
        )


def batch(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="Folder of audio, or a .npy file of 16 kHz clips."),
    ],
    folder: Annotated[Path, typer.Argument(metavar="OUT_DIR", help="Folder of the results.")],
    *,
    samples: Annotated[
        int | None, typer.Option(metavar="COUNT", help="Clips at most, the first ones.", min=1)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="COUNT", help="Images at most, the first ones.", min=1)
    ] = None,
    width: Annotated[int, typer.Option(metavar="PIXELS", help="Width of an image.", min=16)] = 768,
    height: Annotated[int, typer.Option(metavar="PIXELS", help="Height of an image.", min=16)] = 768,
    steps: Annotated[int, typer.Option(metavar="INTEGER", help="Denoising steps.", min=1)] = 30,
    refiner: Annotated[bool, typer.Option("--refiner", help="Let the model's refiner finish.")] = False,
    only: Annotated[
        Phase | None, typer.Option(help="One phase alone, from the files of the one before.")
    ] = None,
    concurrency: Annotated[int, typer.Option(metavar="COUNT", help="Requests at a time.", min=1, max=64)] = 4,
    shard: Annotated[
        str,
        typer.Option(metavar="INDEX/COUNT", help="Part of the clips, such as 0/4."),
    ] = "0/1",
    writer: Annotated[
        str,
        typer.Option(metavar="NAME", help="grammar, anthropic, openai (Ollama, vLLM) or local (SmolLM2)."),
    ] = "",
    seed: Annotated[int, typer.Option(metavar="INTEGER", help="Seed of the study.", min=0)] = 0,
    model: Annotated[str, typer.Option(metavar="NAME", help="Image model; else the recipe's choice.")] = "",
    time_course: Annotated[
        bool, typer.Option("--time-course", help="Tell the writer the mel spectrogram's course, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write prompts for many clips, score them and make their images; a later call goes on where one ended.

    OUT_DIR gets generated_prompts, creativity_scores and images. Clips that cannot be used are skipped, and
    listed in generation_summary.json.

    [bold]Examples[/]

      chladni batch recordings study --samples 2 --limit 10 --width 512 --height 512
      chladni batch clips.npy study --only prompts --shard 0/4
      chladni batch clips.npy study --steps 40 --refiner --json
    """
    study = _Study(
        source=source,
        folder=folder,
        samples=samples,
        limit=limit,
        width=width,
        height=height,
        steps=steps,
        refiner=refiner,
        concurrency=concurrency,
        shard=_shard_of(shard),
        writer=writer,
        seed=seed,
        model=model,
        time_course=time_course,
    )
    if not source.exists():
        raise typer.BadParameter(f"{str(source)!r} does not exist.", param_hint="'INPUT'")
    if only in {Phase.SCORES, Phase.IMAGES} and not study.prompts_file.exists():
        raise typer.BadParameter(
            f"{printable(str(study.prompts_file))} is not there; run --only prompts first.",
            param_hint="'--only'",
        )
    with reported_failures(as_json=as_json):
        remove_partial_files(folder)
        results = asyncio.run(_run(invocation_of(context).open_async_client, study, only, is_quiet=as_json))
    if as_json:
        print_json({"folder": str(folder)} | results)
        return
    console = Console(highlight=False, soft_wrap=True)
    for phase, counts in results.items():
        console.print(
            f"{phase}: {', '.join(f'{value} {name}' for name, value in counts.items())}", markup=False
        )


async def _run(
    open_client: Callable[[], AsyncClient], study: _Study, only: Phase | None, *, is_quiet: bool
) -> dict[str, dict[str, Any]]:
    phases = list(Phase) if only is None else [only]
    results: dict[str, dict[str, Any]] = {}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), disable=is_quiet) as progress:
        async with open_client() as client:
            for phase in phases:
                task = progress.add_task(phase.capitalize(), total=None)

                def advance(done: int, total: int, task: Any = task) -> None:
                    progress.update(task, completed=done, total=total)

                results[phase.value] = await _PHASES[phase](client, study, advance)
    return results


async def _write_prompts(client: AsyncClient, study: _Study, advance: Any) -> dict[str, Any]:
    generator = prompts.BatchPromptGenerator(
        study.source,
        study.prompts_file.parent,
        use_mel_spectrogram=study.time_course,
        batch_size=study.concurrency,
        client=client,
        writer=study.writer,
        seed=study.seed,
    )
    indices = study.chosen(range(len(generator)))
    try:
        used = await generator.generate_all_prompts(indices, on_progress=advance)
    finally:
        generator.save_results()
        generator.save_summary_stats()
    return {"clips": len(used), "skipped": len(indices) - len(used)}


async def _score_prompts(client: AsyncClient, study: _Study, advance: Any) -> dict[str, Any]:
    folder = study.folder / "creativity_scores"
    calculator = creativity.BatchCreativityCalculator(
        study.prompts_file, folder, batch_size=study.concurrency, client=client
    )
    scores = await calculator.score_all(study.chosen(calculator.sample_indices), on_progress=advance)
    calculator.save_results()
    if draw_comparison(folder):
        return {"prompts": len(scores), "plot": PLOT_FILE}
    return {"prompts": len(scores), "plot": "none: pip install 'chladni-client[plots]'"}


async def _make_images(client: AsyncClient, study: _Study, advance: Any) -> dict[str, Any]:
    generator = images.BatchImageGenerator(
        study.prompts_file,
        study.folder / "images",
        study.source,
        image_width=study.width,
        image_height=study.height,
        num_inference_steps=study.steps,
        use_refiner=study.refiner,
        batch_size=study.concurrency,
        client=client,
        model=study.model,
        seed=study.seed,
    )
    try:
        entries = await generator.generate_all_images(
            study.chosen(generator.sample_indices), limit=study.limit, on_progress=advance
        )
    finally:
        generator.save_results()
    failed = sum("error" in entry for entry in entries)
    return {"images": len(entries) - failed, "failed": failed}


_PHASES = {Phase.PROMPTS: _write_prompts, Phase.SCORES: _score_prompts, Phase.IMAGES: _make_images}


def _shard_of(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    if not (index.isdecimal() and count.isdecimal() and int(index) < int(count)):
        raise typer.BadParameter("must be INDEX/COUNT, such as 0/4", param_hint="'--shard'")
    return int(index), int(count)

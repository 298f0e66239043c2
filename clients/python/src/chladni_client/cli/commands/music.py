"""`chladni music` and `chladni prompts`: what is heard in music, and prompts for it."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.cli.display.progress import print_warnings
from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import AudioArgument, check_inputs, name_of, source_of
from chladni_client.cli.invocation import JsonOption, invocation_of, print_json

if TYPE_CHECKING:
    from chladni_client.types.music import MusicAnalysis, PromptScores, WrittenPrompts


def music(
    context: typer.Context,
    audio: AudioArgument,
    as_abc: Annotated[bool, typer.Option("--abc", help="Print the melody in ABC notation alone.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Analyse music: key, tempo, meter, chords, melody, dynamics and mood, each with its confidence.

    [bold]Examples[/]

      chladni music song.ogg
      chladni music song.ogg --abc
      chladni music song.ogg --json | jq .features
    """
    if as_abc and as_json:
        raise typer.BadParameter("--abc and --json exclude each other", param_hint="'--abc'")
    check_inputs([audio], hint="AUDIO")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        analysis = client.analyze_music(source_of(audio))
    if as_json:
        document = asdict(analysis)
        print_json({"audio": str(audio), "audio_properties": document.pop("audio")} | document)
    elif as_abc:
        sys.stdout.write(analysis.abc_notation)
    else:
        Console(highlight=False).print(_table_of_music(name_of(audio), analysis))
        print_warnings(analysis.warnings)


def prompts(
    context: typer.Context,
    audio: AudioArgument,
    *,
    convergent: Annotated[
        int | None, typer.Option(metavar="COUNT", help="Prompts that keep to the music, 0 to 16.", min=0)
    ] = None,
    divergent: Annotated[
        int | None, typer.Option(metavar="COUNT", help="Prompts that associate freely, 0 to 16.", min=0)
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="INTEGER", help="Seed, for writers that take one.", min=0)
    ] = None,
    writer: Annotated[
        str,
        typer.Option(metavar="NAME", help="grammar, anthropic, openai (Ollama, vLLM) or local (SmolLM2)."),
    ] = "",
    with_time_course: Annotated[
        bool, typer.Option("--time-course", help="Tell the writer the course over time, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write prompts for music, to give to image models, and score them.

    [bold]Examples[/]

      chladni prompts song.ogg --seed 7
      chladni prompts song.ogg --writer anthropic --time-course
      chladni prompts song.ogg --convergent 0 --divergent 5 --json
    """
    check_inputs([audio], hint="AUDIO")
    with reported_failures(as_json=as_json), closing(invocation_of(context).open_client()) as client:
        written = client.write_prompts(
            source_of(audio),
            convergent_count=convergent,
            divergent_count=divergent,
            seed=seed,
            writer=writer,
            with_time_course=with_time_course,
        )
        scores = client.score_prompts([prompt.text for prompt in written.prompts], features=written.features)
    if as_json:
        print_json({"audio": str(audio)} | asdict(written) | asdict(scores))
    else:
        Console(highlight=False).print(_table_of_prompts(written, scores))


def _table_of_music(name: str, analysis: MusicAnalysis) -> Table:
    table = Table(title=shown(name), show_header=False, title_justify="left", title_style="bold", box=SIMPLE)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(justify="right", style="dim", no_wrap=True)
    for key in analysis.keys[:1]:
        table.add_row("Key", shown(key.key), f"{key.confidence:.0%}")
    tempos = [f"{tempo.beats_per_minute:.1f} bpm" for tempo in analysis.tempos[:3]]
    if tempos:
        table.add_row("Tempo", ", ".join(tempos), f"{analysis.tempos[0].confidence:.0%}")
    table.add_row(
        "Time signature", shown(analysis.time_signature), f"{analysis.time_signature_confidence:.0%}"
    )
    table.add_row("Beats", str(len(analysis.beats.times)), f"{analysis.beats.confidence:.0%}")
    mood = analysis.mood
    table.add_row(
        "Mood",
        f"{shown(', '.join(mood.words))} (valence {mood.valence:+.2f}, arousal {mood.arousal:+.2f})",
        f"{mood.confidence:.0%}",
    )
    chords = " ".join(
        f"{chord.symbol} ({chord.roman_numeral})" for chord in analysis.chords if chord.roman_numeral
    )
    table.add_row("Chords", shown(chords) or "none")
    contour = str(analysis.features.get("melody_contour", "none"))
    table.add_row("Melody", shown(contour), f"{analysis.melody_confidence:.0%}")
    table.add_row(
        "Dynamics",
        shown(f"{analysis.dynamics.marking}, {analysis.dynamics.course}"),
        f"{analysis.dynamics.confidence:.0%}",
    )
    return table


def _table_of_prompts(written: WrittenPrompts, scores: PromptScores) -> Table:
    table = Table(
        title=f"{shown(written.writer)} ({shown(written.model)}); "
        f"{scores.vendi_score:.1f} different in effect, by {shown(scores.similarity)}",
        title_justify="left",
        box=SIMPLE,
    )
    table.add_column("Style", style="cyan", no_wrap=True)
    table.add_column("Prompt", overflow="fold")
    for heading in ("Orig.", "Elab.", "Align.", "Coher."):
        table.add_column(heading, justify="right", no_wrap=True)
    for prompt, score in zip(written.prompts, scores.scores, strict=True):
        values = (score.originality, score.elaboration, score.alignment, score.coherence)
        table.add_row(
            prompt.style, shown(prompt.text), *("" if value is None else f"{value:.2f}" for value in values)
        )
    return table

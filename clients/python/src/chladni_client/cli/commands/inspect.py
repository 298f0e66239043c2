"""`chladni inspect`: how an image was made."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from chladni_client.cli.display.text import shown
from chladni_client.cli.failures import reported_failures
from chladni_client.cli.inputs import ImageArgument, check_inputs, name_of, source_of
from chladni_client.cli.invocation import JsonOption, print_json
from chladni_client.reproduction.provenance import read_provenance
from chladni_contract.provenance import Provenance

_TITLES: Final = {
    "model": "Model",
    "model_digest": "Model digest",
    "recipe": "Recipe",
    "seed": "Seed",
    "steps": "Denoising steps",
    "guidance_scale": "Guidance scale",
    "scheduler": "Scheduler",
    "audio_sha256": "Recording (SHA-256)",
    "conditioning_sha256": "Conditioning (SHA-256)",
    "dtype": "Numeric type",
    "device": "Device",
    "batch_size": "Batch size",
    "thread_count": "Threads",
    "reproducible": "Reproducible",
    "device_capability": "Device capability",
    "decode_batch_size": "Decoder batch size",
}
_TITLES_OF_PARTICULARS: Final = {
    "part": "Part of the recipe",
    "fallback": "[yellow]Another way, because[/]",
    "prompt": "Prompt",
    "negative_prompt": "Negative prompt",
    "strength": "Strength",
    "initial_latents_weight": "Weight of the sound in the noise",
    "refiner_start": "Refiner takes over after",
    "look": "Look",
    "audio_start_seconds": "Part of the audio, from second",
    "audio_end_seconds": "Part of the audio, to second",
}
_COUNTS: Final = frozenset({"batch_size", "decode_batch_size"})


def inspect(
    image: ImageArgument,
    as_json: JsonOption = False,
) -> None:
    """Show how an image was made: model, seed, steps, recording, prompt. Needs no server.

    Where a recipe made it in several parts, the images that it was made from follow.

    [bold]Examples[/]

      chladni inspect voice.png
      chladni inspect voice.png --json | jq .seed
      curl -s https://example.org/voice.png | chladni inspect -
    """
    check_inputs([image], hint="IMAGE")
    with reported_failures(as_json=as_json):
        provenance = read_provenance(source_of(image))
    if as_json:
        print_json(asdict(provenance))
    else:
        console = Console(highlight=False)
        console.print(_table(name_of(image), provenance))
        for number, earlier in enumerate(provenance.earlier, start=1):
            console.print(_table(f"Made from image {number}", earlier))


def _table(name: str, provenance: Provenance) -> Table:
    table = Table(title=shown(name), show_header=False, title_justify="left", title_style="bold", box=SIMPLE)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    values = asdict(provenance)
    for field, title in _TITLES.items():
        table.add_row(title, _in_words(field, values[field]))
    for field, title in _TITLES_OF_PARTICULARS.items():
        if values[field] not in ("", None):
            table.add_row(title, _in_words(field, values[field]))
    for option, value in sorted(provenance.recipe_options.items()):
        table.add_row(f"Option {shown(option)}", shown(value))
    enlarged = f", enlarged {provenance.upscale} times" if provenance.upscale > 1 else ""
    table.add_row("Size", f"{provenance.width_pixels} x {provenance.height_pixels} pixels{enlarged}")
    for library, version in sorted(provenance.library_versions.items()):
        table.add_row(shown(library), shown(version))
    return table


def _in_words(field: str, value: object) -> str:
    if value == "" or (field in _COUNTS and value == 0):
        return "[dim]not known[/]"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shown(str(value))

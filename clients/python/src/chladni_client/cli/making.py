"""One image of one sound, from the request to the files, as every command that makes images does it."""

from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from chladni_client.cli.destinations import draft_path_of
from chladni_client.cli.invocation import print_json
from chladni_client.cli.progress import CreationDisplay
from chladni_client.client import Client
from chladni_client.types.events import ImageCreated, ImageDrafted, RecipeFellBack
from chladni_client.types.images import CreatedImage
from chladni_client.types.options import CreationOptions


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of one sound.

    Attributes:
        image: The image.
        image_path: Where it was written.
        draft_paths: Where the images that it was made from were written; empty where nobody asked for them.
        fallbacks: Where the recipe took another way than its own.
    """

    image: CreatedImage
    image_path: Path
    draft_paths: tuple[Path, ...]
    fallbacks: tuple[RecipeFellBack, ...]


def make_image(
    client: Client,
    sound: Path,
    destination: Path,
    options: CreationOptions,
    display: CreationDisplay,
    *,
    keeps_drafts: bool = False,
) -> Made:
    """Makes an image and writes it.

    Args:
        client: How to reach the server.
        sound: The recording.
        destination: File for the image; folders that it needs are made.
        options: What is chosen for it.
        display: Shown what happens.
        keeps_drafts: Whether the images that parts of the recipe start from are written, too.

    Raises:
        ChladniError: The server refused or failed.
        OSError: A file cannot be read or written.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    drafts: list[ImageDrafted] = []
    fallbacks: list[RecipeFellBack] = []
    with closing(client.stream_image(sound, **options)) as events:
        for event in events:
            display.show(event)
            match event:
                case ImageDrafted() if keeps_drafts:
                    drafts.append(event)
                case RecipeFellBack():
                    fallbacks.append(event)
                case ImageCreated():
                    image = event.image
    image.save(destination)
    draft_paths = tuple(
        draft.save(draft_path_of(destination, draft.recipe_stage, number=number))
        for number, draft in enumerate(drafts, start=1)
    )
    return Made(image, destination, draft_paths, tuple(fallbacks))


def print_made(made: Made) -> None:
    """Tells people what was made, and where it is."""
    image = made.image
    line = (
        f"{made.image_path}  {image.width_pixels} x {image.height_pixels}, seed {image.seed}, "
        f"{image.processing_seconds:.1f} s"
    )
    if image.is_reused:
        line += ", made before"
    if image.provenance.fallback:
        line += ", not by the recipe's own way"
    console = Console(highlight=False, soft_wrap=True)
    console.print(line, markup=False)
    for path in made.draft_paths:
        console.print(f"{path}  a draft", markup=False)


def print_made_as_json(sound: Path, made: Made, **further: Any) -> None:
    """Tells programs what was made."""
    document = {
        "audio": str(sound),
        "path": str(made.image_path),
        "draft_paths": [str(path) for path in made.draft_paths],
        "fallbacks": [asdict(fallback) for fallback in made.fallbacks],
        "seed": made.image.seed,
        **further,
    }
    document |= {name: value for name, value in asdict(made.image).items() if name != "png"}
    print_json(document)

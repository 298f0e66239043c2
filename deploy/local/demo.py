"""Show what Chladni does: every sample sound becomes an image, and the images are compared.

    python deploy/local/demo.py
    python deploy/local/demo.py --audio ~/recordings --output ~/images --same-seed

Starts the four services on free ports of this machine, makes an image of every WAV, FLAC, OGG and MP3 file
of a folder through the public Python client, compares all pairs, and stops the services again.

What it writes, by default to build/demo/:

    NAME.png             the image of each sound, with its provenance (try: chladni inspect NAME.png)
    contact_sheet.png    each sound's spectrogram beside its image
    services/            the services' logs, and what they keep

Each image starts from noise of its own; with --same-seed all start from the same, so that whatever differs
between them comes from the sounds. The exit status is 0 if every image was created, and 1 otherwise.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from itertools import count
from pathlib import Path
from types import FrameType

from rich.console import Console

from chladni_client import ChladniError, Client, InvalidInputError
from chladni_client.cli.display.progress import creation_display
from chladni_client.cli.display.terminal_image import show_image
from chladni_local.cluster import LocalCluster
from chladni_local.contact_sheet import Card, draw_contact_sheet
from chladni_local.errors import ClusterError
from chladni_local.gallery import Piece, audio_files_in, compare_all, create_piece, striking_descriptors
from chladni_local.tables import closest_pairs, pieces_table, scores_table

_REPOSITORY = Path(__file__).parents[2]
_SHOWN = "speech_english"
_TELLING_SCORE = 0.05  # a table of zeros says nothing
_LARGEST_MATRIX = 10  # more columns than that do not fit on a terminal


def main() -> int:
    """Run the demonstration and return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--audio",
        type=Path,
        default=_REPOSITORY / "tests" / "fixtures" / "samples",
        metavar="FOLDER",
        help="folder of the audio files (default: tests/fixtures/samples)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=_REPOSITORY / "build" / "demo",
        metavar="FOLDER",
        help="folder for the results (default: build/demo)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=7,
        help="seed of the first image; the next get the next (default: 7)",
    )
    parser.add_argument("--same-seed", action="store_true", help="use one seed for all images")
    arguments = parser.parse_args()
    clips = audio_files_in(arguments.audio)
    if not clips:
        parser.error(f"{arguments.audio} holds no WAV, FLAC, OGG or MP3 file")
    step = 0 if arguments.same_seed else 1
    seeds = [arguments.seed + step * position for position in range(len(clips))]
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False)
    try:
        _demonstrate(console, clips, seeds, arguments.output)
    except (ClusterError, ChladniError, OSError) as error:
        Console(stderr=True, highlight=False, markup=False, soft_wrap=True).print(f"Error: {error}")
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130
    return 0


def _demonstrate(console: Console, clips: list[Path], seeds: list[int], output: Path) -> None:
    started_at = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    console.print("[bold]Starting the services[/]")
    with (
        LocalCluster(
            folder=output / "services",
            ports="free",
            on_ready=lambda name, seconds: console.print(f"  {name:<18} ready after {seconds:.1f} s"),
        ) as cluster,
        Client(cluster.target("gateway"), audio_features_target=cluster.target("audio-features")) as client,
    ):
        console.print(f"\n[bold]Turning {len(clips)} audio files into images[/]")
        pieces = _create_pieces(client, clips, seeds, output, console)
        console.print("\n[bold]Comparing the images[/]\n")
        scores = compare_all(client, pieces)
    striking = striking_descriptors(pieces)
    console.print(pieces_table(pieces, striking, output))
    if 1 < len(pieces) <= _LARGEST_MATRIX and max(scores.values()) >= _TELLING_SCORE:
        console.print(scores_table(pieces, scores))
    elif scores:
        console.print(
            f"No two images pass for the same sound: the highest score is {max(scores.values()):.2f} of 1."
        )
    if len(scores) > 1:
        console.print(f"\n{closest_pairs(pieces, scores)}")
    sheet_path = output / "contact_sheet.png"
    draw_contact_sheet(
        [
            Card(
                name=piece.audio_path.name,
                detail=f"{piece.spectrogram.audio.duration_seconds:.1f} s,  {words}",
                spectrogram=piece.spectrogram.png,
                image=piece.image.png,
            )
            for piece, words in zip(pieces, striking, strict=True)
        ],
        title="Chladni",
        subtitle=f"{len(pieces)} sounds: the spectrogram of each, and the image made from it",
    ).save(sheet_path)
    shown = next((piece for piece in pieces if piece.audio_path.stem == _SHOWN), pieces[0])
    console.print(f"\nThe image of {shown.audio_path.name}:\n")
    show_image(shown.image.content)
    console.print(f"\nContact sheet  [bold]{sheet_path}[/]", soft_wrap=True)
    console.print(f"Images         [bold]{output}[/]", soft_wrap=True)
    console.print(f"All in {time.monotonic() - started_at:.1f} s.")


def _create_pieces(
    client: Client, clips: list[Path], seeds: list[int], output: Path, console: Console
) -> list[Piece]:
    """Return a piece for each clip; files that cannot be used are reported and left out."""
    pieces: list[Piece] = []
    refusals: list[InvalidInputError] = []
    with creation_display() as display:
        for clip, name, seed in zip(clips, _distinct_names(clips), seeds, strict=True):
            display.begin(clip.name)
            image_path = output / f"{name}.png"
            try:
                pieces.append(create_piece(client, clip, image_path, seed=seed, on_event=display.show))
            except InvalidInputError as error:
                console.print(f"[yellow]Left out[/] {clip.name}: {error}", soft_wrap=True)
                refusals.append(error)
    if not pieces:
        raise refusals[0]
    return pieces


def _distinct_names(clips: list[Path]) -> list[str]:
    """Return a name for the image of each sound; `a.wav` and `a.mp3` get two."""
    names: list[str] = []
    for clip in clips:
        candidates = (clip.stem if number == 1 else f"{clip.stem}-{number}" for number in count(1))
        names.append(next(name for name in candidates if name not in names))
    return names


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

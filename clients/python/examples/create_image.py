# ruff: noqa: INP001 - a program, no part of a package
"""Turn an audio file into an image and print the progress.

    python clients/python/examples/create_image.py voice.wav voice.png

Needs a server: `make up` starts one on this machine, CHLADNI_CLIENT_TARGET names another.
"""

from __future__ import annotations

import sys

from chladni_client import AudioAnalyzed, ChladniError, Client, ImageCreated, Progress


def main() -> int:
    """Run the example; return its exit status."""
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    audio_path, image_path = sys.argv[1:]
    try:
        with Client() as client:
            for event in client.stream_image(audio_path, seed=7):
                match event:
                    case AudioAnalyzed(audio=audio):
                        print(f"{audio.duration_seconds:.1f} s of {audio.format}")
                    case Progress(step=step, total_steps=total_steps):
                        print(f"step {step} of {total_steps}", end="\r")
                    case ImageCreated(image=image):
                        print(f"{image.save(image_path)}, made by {image.provenance.model}")
    except (ChladniError, OSError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

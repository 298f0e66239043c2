# ruff: noqa: INP001 - a program, no part of a package
"""Turns a recording into an image and tells how it gets on.

    python clients/python/examples/create_image.py voice.wav voice.png

Needs a server: `make up` starts one on this machine, CHLADNI_CLIENT_TARGET names another.
"""

import sys

from chladni_client import ChladniError, Client, ImageCreated, Progress, SoundAnalyzed


def main() -> int:
    """Runs the example; returns its exit status."""
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    sound_path, image_path = sys.argv[1:]
    try:
        with Client() as client:
            for event in client.stream_image(sound_path, seed=7):
                match event:
                    case SoundAnalyzed(sound=sound):
                        print(f"{sound.duration_seconds:.1f} s of {sound.format}")
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

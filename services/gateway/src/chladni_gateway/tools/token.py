"""Make a token for the gateway: `chladni-gateway-token alice --days 90 --file /etc/chladni/tokens`.

The token goes to standard output, once; nobody can read it again. Without a file, its line for the file
follows it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from chladni_gateway.access.principals import Scope
from chladni_gateway.access.token_file import NEVER, line_of, new_token, watched_tokens
from chladni_runtime.security.watched_files import FileError

_MAX_DAYS: Final = 36_500


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    until = NEVER
    if options.days is not None:
        until = (datetime.now(UTC) + timedelta(days=options.days)).isoformat(timespec="seconds")
    token = new_token()
    try:
        line = line_of(token, name=options.name, scopes=options.scopes, until=until)
        if options.file is not None:
            _append(options.file, line)
    except (ValueError, FileError, OSError) as error:
        print(f"chladni-gateway-token: no token was made: {error}", file=sys.stderr)
        return 2
    print(token)
    if options.file is None:
        print(line)
    return 0


def _append(path: Path, line: str) -> None:
    """Add a line to the file of tokens, made for this user alone if there is none."""
    start = ""
    if path.exists():
        watched_tokens(path)  # A file that is broken already is not made longer.
        content = path.read_bytes()
        start = "\n" if content and not content.endswith(b"\n") else ""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="ascii") as file:
        file.write(f"{start}{line}\n")


def _days(text: str) -> int:
    days = int(text)
    if not 1 <= days <= _MAX_DAYS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MAX_DAYS}")
    return days


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chladni-gateway-token", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="whom it is for; images and jobs belong to the name")
    parser.add_argument(
        "--scopes",
        type=lambda text: [Scope(item) for item in text.split(",")],
        default=list(Scope),
        help=f"what it allows, separated by commas: {', '.join(Scope)} (default: all)",
    )
    parser.add_argument("--days", type=_days, help="days until it expires (default: never)")
    parser.add_argument("--file", type=Path, help="file of tokens to which its line is added")
    return parser


if __name__ == "__main__":
    sys.exit(main())

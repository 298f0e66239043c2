"""The file of tokens: a line for each, which has its SHA-256 instead of itself.

    # name   scopes      until        digest
    alice    read,write  2027-06-30   sha256:0f5c...
    display  read        never        sha256:9a41...

A token has 256 random bits, so nobody finds it by its digest, however fast digests are; see decision 0036.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from chladni_gateway.access.principals import (
    Principal,
    Scope,
    TokenProblem,
    owner_of_subject,
    unauthenticated,
)
from chladni_runtime.security.watched_files import FileError, WatchedFiles

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_PREFIX: Final = "chladni_"  # noqa: S105 - the beginning of each token; scanners of leaks look for such
TOKENS: Final = "tokens"
NEVER: Final = "never"

_TOKEN_BYTES: Final = 32
_NAME: Final = re.compile(r"[\w.@+-]{1,64}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:([0-9a-f]{64})")
_SHORT_DIGITS: Final = 8


def new_token() -> str:
    """Return a new token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def line_of(token: str, *, name: str, scopes: Sequence[Scope], until: str = NEVER) -> str:
    """Return the line of a token in the file.

    Raises:
        ValueError: The name or the date cannot be in a line.
    """
    line = f"{name}  {','.join(scopes)}  {until}  sha256:{_digest_of(token)}"
    _parse_line(line)
    return line


class TokenList:
    """The tokens of a file.

    Args:
        principals: Who each token stands for, with its digest.
    """

    def __init__(self, principals: Sequence[Principal]) -> None:
        self._by_beginning: dict[str, list[Principal]] = defaultdict(list)
        for principal in principals:
            self._by_beginning[principal.token_digest[:_SHORT_DIGITS]].append(principal)

    def authenticate(self, token: str, *, now: float) -> Principal:
        """Return who a token stands for.

        Args:
            token: The token.
            now: Seconds since 1970.

        Raises:
            ChladniError: Nobody, or it has expired.
        """
        return self.find(_digest_of(token), now=now)

    def find(self, digest: str, *, now: float) -> Principal:
        """Return whose token has a digest.

        Raises:
            ChladniError: Nobody's, or it has expired.
        """
        found = None
        for principal in self._by_beginning.get(digest[:_SHORT_DIGITS], ()):
            if hmac.compare_digest(principal.token_digest, digest):
                found = principal
        if found is None:
            raise unauthenticated(TokenProblem.UNKNOWN)
        if found.expires_at is not None and found.expires_at <= now:
            raise unauthenticated(TokenProblem.EXPIRED)
        return found


def watched_tokens(path: Path) -> WatchedFiles[TokenList]:
    """Return the tokens of a file that is read again when it changes.

    Raises:
        FileError: The file cannot be used.
    """
    return WatchedFiles(TOKENS, {TOKENS: path}, parse_tokens)


def parse_tokens(contents: Mapping[str, bytes]) -> TokenList:
    """Return the tokens of a file's content.

    Raises:
        FileError: A line cannot be read.
    """
    try:
        text = contents[TOKENS].decode("ascii")
    except UnicodeDecodeError:
        raise FileError(TOKENS, "It holds other characters than ASCII. Write it again.") from None
    principals = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        try:
            principals.append(_parse_line(stripped))
        except ValueError as error:
            raise FileError(TOKENS, f"Line {number} {error}. Correct it.") from None
    return TokenList(principals)


def _parse_line(line: str) -> Principal:
    fields = line.split()
    if len(fields) != 4:
        raise ValueError(f"has {len(fields)} fields instead of four: name, scopes, until, digest")
    name, scopes, until, digest = fields
    if not _NAME.fullmatch(name):
        raise ValueError("begins with a name of other characters than letters, digits and . @ + _ -")
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError("ends with something else than sha256: and 64 hexadecimal digits")
    return Principal(
        name=name,
        owner=owner_of_subject(name),
        scopes=frozenset(map(_parse_scope, scopes.split(","))),
        expires_at=_parse_until(until),
        token_digest=match[1],
    )


def _parse_scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise ValueError(f"has other scopes than {' and '.join(Scope)}, separated by a comma") from None


def _parse_until(text: str) -> float | None:
    if text == NEVER:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"has neither {NEVER!r} nor a date such as 2027-06-30 for its end") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

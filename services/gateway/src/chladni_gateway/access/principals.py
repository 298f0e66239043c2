"""Who a request comes from, as its token says, and what it may do."""

from __future__ import annotations

import hashlib
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from chladni_contract.errors import ChladniError, Reason


class Scope(StrEnum):
    """What a token allows."""

    READ = "read"
    WRITE = "write"


class TokenProblem(StrEnum):
    """Why nobody is known by a token; `chladni.errors.v1.ErrorReason` describes them."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"


_MESSAGES: Final = {
    TokenProblem.MISSING: "This server wants a token: send authorization: Bearer TOKEN.",
    TokenProblem.MALFORMED: "The authorization is not of the form Bearer TOKEN.",
    TokenProblem.UNKNOWN: "The token is not known here, or no longer. Ask the operator for another one.",
    TokenProblem.EXPIRED: "The token has expired. Get a new one.",
    TokenProblem.NOT_YET_VALID: "The token is not valid yet. Send it later, or correct the clock.",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a request comes from.

    Attributes:
        name: Name for people: that of the token, or the subject at the issuer.
        owner: Owner of what the principal creates: 64 hexadecimal digits.
        scopes: What the principal may do.
        expires_at: When the token ends, in seconds since 1970; `None` for never.
        token_digest: SHA-256 of a token of the file, in hexadecimal digits; empty for a token of an issuer.
    """

    name: str
    owner: str
    scopes: frozenset[Scope]
    expires_at: float | None = None
    token_digest: str = ""

    def require(self, scope: Scope) -> None:
        """Check that the principal may do something.

        Raises:
            ChladniError: Its token does not allow that.
        """
        if scope not in self.scopes:
            raise ChladniError(
                Reason.PERMISSION_DENIED,
                f"The token does not allow this: it lacks the scope {scope.value!r}.",
                metadata={"scope": scope.value},
            )


PRINCIPAL: Final[ContextVar[Principal | None]] = ContextVar("principal", default=None)
"""Who the current gRPC call comes from; `None` if the server asks for no tokens."""


def unauthenticated(problem: TokenProblem, message: str = "") -> ChladniError:
    """Return the error of a request by whose token nobody is known.

    Args:
        problem: Why not.
        message: What to say in place of the usual words.
    """
    text = message or _MESSAGES[problem]
    return ChladniError(Reason.UNAUTHENTICATED, text, metadata={"problem": problem.value})


def owner_of_subject(subject: str, *, issuer: str = "") -> str:
    """Return the owner of what a subject creates.

    Args:
        subject: The name in the file of tokens, or the subject at the issuer.
        issuer: The issuer; empty for the file of tokens.
    """
    return hashlib.sha256(f"chladni subject\n{issuer}\n{subject}".encode()).hexdigest()

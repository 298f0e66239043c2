"""From a token, or a cookie that was given for one, to the principal that it stands for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from chladni_contract.errors import ChladniError
from chladni_gateway.access.open_calls import OpenCalls
from chladni_gateway.access.principals import Principal, Scope, TokenProblem, unauthenticated

if TYPE_CHECKING:
    from chladni_gateway.access.oidc import OidcVerifier
    from chladni_gateway.access.token_file import TokenList
    from chladni_runtime.security.watched_files import WatchedFiles

_SCHEME: Final = "bearer"
_MAX_TOKEN_CHARACTERS: Final = 8192
_JWT_DOTS: Final = 2
_SIGNATURE_BYTES: Final = 32
_ENDED: Final = "The sign-in has ended. Reload the page to sign in again."


class Authenticator:
    """Knows who requests come from.

    Attributes:
        open_calls: Calls in progress under its tokens.

    Args:
        tokens: Tokens of the file; `None` for no file.
        oidc: Verifies tokens of an issuer; `None` for none.
        now: Returns the seconds since 1970.
    """

    def __init__(
        self,
        *,
        tokens: WatchedFiles[TokenList] | None = None,
        oidc: OidcVerifier | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._oidc = oidc
        self._now = now
        self.open_calls: Final = OpenCalls(self._listed)

    @property
    def is_required(self) -> bool:
        """Whether requests need a token."""
        return self._tokens is not None or self._oidc is not None

    async def authenticate_header(self, authorization: str) -> Principal:
        """Return who an entry `authorization` stands for; empty if there is none.

        Raises:
            ChladniError: Nobody is known by it, or the issuer cannot be asked.
        """
        if not authorization:
            raise unauthenticated(TokenProblem.MISSING)
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != _SCHEME:
            raise unauthenticated(TokenProblem.MALFORMED)
        return await self.authenticate(token.strip())

    async def authenticate(self, token: str) -> Principal:
        """Return who a token stands for.

        Raises:
            ChladniError: Nobody is known by it, or the issuer cannot be asked.
        """
        if not token or len(token) > _MAX_TOKEN_CHARACTERS or not (token.isascii() and token.isprintable()):
            raise unauthenticated(TokenProblem.MALFORMED)
        if self._oidc is not None and token.count(".") == _JWT_DOTS:
            return await self._oidc.authenticate(token)
        if self._tokens is None:
            raise unauthenticated(TokenProblem.UNKNOWN)
        return self._tokens.content.authenticate(token, now=self._now())

    def current(self, principal: Principal) -> Principal:
        """Return what the token of a principal stands for now, with the scopes that the file gives it now.

        Raises:
            ChladniError: It has expired, or is not in the file any more.
        """
        if principal.expires_at is not None and principal.expires_at <= self._now():
            raise unauthenticated(TokenProblem.EXPIRED)
        if not principal.token_digest:
            if self._oidc is None:
                raise unauthenticated(TokenProblem.UNKNOWN)
            return principal
        return self._listed(principal)

    def _listed(self, principal: Principal) -> Principal:
        """Return what the file says of the token of a principal: unknown if it was withdrawn, even late."""
        if self._tokens is None:
            raise unauthenticated(TokenProblem.UNKNOWN)
        return self._tokens.content.find(principal.token_digest, now=self._now())


class SignInCookies:
    """Values of the cookie that a browser gets for a token. They hold no token, and end with it.

    Args:
        key: Secret key of the signatures.
        authenticator: Knows whether tokens are still good.
        now: Returns the seconds since 1970.
    """

    def __init__(
        self, key: str, authenticator: Authenticator, *, now: Callable[[], float] = time.time
    ) -> None:
        self._key = hashlib.sha256(f"chladni sign-in {key}".encode()).digest()
        self._authenticator = authenticator
        self._now = now

    def issue(self, principal: Principal, *, age_seconds: float) -> str:
        """Return the value for a principal, which is good for a time and no longer than the token."""
        facts = {
            "until": self._now() + age_seconds,
            "name": principal.name,
            "owner": principal.owner,
            "scopes": sorted(principal.scopes),
            "expires_at": principal.expires_at,
            "token_digest": principal.token_digest,
        }
        content = _encode(json.dumps(facts, separators=(",", ":")).encode())
        return f"{content}.{self._signature(content)}"

    def authenticate(self, value: str) -> Principal:
        """Return who a value stands for.

        Raises:
            ChladniError: It was not issued here, or it or its token has ended.
        """
        try:
            return self._authenticate(value)
        except ChladniError as error:
            raise unauthenticated(TokenProblem(error.metadata["problem"]), _ENDED) from None

    def _authenticate(self, value: str) -> Principal:
        content, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            raise unauthenticated(TokenProblem.UNKNOWN)
        facts = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
        # A browser forgets the cookie by then, but not who stole it.
        if facts.pop("until", 0) <= self._now():
            raise unauthenticated(TokenProblem.EXPIRED)
        scopes = frozenset(map(Scope, facts.pop("scopes")))
        return self._authenticator.current(Principal(scopes=scopes, **facts))

    def _signature(self, content: str) -> str:
        return _encode(hmac.digest(self._key, content.encode(), "sha256")[:_SIGNATURE_BYTES])


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")

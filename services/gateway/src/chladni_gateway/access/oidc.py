"""Tokens of an OpenID Connect issuer, verified by the keys that it publishes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPMessage
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import jwt

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.access.principals import (
    Principal,
    Scope,
    TokenProblem,
    owner_of_subject,
    unauthenticated,
)

if TYPE_CHECKING:
    from chladni_runtime.execution.deadlines import Clock

_ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
"""Those with a public key alone: with others, whoever knows the public key could sign."""
_REQUIRED_CLAIMS: Final = ("exp", "iss", "aud", "sub")
_LEEWAY_SECONDS: Final = 30.0
_FETCH_SECONDS: Final = 5.0
_REFRESH_SECONDS: Final = 3 * _FETCH_SECONDS
_MAX_BYTES: Final = 1024 * 1024
_MIN_FETCH_INTERVAL_SECONDS: Final = 5.0
_RETRY_SECONDS: Final = 2.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_DISCOVERY_PATH: Final = "/.well-known/openid-configuration"

_log = logging.getLogger(__name__)

Fetch = Callable[[str], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of tokens.

    Attributes:
        url: The issuer, as in the claim `iss`.
        audience: What tokens for this server have in the claim `aud`.
        keys_url: Where its keys are; empty to look that up at the issuer.
        scope_prefix: Beginning of this server's scopes in the claim `scope` (or `scp`).
        default_scopes: Scopes of every token of the issuer.
        key_seconds: Time after which the keys are fetched again.
    """

    url: str
    audience: str
    keys_url: str = ""
    scope_prefix: str = ""
    default_scopes: frozenset[Scope] = frozenset()
    key_seconds: float = 300.0


class OidcVerifier:
    """Verifies tokens of an issuer. One event loop owns it.

    Args:
        issuer: The issuer.
        fetch: Returns the JSON at an address; called on another thread.
        clock: Monotonic clock in seconds.
    """

    def __init__(self, issuer: Issuer, *, fetch: Fetch | None = None, clock: Clock = time.monotonic) -> None:
        self._issuer = issuer
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._keys: dict[str, jwt.PyJWK] = {}
        self._tried_at: float | None = None
        self._fetched_at: float | None = None
        self._has_failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def authenticate(self, token: str) -> Principal:
        """Return who a token stands for.

        Raises:
            ChladniError: The token is not of the issuer or not valid now.
            UnavailableError: The keys of the issuer cannot be had.
        """
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise unauthenticated(TokenProblem.UNKNOWN) from None
        algorithm = header.get("alg")
        if algorithm not in _ALGORITHMS:
            raise unauthenticated(TokenProblem.UNKNOWN)
        key = await self._find_key(str(header.get("kid", "")))
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._issuer.audience,
                issuer=self._issuer.url,
                leeway=_LEEWAY_SECONDS,
                options={"require": list(_REQUIRED_CLAIMS)},
            )
        except jwt.ExpiredSignatureError:
            raise unauthenticated(TokenProblem.EXPIRED) from None
        except jwt.ImmatureSignatureError:
            raise unauthenticated(TokenProblem.NOT_YET_VALID) from None
        except (jwt.PyJWTError, TypeError, ValueError):
            raise unauthenticated(TokenProblem.UNKNOWN) from None
        subject = str(claims["sub"])
        return Principal(
            name=subject,
            owner=owner_of_subject(subject, issuer=self._issuer.url),
            scopes=self._issuer.default_scopes | self._scopes_in(claims),
            expires_at=float(claims["exp"]),
        )

    def _scopes_in(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        given = claims.get("scope", claims.get("scp", ""))
        names = given.split() if isinstance(given, str) else [str(item) for item in given or ()]
        prefix = self._issuer.scope_prefix
        return frozenset(scope for scope in Scope if f"{prefix}{scope.value}" in names)

    async def _find_key(self, key_id: str) -> jwt.PyJWK:
        """Return a key; fetch the keys if they are old, or if the issuer may have a new one."""
        if self._is_older(self._fetched_at, self._issuer.key_seconds):
            fetching = self._refresh(_RETRY_SECONDS)
            # While the issuer is down, nobody waits for it whose key is known.
            if fetching is not None and not (self._has_failed and key_id in self._keys):
                await asyncio.shield(fetching)
        if key_id not in self._keys:
            fetching = self._refresh(_MIN_FETCH_INTERVAL_SECONDS)
            if fetching is not None:
                await asyncio.shield(fetching)
        if not self._keys:
            raise UnavailableError(
                Reason.BACKEND_UNAVAILABLE,
                "The issuer of tokens cannot be asked for its keys. Try again shortly.",
                retry_after_seconds=_RETRY_SECONDS,
                metadata={"service": "oidc"},
            )
        if key_id not in self._keys:
            raise unauthenticated(TokenProblem.UNKNOWN)
        return self._keys[key_id]

    def _is_older(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment >= seconds

    def _refresh(self, interval_seconds: float) -> asyncio.Task[None] | None:
        """Return what fetches the keys, for all who wait; `None` if that was just tried.

        So tokens with invented keys cost the issuer nothing.
        """
        if self._fetching is None and self._is_older(self._tried_at, interval_seconds):
            self._fetching = asyncio.create_task(self._fetch_and_note())
        return self._fetching

    async def _fetch_and_note(self) -> None:
        started_at = self._clock()
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                self._keys = await asyncio.to_thread(self._fetch_keys)
        except Exception as error:  # noqa: BLE001 - whatever the issuer answers, the keys that are known stay
            _log.warning("the keys of the issuer of tokens cannot be fetched: %r", error)
            self._has_failed = True
        else:
            self._has_failed = False
            self._fetched_at = started_at
        finally:
            self._tried_at = self._clock()
            self._fetching = None

    def _fetch_keys(self) -> dict[str, jwt.PyJWK]:
        issuer = self._issuer
        address = issuer.keys_url
        if not address:
            found = self._fetch(issuer.url.rstrip("/") + _DISCOVERY_PATH)
            if found["issuer"] != issuer.url:
                raise ValueError(f"the issuer calls itself {found['issuer']!r}, not {issuer.url!r}")
            address = str(found["jwks_uri"])
        keys = jwt.PyJWKSet.from_dict(dict(self._fetch(address))).keys
        return {str(key.key_id or ""): key for key in keys if key.public_key_use in (None, "sig")}


def fetch_json(address: str) -> Mapping[str, Any]:
    """Return the JSON object at an address.

    Raises:
        OSError: It cannot be fetched.
        ValueError: It is something else, too large, or would come over HTTP from another machine: who can
            change keys on their way can sign.
    """
    _check_address(address)
    request = urllib.request.Request(address, headers={"Accept": "application/json"})  # noqa: S310 - as checked
    with urllib.request.build_opener(_CheckedRedirects).open(request, timeout=_FETCH_SECONDS) as answer:
        content = answer.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"{address} answers with more than {_MAX_BYTES} bytes")
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError(f"{address} answers with something else than a JSON object")  # noqa: TRY004 - not a type
    return found


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
        raise ValueError(f"{address!r} is no https address")


class _CheckedRedirects(urllib.request.HTTPRedirectHandler):
    """Redirects, which are followed only to addresses from which keys may come."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request to the new address."""
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)

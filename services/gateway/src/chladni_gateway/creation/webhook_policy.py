"""Which addresses the operator allows the ends of jobs to be reported to."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from chladni_gateway.domain.request import Webhook
from chladni_runtime.server.validation import RequestValidator

URL_FIELD: Final = "webhook.url"
SECRET_FIELD: Final = "webhook.secret"  # noqa: S105 - the name of a field
MAX_URL_LENGTH: Final = 2048
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - as the specification says
_MIN_SECRET_BYTES: Final = 24
_MAX_SECRET_BYTES: Final = 64
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """What the operator allows.

    Attributes:
        hosts: Names of public hosts, `*.name` for all below a name, `*` for every one; empty for no webhooks.
        private_hosts: Names that may lead to private addresses, and may be called by HTTP without TLS.
        secrets: The server's own secrets, the newest first; reports are signed with each.
    """

    hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    def check(self, webhook: Webhook) -> None:
        """Require that a webhook may be used; where its name leads, only the call itself shows.

        Raises:
            InvalidFieldsError: It may not.
        """
        validator = RequestValidator()
        problem = self._problem_of(webhook.url)
        validator.check(URL_FIELD, valid=not problem, description=problem)
        if webhook.secret:
            validator.check(
                SECRET_FIELD,
                valid=is_secret(webhook.secret),
                description=f"must be {_SECRET_PREFIX} and the base64 of {_MIN_SECRET_BYTES} to "
                f"{_MAX_SECRET_BYTES} bytes.",
            )
        else:
            validator.check(
                SECRET_FIELD,
                valid=bool(self.secrets),
                description="is missing, and this server has none of its own to sign with; send one.",
            )
        validator.raise_if_invalid()

    def is_private(self, host: str) -> bool:
        """Return whether a host may be at a private address."""
        return host in self.private_hosts

    def secrets_of(self, webhook: Webhook) -> tuple[str, ...]:
        """Return what reports to a webhook are signed with."""
        return (webhook.secret,) if webhook.secret else self.secrets

    def _problem_of(self, url: str) -> str:
        """Return what is wrong with an address; empty if nothing is."""
        if not self.hosts and not self.private_hosts:
            return "cannot be used: this server has webhooks turned off. Leave it out, and follow the job."
        if len(url) > MAX_URL_LENGTH:
            return f"has {len(url)} characters, at most {MAX_URL_LENGTH} are allowed."
        parts = _parsed(url)
        if parts is None or not parts.hostname or not url.isprintable() or not url.isascii() or " " in url:
            return "is no address; send one such as https://example.org/hooks."
        if parts.username is not None or parts.password is not None or parts.fragment:
            return "must hold neither a user nor a fragment (#)."
        return self._problem_of_host(parts.scheme, parts.hostname)

    def _problem_of_host(self, scheme: str, host: str) -> str:
        if self.is_private(host):
            return "" if scheme in {"https", "http"} else "must begin with https:// or http://."
        if not any(_matches(pattern, host) for pattern in self.hosts):
            return f"names the host {host}, which is none of those that this server reports to."
        if scheme != "https":
            return "must begin with https://."
        return "must name its host, not an address." if _is_address(host) else ""


def is_secret(text: str) -> bool:
    """Return whether a text is a secret of Standard Webhooks."""
    try:
        return _MIN_SECRET_BYTES <= len(secret_bytes(text)) <= _MAX_SECRET_BYTES
    except ValueError:
        return False


def secret_bytes(secret: str) -> bytes:
    """Return the key that a secret holds.

    Raises:
        ValueError: It is none.
    """
    encoded = secret.removeprefix(_SECRET_PREFIX)
    if encoded == secret:
        raise ValueError(f"must begin with {_SECRET_PREFIX}")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("is no base64") from None


def _parsed(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # Refused here if it is no number.
    except ValueError:
        return None
    return parts


def _matches(pattern: str, host: str) -> bool:
    return pattern in {_ANY, host} or (pattern[:2] == "*." and host.endswith(pattern[1:]))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # What some resolvers take for an address: 127.1, 0x7f000001, 2130706433.
        return host.rpartition(".")[2][:1].isdigit()
    return True

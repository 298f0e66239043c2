"""Which of the clients whose certificates are good may call: those whose certificates bear certain names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from chladni_contract.errors import ChladniError, Reason

if TYPE_CHECKING:
    from chladni_runtime.server.interceptor import Call

_GRPC_NAMES: Final = ("x509_subject_alternative_name", "x509_common_name")
_COMMON_NAME: Final = "commonName"


class ClientNames:
    """Names of clients, by which a service knows the callers that it is meant for.

    Args:
        allowed: Names that a certificate may bear, as DNS name, URI, address or common name; if there are
            none, each certificate of the authorities is good.
    """

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)

    def permits(self, certificate: Mapping[str, Any] | None) -> bool:
        """Return whether a client may call.

        Args:
            certificate: What `ssl.SSLObject.getpeercert` returns.
        """
        return not self._allowed or not self._allowed.isdisjoint(_names_of(certificate or {}))

    def begin(self, call: Call) -> None:
        """Refuse a call whose client has another name; health and reflection are for all that are let in.

        Raises:
            ChladniError: The client's certificate has none of the names.
        """
        if not self._allowed or call.is_probe:
            return
        properties: Mapping[str, Any] = call.context.auth_context()
        names = {name.decode(errors="replace") for key in _GRPC_NAMES for name in properties.get(key, ())}
        if self._allowed.isdisjoint(names):
            raise ChladniError(
                Reason.PERMISSION_DENIED, "The name in the client's certificate may not call this service."
            )

    def admit(self, call: Call) -> None:
        """Do nothing: the call was let in."""

    def end(self, call: Call) -> None:
        """Do nothing: nothing is held."""


def _names_of(certificate: Mapping[str, Any]) -> set[str]:
    names = {value for _, value in certificate.get("subjectAltName", ())}
    subject = (pair for part in certificate.get("subject", ()) for pair in part)
    return names | {value for key, value in subject if key == _COMMON_NAME}

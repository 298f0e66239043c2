"""Names of servers: what gRPC resolves, and what it would misunderstand."""

from __future__ import annotations

import re
from typing import Final

_LOOPBACK: Final = re.compile(r"(dns:(///)?)?(localhost|127(\.\d{1,3}){3}|\[::1\]):\d+")
_LOCAL_SCHEMES: Final = ("unix:", "unix-abstract:", "vsock:")
_OWN_SCHEMES: Final = (*_LOCAL_SCHEMES, "xds:", "ipv4:", "ipv6:")
_URL: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)")
_DNS: Final = re.compile(r"dns:(//[^/]*/)?(?P<address>.*)")
_ADDRESS: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+(%\w+)?\]|[^\s:/\[\]@?#]+)(:(?P<port>\d+))?")
_FORMS: Final = "a target is host:port, dns:///host:port or unix:/path"
_DEFAULT_PORT: Final = 50050
_LARGEST_PORT: Final = 65535


def checked_target(target: str) -> str:
    """Return a target that gRPC understands as it was meant.

    Args:
        target: ``host:port``, or with a scheme of gRPC: ``dns:``, ``unix:``, ``ipv4:``, ``ipv6:``, ``xds:``.

    Raises:
        ValueError: It is empty, is the address of a web page, has a path, or lacks the port.
    """
    if not target.strip():
        raise ValueError(f"the target is empty; {_FORMS}, such as localhost:{_DEFAULT_PORT}")
    if target.startswith(_OWN_SCHEMES):
        return target
    dns = _DNS.fullmatch(target)
    if dns is None and (url := _URL.fullmatch(target)):
        raise ValueError(_advice_on_url(target, url["scheme"].lower(), url["rest"]))
    address = dns["address"] if dns else target
    match = _ADDRESS.fullmatch(address)
    if match is None:
        host = re.split(r"[/?#]", address)[0]
        if host != address and _ADDRESS.fullmatch(host):
            raise ValueError(f"{target!r} has a path; gRPC takes none: write {_with_port(host)!r}")
        raise ValueError(f"{target!r} is no target; {_FORMS}")
    if match["port"] is None:
        prefix = target.removesuffix(address)
        raise ValueError(f"{target!r} lacks the port; write {prefix + _with_port(address)!r}")
    if not 0 < int(match["port"]) <= _LARGEST_PORT:
        raise ValueError(f"{target!r} has no port from 1 to {_LARGEST_PORT}")
    return target


def is_local(target: str) -> bool:
    """Return whether a target is on this machine."""
    return target.startswith(_LOCAL_SCHEMES) or _LOOPBACK.fullmatch(target) is not None


def _advice_on_url(target: str, scheme: str, rest: str) -> str:
    host = re.split(r"[/?#]", rest.rpartition("@")[2])[0]
    if scheme not in ("http", "https") or not _ADDRESS.fullmatch(host):
        return f"{target!r} has a scheme that gRPC does not know; {_FORMS}"
    if scheme == "https":
        return (
            f"{target!r} is the address of a web page; write {_with_port(host, 443)!r} with "
            "credentials=TlsCredentials() (the command: --tls)"
        )
    name = host.rpartition(":")[0] if _ADDRESS.fullmatch(host)["port"] else host  # type: ignore[index]
    return (
        f"{target!r} is the address of a web page; write {_with_port(name)!r}: gRPC has a port of its own "
        f"({_DEFAULT_PORT} by default), not that of the page"
    )


def _with_port(host: str, port: int = _DEFAULT_PORT) -> str:
    match = _ADDRESS.fullmatch(host)
    return host if match and match["port"] else f"{host}:{port}"

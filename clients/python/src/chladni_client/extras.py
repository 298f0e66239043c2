"""Packages that only some commands need."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from chladni_client.errors import NotInstalledError


def required_package(name: str, *, extra: str, purpose: str) -> ModuleType:
    """Return a package that an extra of this one brings.

    Args:
        name: The package.
        extra: The extra, such as ``live``.
        purpose: What needs it, the beginning of a sentence.

    Raises:
        NotInstalledError: It is not installed.
        OSError: It is, but a library of the system that it needs is not.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise NotInstalledError(
            f"{purpose} needs the package {name}: pip install 'chladni-client[{extra}]'.",
            reason="NOT_INSTALLED",
        ) from error

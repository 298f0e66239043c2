"""Modules that a page's script imports, named in the page, so that browsers fetch them at once.

Without that a browser learns of a module only when the one that imports it has come: one exchange with the
server for each level of the imports.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_STATIC: Final = "/static/"
_SCRIPT: Final = re.compile(rf'( *)<script type="module" src="{_STATIC}([^"]+)"></script>')
# What `import(...)` fetches is wanted later, if at all.
_IMPORT: Final = re.compile(r"^(?:import|export)\b[^\"'(;]*[\"'](\.{1,2}/[^\"']+)[\"']", re.MULTILINE)


def add_preloads(page: str, folder: Path) -> str:
    """Return a page that names, before its script, each module that it needs at once.

    Args:
        page: HTML of the page.
        folder: Folder of what is served under ``/static``.
    """

    def with_links(script: re.Match[str]) -> str:
        indent, path = script.groups()
        links = (
            f'{indent}<link rel="modulepreload" href="{_STATIC}{name}">' for name in imports(path, folder)
        )
        return "\n".join([*links, script.group()])

    return _SCRIPT.sub(with_links, page)


def imports(path: str, folder: Path) -> list[str]:
    """Return what a module imports and what that imports, the nearest first, by paths with slashes.

    Args:
        path: Path of the module in the folder.
        folder: Folder of the page's files.
    """
    found = [path]
    for module in found:  # Grows meanwhile.
        text = (folder / module).read_text(encoding="utf-8")
        named = (
            posixpath.normpath(posixpath.join(posixpath.dirname(module), name))
            for name in _IMPORT.findall(text)
        )
        found.extend(name for name in dict.fromkeys(named) if name not in found)
    return found[1:]

"""Pages as they are served, so that browsers fetch what they need at once and with few requests.

The modules that a page's script imports are named in the page: otherwise a browser learns of a module only
when the one that imports it has come, one exchange with the server for each level of the imports. The style
sheets of a page are joined to one, as a browser shows nothing before all of them have come.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_STATIC: Final = "/static/"
_SCRIPT: Final = re.compile(rf'( *)<script type="module" src="{_STATIC}([^"]+)"></script>')
_SHEET: Final = re.compile(rf'( *)<link rel="stylesheet" href="{_STATIC}([^"]+)">\n')
# What `import(...)` fetches is wanted later, if at all.
_IMPORT: Final = re.compile(r"^(?:import|export)\b[^\"'(;]*[\"'](\.{1,2}/[^\"']+)[\"']", re.MULTILINE)


def assemble(page: Path) -> str:
    """Return the HTML of a page as it is served.

    Args:
        page: The file, in the folder of what is served under ``/static``.
    """
    links = iter([f'<link rel="stylesheet" href="{_STATIC}{styles_name(page)}">\n'])

    def first_link(found: re.Match[str]) -> str:
        link = next(links, "")
        return link and found.group(1) + link

    return add_preloads(_SHEET.sub(first_link, page.read_text(encoding="utf-8")), page.parent)


def styles_name(page: Path) -> str:
    """Return under which name in ``/static`` the style sheets of a page are served as one."""
    return f"styles/joined/{page.stem}.css"


def join_styles(page: Path) -> str:
    """Return the style sheets of a page one after the other, in the page's order.

    Args:
        page: The file, in the folder of what is served under ``/static``.
    """
    named = _SHEET.findall(page.read_text(encoding="utf-8"))
    return "\n".join((page.parent / name).read_text(encoding="utf-8") for _, name in named)


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

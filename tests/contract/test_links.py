"""Links between the repository's documents lead to files and headings that exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
LISTING = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "*.md"]
DOCUMENTS = [
    name
    for name in subprocess.run(
        LISTING, cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (REPOSITORY / name).is_file()
]


def anchors(document: Path) -> set[str]:
    """Return the anchors that a forge gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name: str) -> None:
    document = REPOSITORY / name
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []

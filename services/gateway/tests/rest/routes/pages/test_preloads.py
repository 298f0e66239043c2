"""A page names the modules that its script needs at once, and has one style sheet."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from chladni_gateway.rest.routes.pages.preloads import add_preloads, assemble, imports

WEB = Path(str(files("chladni_gateway") / "web"))
SHEET = re.compile('<link rel="stylesheet" href="/static/([^"]+)">')
LINK = re.compile('<link rel="modulepreload" href="/static/([^"]+)">')


def test_each_module_is_named_once_the_nearest_first_and_none_that_is_wanted_later(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "main.js").write_text(
        'import { a,\n  b } from "./parts/first.js";\nimport "./parts/second.js";\n'
        'const later = () => import("./parts/later.js");\nexport { a, b };\nconst c = "./parts/text.js";\n'
    )
    (tmp_path / "parts" / "first.js").write_text('export { third } from "./third.js";\n')
    (tmp_path / "parts" / "second.js").write_text('import { a } from "../main.js";\nimport "./first.js";\n')
    (tmp_path / "parts" / "third.js").write_text("export const third = 3;\n")
    assert imports("main.js", tmp_path) == ["parts/first.js", "parts/second.js", "parts/third.js"]
    page = '<head>\n  <script type="module" src="/static/main.js"></script>\n</head>'
    lines = add_preloads(page, tmp_path).splitlines()
    assert lines[1] == '  <link rel="modulepreload" href="/static/parts/first.js">'
    assert lines[-2:] == page.splitlines()[-2:]
    assert len(lines) == 6


async def test_the_pages_name_their_modules_which_are_all_there(gateway):
    page = (await gateway.http.get("/")).text
    named = LINK.findall(page)
    assert len(named) == len(set(named)) > 50
    assert not [name for name in named if not (WEB / name).is_file()]
    # What a browser would find step by step: all modules but those of parts that are opened later.
    begun = {"scripts/app.js", *named}
    for name in begun:
        text = (WEB / name).read_text()
        for found in re.findall('from "([^"]+)";', text):
            assert ((WEB / name).parent / found).resolve().relative_to(WEB).as_posix() in begun
    assert "scripts/music/music_view.js" not in begun
    assert not LINK.search((WEB / "index.html").read_text())


@pytest.mark.parametrize("name", ["index.html", "shared.html"])
async def test_a_page_has_one_style_sheet_which_holds_all_of_its_own_in_their_order(gateway, name):
    written = (WEB / name).read_text()
    sheets = [(WEB / path).read_text() for path in SHEET.findall(written)]
    assert len(sheets) > 4
    served = assemble(WEB / name)
    (path,) = SHEET.findall(served)
    before, after = (
        re.sub(r'\n *<link rel="(?:stylesheet|modulepreload)"[^>]+>', "", page) for page in (written, served)
    )
    assert before == after
    response = await gateway.http.get(f"/static/{path}")
    assert response.headers["content-type"] == "text/css; charset=utf-8"
    assert response.text == "\n".join(sheets)
    # Joined, a sheet may name no other file by its place, and each must end what it begins.
    for sheet in sheets:
        assert not re.search(r"url\(|@import|@charset", sheet)
        assert sheet.count("{") == sheet.count("}")

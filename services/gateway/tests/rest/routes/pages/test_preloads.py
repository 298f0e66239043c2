"""A page names the modules that its script needs at once, whatever these come to be."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

from chladni_gateway.rest.routes.pages.preloads import add_preloads, imports

WEB = Path(str(files("chladni_gateway") / "web"))
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

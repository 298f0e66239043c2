"""The floor plan: where things are, how large folders may grow, and which words names are made of.

import-linter checks which way imports point (`make verify-imports`); this module checks what it cannot.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import defaultdict
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
MAX_MODULES = 12
MAX_LINES = 450
SMALL_LINES = 60
SERVICES = ("audio_features", "gateway", "image_generation", "similarity")
TOP = {"__main__.py", "composition.py", "config.py", "metrics.py", "grpc_api"}
ALWAYS_APART = {"__init__.py", "__main__.py", "composition.py", "config.py", "metrics.py"}
EXTERNAL_NAMES = {"SoundFile", "SoundFileError"}
GLOSSARY = REPOSITORY / "CONTRIBUTING.md"


def tracked(*patterns):
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [REPOSITORY / name for name in listing if (REPOSITORY / name).is_file()]


MODULES = [
    path
    for path in tracked("protos/contract", "services", "clients/python", "deploy/local", "tests")
    if path.suffix == ".py" and "/src/" in f"{path}/"
]


TEST_MODULES = [
    path
    for path in tracked("protos/contract", "services", "clients/python", "deploy", "tests", "conftest.py")
    if path.name == "conftest.py" or path.name.startswith("test_")
]


def is_for_tests(path):
    parts = path.relative_to(REPOSITORY).parts
    return parts[0] == "tests" or "testing" in parts


def source_root(path):
    return next(parent for parent in path.parents if parent.name == "src")


def dotted(path):
    parts = path.relative_to(source_root(path)).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def nodes_of(path):
    """The nodes of a module's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text())))


def imported_by(path):
    """The dotted names that a module imports, those under TYPE_CHECKING included."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_folder_holds_more_than_twelve_modules():
    folders = defaultdict(list)
    for path in MODULES:
        if path.name != "__init__.py":
            folders[path.parent].append(path.name)
    crowded = {
        str(folder.relative_to(REPOSITORY)): len(names)
        for folder, names in folders.items()
        if len(names) > MAX_MODULES
    }
    assert crowded == {}


def test_no_module_is_longer_than_one_responsibility():
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text().splitlines())
        for path in (*MODULES, *TEST_MODULES)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_the_files_that_a_worker_takes_together_or_first_are_there():
    constants = {
        node.targets[0].id: node.value
        for node in ast.parse((REPOSITORY / "conftest.py").read_text()).body
        if isinstance(node, ast.Assign)
    }
    together = ast.literal_eval(constants["TOGETHER"])
    paths = [*chain.from_iterable(together.values()), *ast.literal_eval(constants["LONGEST"])]
    assert [path for path in paths if path not in together and not (REPOSITORY / path).exists()] == []


def test_a_small_module_has_two_users_or_is_one_of_a_family():
    """A module that one other imports is merged into it, unless that one imports three of its kind."""
    names = {dotted(path): path for path in MODULES}
    imports = {name: {other for other in imported_by(path) if other in names} for name, path in names.items()}
    lonely = {}
    for name, path in names.items():
        length = len(path.read_text().splitlines())
        users = [user for user, used in imports.items() if name in used and user != name]
        if length >= SMALL_LINES or path.name in ALWAYS_APART or len(users) != 1 or is_for_tests(path):
            continue
        package = name.rpartition(".")[0]
        family = [other for other in imports[users[0]] if other.rpartition(".")[0] == package]
        if len(family) < 3:
            lonely[name] = f"{length} lines, used by {users[0]} alone"
    assert lonely == {}


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_top(service):
    package = REPOSITORY / "services" / service / "src" / f"chladni_{service}"
    assert {path.name for path in package.iterdir()} >= TOP
    functions = {
        node.name
        for node in ast.parse((package / "composition.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert "compose" in functions


def retired_words():
    """The words of the glossary's last column, by what to say instead."""
    rows = re.findall(r"^\| (.+?) \| .+? \| (.+?) \|$", GLOSSARY.read_text(), re.MULTILINE)
    return {word: instead for instead, words in rows for word in re.findall(r"`(\w+)`", words)}


def words_of(identifier):
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)


def identifiers_of(path):
    """The names in a module: what its syntax tree has as text, apart from constants."""
    for node in nodes_of(path):
        if not isinstance(node, ast.Constant):
            for _, value in ast.iter_fields(node):
                values = value if isinstance(value, list) else [value]
                yield from (text for text in values if isinstance(text, str))


def test_names_use_the_words_of_the_glossary():
    retired = retired_words()
    assert len(retired) > 20
    found = defaultdict(set)
    for path in MODULES:
        for name in {*identifiers_of(path), path.stem} - EXTERNAL_NAMES:
            for word in words_of(name):
                if word.lower() in retired:
                    place = f"{path.relative_to(REPOSITORY)}: {name}"
                    found[f"{word.lower()} -> {retired[word.lower()]}"].add(place)
    assert found == {}


def test_every_kind_of_name_is_looked_at(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import a.b as c\nfrom d import e\nclass F(g.h, i=j):\n    k: l = 1\n"
        'async def m(n, /, o, *p, q: r = s, **t):\n    global u\n    v = lambda w: w\n    "x"\n'
        "try:\n    pass\nexcept y as z:\n    pass\n"
        "match aa:\n    case bb(cc=dd) | {**ee} | [*ff] as gg:\n        hh(ii=f'{jj} kk')  # ll\n"
    )
    names = {*identifiers_of(path)}
    expected = {*"cdeFghijklmnopqrstuvwyz", "a.b", "aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh", "ii", "jj"}
    assert names == expected

"""What settings may name, and how it is called then."""

from __future__ import annotations

import pytest

from chladni_runtime.models.reference import ModelReference, parse_model_reference, parse_model_references

SHIPPED = ("small", "large")


@pytest.mark.parametrize(
    ("text", "source", "revision", "name"),
    [
        ("small", "small", None, "small"),
        ("owner/name", "owner/name", None, "owner/name"),
        ("owner/name@refs/pr/3", "owner/name", "refs/pr/3", "owner/name"),
        ("/models/my-clip", "/models/my-clip", None, "my-clip"),
        ("/models/my-clip/", "/models/my-clip/", None, "my-clip"),
        ("./clip", "./clip", None, "clip"),
        ("../clip", "../clip", None, "clip"),
        ("~/clip", "~/clip", None, "clip"),
        (f"/models/clip@{'0a' * 6}", "/models/clip", "0a" * 6, "clip"),
        (f"/c@d/e@{'ab' * 8}", "/c@d/e", "ab" * 8, "e"),
        ("/c@d/e", "/c@d/e", None, "e"),
    ],
)
def test_every_form_has_its_source_revision_and_name(text, source, revision, name):
    reference = parse_model_reference(text, shipped=SHIPPED)
    assert reference == ModelReference(source, revision)
    assert reference.name == name
    assert reference.is_directory == source.startswith(("/", ".", "~"))
    assert reference.is_on_hub == source.startswith("owner")


def test_only_the_revision_of_a_hub_model_is_part_of_its_full_name():
    texts = ("small", "owner/name", "owner/name@v1", f"/models/clip@{'0' * 64}")
    names = [parse_model_reference(text, shipped=SHIPPED).full_name for text in texts]
    assert names == ["small", "owner/name", "owner/name@v1", "clip"]


def test_a_directory_has_its_name_also_when_it_is_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    monkeypatch.setenv("HOME", "/home/someone")
    assert parse_model_reference(".").name == "inner"
    assert parse_model_reference("..").directory == tmp_path
    assert parse_model_reference("~/clip").directory.as_posix() == "/home/someone/clip"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "medium",
        "@" + "a" * 64,
        "a/b/c",
        "/",
        "owner/",
        "owner/name@",
        "owner/na me",
        "small@main",
        "http://host/x",
    ],
)
def test_anything_else_is_refused_with_the_known_forms(text):
    with pytest.raises(ValueError, match="is no model") as caught:
        parse_model_reference(text, shipped=SHIPPED)
    for form in ("small", "large", "a directory, which begins with / or ./", "owner/name[@revision]"):
        assert form in str(caught.value)


@pytest.mark.parametrize("digest", ["", "abc", "main", "0A" * 6, "0" * 65])
def test_a_directory_takes_no_revision_but_its_digest(digest):
    with pytest.raises(ValueError, match="first 12 or more hexadecimal digits"):
        parse_model_reference(f"/models/clip@{digest}")


def test_a_list_keeps_its_order_and_may_be_empty():
    references = parse_model_references(" /b ,, a/c@1, small,", shipped=SHIPPED)
    assert references == (ModelReference("/b"), ModelReference("a/c", "1"), ModelReference("small"))
    assert parse_model_references(" , ") == ()

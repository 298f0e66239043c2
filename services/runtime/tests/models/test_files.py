"""Directories of models, on this machine and from the hub."""

from __future__ import annotations

import subprocess
import sys

import pytest
from huggingface_hub import errors

from chladni_runtime.models.files import (
    ModelLoadingError,
    directory_digest,
    file_digest,
    find_model_directory,
    require_digest,
    require_safetensors,
)
from chladni_runtime.models.reference import ModelReference

ON_HUB = ModelReference("owner/name", "v1")


class Hub:
    """Takes the place of the model hub's library.

    Args:
        directory: What it gives.
        failures: What it raises, by whether only files on this machine were asked for.
    """

    def __init__(self, directory, failures):
        self.calls = []
        self._directory = directory
        self._failures = failures

    def __call__(self, repository, *, local_files_only, **options):
        self.calls.append((repository, local_files_only, options))
        if local_files_only in self._failures:
            raise self._failures[local_files_only]
        return str(self._directory)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    def replace(**failures):
        fake = Hub(tmp_path, {key == "local": error for key, error in failures.items()})
        monkeypatch.setattr("huggingface_hub.snapshot_download", fake)
        return fake

    return replace


def failure(kind):
    """An error as the hub's library raises it; its own constructor wants a whole HTTP response."""
    return kind.__new__(
        kind, "401 Client Error for https://huggingface.co/owner/name, cached in /var/lib/models"
    )


def test_a_directory_is_where_its_reference_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip").mkdir()
    for source in (str(tmp_path / "clip"), "./clip"):
        assert find_model_directory(ModelReference(source), patterns=["*"]) == tmp_path / "clip"


def test_a_missing_directory_is_told_by_its_name_alone(tmp_path):
    with pytest.raises(ModelLoadingError, match="'clip': there is no such directory") as caught:
        find_model_directory(ModelReference(str(tmp_path / "clip")), patterns=["*"])
    assert str(tmp_path) not in str(caught.value)


def test_a_model_that_was_downloaded_is_used_without_the_hub(hub, tmp_path):
    fake = hub()
    found = find_model_directory(ON_HUB, patterns=("*.json",), ignored_patterns=["b*"])
    assert found == tmp_path
    options = {"revision": "v1", "allow_patterns": ["*.json"], "ignore_patterns": ["b*"]}
    assert fake.calls == [("owner/name", True, options)]


def test_any_other_model_is_downloaded(hub, tmp_path):
    fake = hub(local=errors.LocalEntryNotFoundError("not here"))
    assert find_model_directory(ON_HUB, patterns=["*"]) == tmp_path
    assert [local for _, local, _ in fake.calls] == [True, False]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        (errors.GatedRepoError, "Accept its terms"),
        (errors.RepositoryNotFoundError, "for a private model set HF_TOKEN"),
        (errors.RevisionNotFoundError, "no such revision"),
        (errors.LocalEntryNotFoundError, "name its directory"),
        (ValueError, "name its directory"),
    ],
)
def test_what_cannot_be_downloaded_says_what_to_do_and_no_path(hub, kind, advice):
    hub(local=errors.LocalEntryNotFoundError("not here"), remote=failure(kind))
    with pytest.raises(ModelLoadingError, match=advice) as caught:
        find_model_directory(ON_HUB, patterns=["*"])
    assert "'owner/name' at revision v1" in str(caught.value)
    assert "/var/lib" not in str(caught.value)


def test_a_name_that_the_library_refuses_is_an_error_at_once(hub):
    fake = hub(local=errors.HFValidationError("no such form"))
    with pytest.raises(ModelLoadingError, match="'owner/name' at revision v1"):
        find_model_directory(ON_HUB, patterns=["*"])
    assert len(fake.calls) == 1


def test_only_safetensors_are_weights(tmp_path):
    reference = ModelReference(str(tmp_path))
    (tmp_path / "model.bin").touch()
    with pytest.raises(ModelLoadingError, match="no safetensors"):
        require_safetensors(tmp_path, reference)
    (tmp_path / "model.safetensors").touch()
    require_safetensors(tmp_path, reference)


def test_a_directory_may_be_asked_for_by_digest(tmp_path):
    digest = "0a" * 32
    require_digest(ModelReference(str(tmp_path), "0a" * 6), digest)
    require_digest(ModelReference(str(tmp_path)), digest)
    require_digest(ON_HUB, digest)
    with pytest.raises(ModelLoadingError, match=f"has the digest {digest}, but the setting asks for bbbbbb"):
        require_digest(ModelReference(str(tmp_path), "b" * 12), digest)


def test_the_digest_of_a_directory_follows_names_and_contents_that_match(tmp_path):
    for name, content in (("a.json", b"1"), ("b.json", b"2"), ("notes.md", b"3")):
        (tmp_path / name).write_bytes(content)
    digests = [directory_digest(tmp_path, ("*.json", "a.*"))]
    (tmp_path / "notes.md").write_bytes(b"other")
    assert directory_digest(tmp_path, ("*.json",)) == digests[0]
    (tmp_path / "a.json").write_bytes(b"other")
    digests.append(directory_digest(tmp_path, ("*.json",)))
    (tmp_path / "b.json").rename(tmp_path / "c.json")
    digests.append(directory_digest(tmp_path, ("*.json",)))
    assert len(set(digests)) == 3


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    assert file_digest(path).startswith("ba7816bf8f01cfea")


def test_neither_torch_nor_the_hub_is_imported_for_a_directory(tmp_path):
    program = f"""
import sys
sys.modules["torch"] = sys.modules["huggingface_hub"] = None
from chladni_runtime.models.files import find_model_directory
from chladni_runtime.models.reference import parse_model_reference
find_model_directory(parse_model_reference({str(tmp_path)!r}), patterns=["*"])
"""
    subprocess.run([sys.executable, "-c", program], check=True)

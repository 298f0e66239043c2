"""The job that makes safetensors of pickled weights runs no code of theirs, and has no network."""

from __future__ import annotations

import importlib.util
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import torch
from safetensors.torch import load_file


@pytest.fixture(scope="module")
def convert(repository: Path) -> Any:
    path = repository / "deploy/jobs/convert-models/convert.py"
    specification = importlib.util.spec_from_file_location("convert", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_weights_are_the_same_under_the_names_that_are_loaded(convert: Any, tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    for folder, name in (("clip", "pytorch_model"), ("pipeline/unet", "diffusion_pytorch_model")):
        (tmp_path / folder).mkdir(parents=True)
        torch.save({"a": shared, "b": shared, "t": shared.T, "n": 3}, tmp_path / folder / f"{name}.bin")
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "model.safetensors").touch()
    (tmp_path / "done" / "pytorch_model.bin").write_bytes(b"not read")
    assert convert.convert_all(tmp_path) == []
    for path in ("clip/model.safetensors", "pipeline/unet/diffusion_pytorch_model.safetensors"):
        found = load_file(tmp_path / path)
        assert found.keys() == {"a", "b", "t"}
        assert torch.equal(found["a"], shared)
        assert torch.equal(found["t"], shared.T)


def test_weights_in_several_files_keep_their_index(convert: Any, tmp_path: Path) -> None:
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    for key, name in zip("ab", names, strict=True):
        torch.save({key: torch.zeros(1)}, tmp_path / name)
    index = {"metadata": {}, "weight_map": dict(zip("ab", names, strict=True))}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    assert convert.convert_all(tmp_path) == []
    written = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    for key, name in written["weight_map"].items():
        assert key in load_file(tmp_path / name)


def test_a_run_that_was_ended_between_two_files_is_done_again(convert: Any, tmp_path: Path) -> None:
    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    for key, name in zip("ab", names, strict=True):
        torch.save({key: torch.zeros(1)}, tmp_path / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "save_file", _ending_after_one(convert.save_file))
        with pytest.raises(KeyboardInterrupt):
            convert.convert_all(tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))
    assert convert.convert_all(tmp_path) == []
    assert len(list(tmp_path.glob("*.safetensors"))) == len(names)


def _ending_after_one(save: Callable[..., None]) -> Callable[..., None]:
    saved: list[Path] = []

    def save_or_end(tensors: Any, path: Path, **options: Any) -> None:
        if saved:
            raise KeyboardInterrupt
        save(tensors, path, **options)
        saved.append(path)

    return save_or_end


class Malicious:
    """Would write a file if it were unpickled by a loader that trusts it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_that_holds_code_is_refused_and_leaves_nothing(convert: Any, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    trace = tmp_path / "trace"
    torch.save({"a": torch.zeros(1), "b": Malicious(trace)}, tmp_path / "bad" / "pytorch_model.bin")
    (tmp_path / "worse").mkdir()
    (tmp_path / "worse" / "pytorch_model.bin").write_bytes(pickle.dumps(Malicious(trace), protocol=2))
    refused = convert.convert_all(tmp_path)
    assert [line.partition(":")[0] for line in refused] == ["bad", "worse"]
    assert not trace.exists()
    assert not list(tmp_path.rglob("*.safetensors*"))


def test_the_job_is_hardened_and_has_no_network(
    build: Callable[[Path], list[dict[str, Any]]], repository: Path
) -> None:
    resources = build(repository / "deploy/jobs/convert-models")
    for resource in resources:
        kubernetes_validate.validate(resource, "1.32", strict=True)
    by_kind = {resource["kind"]: resource for resource in resources}
    pod = by_kind["Job"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    policy = by_kind["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert not policy.get("ingress")
    assert not policy.get("egress")

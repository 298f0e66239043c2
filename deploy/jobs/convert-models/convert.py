"""Write safetensors beside pickled weights: `convert.py FOLDER`.

Services load safetensors alone, since a pickle can run code. This reads pickles with `weights_only`, which
takes tensors and plain containers and refuses the rest, and should run where there is no network and nothing
else of worth. Folders that hold safetensors already are left as they are, so those of a folder appear once
all are written. The exit status is 1 if a file was refused; the last lines name them.
"""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

_NAMES: Final = {"pytorch_model": "model", "diffusion_pytorch_model": "diffusion_pytorch_model"}
"""What transformers and diffusers call weights, as pickles and as safetensors."""
_UNFINISHED: Final = ".unfinished"
"""Subfolder of what is written of a folder; an earlier run that was ended may have left one."""
_INDEX: Final = ".bin.index.json"


def convert_all(root: Path) -> list[str]:
    """Convert the weights in a folder and those below it; return what is wrong with those refused."""
    refused = []
    for folder in sorted({path.parent for path in root.rglob("*.bin")}):
        if any(folder.glob("*.safetensors")):
            continue
        unfinished = folder / _UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir()
            _convert_folder(folder, unfinished)
            # The index first: safetensors say that the folder is done.
            for written in sorted(unfinished.iterdir(), key=lambda path: path.suffix != ".json"):
                written.rename(folder / written.name)
        except (OSError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
            refused.append(f"{folder.relative_to(root)}: {error}")
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return refused


def _convert_folder(folder: Path, target: Path) -> None:
    for path in sorted(folder.glob("*.bin")):
        if path.stem.partition("-")[0] in _NAMES:
            _convert_file(path, target)
    for path in folder.glob(f"*{_INDEX}"):
        index = json.loads(path.read_text(encoding="utf-8"))
        index["weight_map"] = {name: _safetensors_name(file) for name, file in index["weight_map"].items()}
        stem = path.name.removesuffix(_INDEX)
        name = f"{_NAMES.get(stem, stem)}.safetensors.index.json"
        (target / name).write_text(json.dumps(index, indent=2), encoding="utf-8")


def _convert_file(path: Path, target: Path) -> None:
    content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, Mapping):
        raise ValueError(f"{path.name} holds no weights by name")  # noqa: TRY004 - of the file, not of an argument
    tensors = {name: value for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise ValueError(f"{path.name} holds no weights by name")
    name = _safetensors_name(path.name)
    # Copies, since safetensors takes no two tensors of one memory.
    save_file(_apart(tensors), target / name, metadata={"format": "pt"})
    print(f"{path} -> {name}")


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}


def _safetensors_name(name: str) -> str:
    stem = name.removesuffix(".bin")
    head, dash, rest = stem.partition("-")
    return f"{_NAMES.get(head, head)}{dash}{rest}.safetensors"


if __name__ == "__main__":
    _, given_folder = sys.argv
    faults = convert_all(Path(given_folder))
    for fault in faults:
        print(f"refused: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)

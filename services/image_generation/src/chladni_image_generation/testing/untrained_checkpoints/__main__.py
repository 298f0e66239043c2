"""Writes an untrained checkpoint: ``python -m chladni_image_generation.testing.untrained_checkpoints``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Final

from chladni_image_generation.testing import untrained_checkpoints

_NO_FAMILIES: Final = {"__main__", "preprocessors"}


def family_names() -> list[str]:
    """Return the names of the families, those of their modules with hyphens."""
    names = {module.name for module in iter_modules(untrained_checkpoints.__path__)} - _NO_FAMILIES
    return sorted(name.replace("_", "-") for name in names)


def saver_of(family: str) -> Callable[..., None]:
    """Return the function that saves a family's checkpoint; only here is its module imported.

    Args:
        family: One of `family_names`.
    """
    name = family.replace("-", "_")
    module = import_module(f"{untrained_checkpoints.__name__}.{name}")
    saver: Callable[..., None] = getattr(module, f"save_untrained_{name}")
    return saver


def main() -> None:
    """Read the command line and write the checkpoint."""
    parser = argparse.ArgumentParser(prog="untrained_checkpoints", description=untrained_checkpoints.__doc__)
    parser.add_argument("family", choices=family_names())
    parser.add_argument("directory", type=Path, help="destination; created if needed")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (0)")
    arguments = parser.parse_args()
    saver_of(arguments.family)(arguments.directory, seed=arguments.seed)


if __name__ == "__main__":
    main()

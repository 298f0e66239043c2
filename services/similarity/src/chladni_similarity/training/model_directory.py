"""Directories of embedded models: files beside a manifest that knows their digests."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chladni_similarity.models.calibration import CALIBRATION_NAME, ModelCalibrations, format_calibrations
from chladni_similarity.models.files import MANIFEST_NAME, sha256_of


def write_manifest(directory: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest of a model whole or not at all."""
    partial = directory / f"{MANIFEST_NAME}.partial"
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(directory / MANIFEST_NAME)


def write_calibrations(directory: Path, calibrations: ModelCalibrations) -> None:
    """Write the calibrations of a model that has a manifest, and notes their digest there."""
    content = format_calibrations(calibrations)
    (directory / CALIBRATION_NAME).write_bytes(content)
    manifest = json.loads((directory / MANIFEST_NAME).read_text(encoding="utf-8"))
    manifest["sha256"] = {**manifest["sha256"], CALIBRATION_NAME: sha256_of(content)}
    write_manifest(directory, manifest)


def git_commit() -> str | None:
    """Return the commit that this code was checked out from, `None` outside a checkout."""
    answer = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", "HEAD"],  # noqa: S607 - git is where PATH says
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None

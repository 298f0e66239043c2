"""The size of weights."""

from __future__ import annotations

from pathlib import Path

from chladni_evaluation.sections.speed import weights_bytes


def test_all_weights_of_a_folder_are_counted(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "one.safetensors").write_bytes(b"12345")
    (tmp_path / "two.safetensors").write_bytes(b"123")
    (tmp_path / "config.json").write_bytes(b"{}")
    assert weights_bytes(tmp_path) == 8

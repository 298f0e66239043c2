"""The report on the embedding of clips."""

from __future__ import annotations

from chladni_audio_features.tools import evaluate_embedding


def test_evaluation_reads_folders(tmp_path, capsys, files, sounds):
    for kind, samples in {"tones": sounds.tone(440, 25.0), "noises": sounds.noise(1.0)}.items():
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "long.wav").write_bytes(files.encode(samples))
        (folder / "short.wav").write_bytes(files.encode(samples[:500]))
    evaluate_embedding.main([f"{kind}={tmp_path / kind}" for kind in ("tones", "noises")])
    report = capsys.readouterr().out
    assert "3 sounds" in report  # two pieces of the long tone, one noise
    assert "short.wav" in report

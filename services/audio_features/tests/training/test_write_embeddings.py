"""The job that writes embeddings to train on."""

from __future__ import annotations

import numpy as np
import pytest

from chladni_audio_features.training import write_embeddings
from chladni_audio_features.training.synthesis.corpus import draw_corpus

RATE_HZ = 22050


def test_embeddings_are_written_for_training(tmp_path, capsys, analyser, extractor):
    path = tmp_path / "new" / "embeddings.npz"
    write_embeddings.main(["--count", "9", "--seed", "5", "--out", str(path)])
    assert "9 embeddings of 152 components" in capsys.readouterr().out
    with np.load(path) as archive:
        assert archive["embeddings"].dtype == np.float32
        assert archive["embeddings"].shape == (9, 152)
        for sound, kind, embedding in zip(
            draw_corpus(count=9, seed=5, rate_hz=RATE_HZ),
            archive["kinds"],
            archive["embeddings"],
            strict=True,
        ):
            assert sound.kind == kind
            expected = extractor.embedder.embed(analyser.describe(sound.samples))
            assert np.array_equal(embedding, expected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "0", "--out", "x.npz"], "--count: must be a whole number of at least 1, but is 0"),
        (["--count", "many", "--out", "x.npz"], "--count: must be a whole number of at least 1, but is many"),
        (["--count", "3", "--seed", "-1", "--out", "x.npz"], "--seed: must be a whole number of at least 0"),
        (["--count", "3", "--out", "x.csv"], "--out must end in .npz, but is x.csv"),
        (["--count", "3"], "required: --out"),
    ],
)
def test_impossible_embedding_jobs_are_explained(capsys, arguments, words):
    with pytest.raises(SystemExit):
        write_embeddings.main(arguments)
    assert words in capsys.readouterr().err

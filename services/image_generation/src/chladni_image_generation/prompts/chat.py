"""Writers that ask a language model over HTTP, by Anthropic's API or by OpenAI's (Ollama, vLLM)."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

from chladni_contract.errors import ChladniError, DeadlineExceededError, FaultError, Reason, UnavailableError
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

_ATTEMPTS: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.25
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_MAX_TOKENS: Final = 2000
_RETRIED: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
_NUMBERING: Final = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s*")
_INSTRUCTIONS: Final = {
    PromptStyle.CONVERGENT: "Stay close to the music: each prompt shows one scene, faithful to the features.",
    PromptStyle.DIVERGENT: "Associate freely: each prompt shows another, unexpected scene.",
}


@dataclass(frozen=True)
class ChatServer:
    """Where a language model is and how it is asked.

    Attributes:
        name: Name of the writer.
        url: Base URL without a slash at its end.
        model: Name of the model there.
        api_key: Key; empty for none.
        needs_key: Whether it refuses callers without a key.
        speaks_anthropic: Whether it speaks Anthropic's Messages API, and not OpenAI's Chat Completions API.
    """

    name: str
    url: str
    model: str
    api_key: str = ""
    needs_key: bool = False
    speaks_anthropic: bool = False


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Leaves redirects alone: urllib would send the API key to wherever they lead."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none; the status is an error."""
        return


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


class ChatWriter:
    """Asks a language model for prompts; a `PromptWriter`.

    A missing key, a server that cannot be reached, one that is busy, a refusal and an answer that is none are
    errors of their own. What may pass is tried again, twice, within the time limit.

    Args:
        server: Where the model is.
    """

    takes_seed: Final = False

    def __init__(self, server: ChatServer) -> None:
        self._server = server
        self.name = server.name
        self.model = server.model

    def write(self, order: PromptOrder, *, timeout_seconds: float) -> list[str]:
        """Return the prompts.

        Raises:
            ChladniError: There is no key, or the model refuses.
            UnavailableError: The server cannot be reached, or is busy.
            DeadlineExceededError: It took too long.
            FaultError: Its answer cannot be used.
        """
        server = self._server
        if server.needs_key and not server.api_key:
            raise ChladniError(
                Reason.MODEL_UNAVAILABLE,
                f"The writer {server.name} needs an API key. Set ANTHROPIC_API_KEY, or "
                "CHLADNI_IMAGE_GENERATION_ANTHROPIC_API_KEY, where image-generation runs.",
                metadata={"model": server.name},
            )
        answer = self._post(_body(server, order), deadline=time.monotonic() + timeout_seconds)
        prompts = _prompts_of(_text_of(answer, server))
        if len(prompts) < order.count:
            raise FaultError(
                Reason.INTERNAL,
                f"The writer {server.name} wrote {len(prompts)} prompts instead of {order.count}.",
            )
        return prompts[: order.count]

    def _post(self, body: Mapping[str, Any], *, deadline: float) -> Mapping[str, Any]:
        server = self._server
        path = "/v1/messages" if server.speaks_anthropic else "/v1/chat/completions"
        request = urllib.request.Request(  # noqa: S310 - the operator configures the address
            server.url + path, data=json.dumps(body).encode(), headers=_headers(server), method="POST"
        )
        failure: ChladniError | None = None
        for attempt in range(_ATTEMPTS):
            pause = _FIRST_PAUSE_SECONDS * 2**attempt if attempt else 0.0
            remaining = deadline - time.monotonic() - pause
            if remaining <= 0.0:
                break
            time.sleep(pause)
            try:
                return _asked(server, request, timeout_seconds=remaining)
            except TimeoutError:
                break
            except UnavailableError as error:
                failure = error
        raise failure or DeadlineExceededError(f"The writer {server.name} took too long.")


def _asked(
    server: ChatServer, request: urllib.request.Request, *, timeout_seconds: float
) -> Mapping[str, Any]:
    """Return the answer to a request.

    Raises:
        TimeoutError: It took too long.
        UnavailableError: The server cannot be reached or is busy; it may pass.
        ChladniError: The server refuses, or its answer cannot be used.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        with _OPENER.open(request, timeout=timeout_seconds) as response:
            answer = json.loads(_read(response, deadline))
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(server, error.code) from None
    except ValueError:
        raise _unusable(server) from None
    except (OSError, HTTPException) as error:
        if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
            raise TimeoutError from None
        raise UnavailableError(
            Reason.BACKEND_UNAVAILABLE, f"The server of the writer {server.name} cannot be reached."
        ) from None
    if not isinstance(answer, dict):
        raise _unusable(server)
    return answer


def _read(response: HTTPResponse, deadline: float) -> bytes:
    """Return the body of an answer, within the time also if it comes byte by byte.

    Raises:
        TimeoutError: It took too long.
    """
    content = b""
    while len(content) < _MAX_ANSWER_BYTES and (piece := response.read1(_MAX_ANSWER_BYTES)):
        content += piece
        if time.monotonic() > deadline:
            raise TimeoutError
    return content


def _headers(server: ChatServer) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if server.speaks_anthropic:
        headers |= {"x-api-key": server.api_key, "anthropic-version": "2023-06-01"}
    elif server.api_key:
        headers["Authorization"] = f"Bearer {server.api_key}"
    return headers


def _body(server: ChatServer, order: PromptOrder) -> dict[str, Any]:
    system = (
        "You write prompts for an image generator from features of music. "
        f"{_INSTRUCTIONS[order.style]} Answer with one prompt a line, of 25 to 50 words, and nothing else."
    )
    course = f"\nCourse of the spectrogram over time: {order.time_course}" if order.time_course else ""
    question = f"Features: {order.features.described()}{course}\nWrite {order.count} prompts."
    common = {"model": server.model, "max_tokens": _MAX_TOKENS}
    if server.speaks_anthropic:
        temperature = min(1.0, order.temperature)
        return common | {
            "system": system,
            "temperature": temperature,
            "messages": [{"role": "user", "content": question}],
        }
    return common | {
        "temperature": order.temperature,
        "seed": order.seed,
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
    }


def _text_of(answer: Mapping[str, Any], server: ChatServer) -> str:
    """Return the text of an answer.

    Raises:
        ChladniError: The model refuses.
        FaultError: There is none.
    """
    try:
        if server.speaks_anthropic:
            reason = answer.get("stop_reason")
            text = "\n".join(part["text"] for part in answer["content"] if part["type"] == "text")
        else:
            choice = answer["choices"][0]
            refusal = choice["message"].get("refusal")
            reason = "refusal" if refusal else choice.get("finish_reason")
            text = choice["message"].get("content") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        raise _unusable(server) from None
    if reason in {"refusal", "content_filter"}:
        raise ChladniError(
            Reason.PROMPT_REFUSED,
            f"The model of the writer {server.name} refuses to write prompts for these features.",
            metadata={"model": server.model},
        )
    return str(text)


def _prompts_of(text: str) -> list[str]:
    lines = (_NUMBERING.sub("", line).strip().strip('"') for line in text.splitlines())
    # Small models announce what follows: "Here are three prompts:".
    return list(dict.fromkeys(line for line in lines if line and not line.endswith(":")))


def _refused(server: ChatServer, status: int) -> ChladniError:
    if status in {401, 403}:
        return ChladniError(
            Reason.MODEL_UNAVAILABLE,
            f"The server of the writer {server.name} does not accept the API key.",
            metadata={"model": server.name},
        )
    if status == 404:
        return ChladniError(
            Reason.MODEL_UNAVAILABLE,
            f"The server of the writer {server.name} does not know the model {server.model}.",
            metadata={"model": server.model},
        )
    if status in _RETRIED:
        return UnavailableError(
            Reason.BACKEND_UNAVAILABLE,
            f"The server of the writer {server.name} is busy or failed.",
            retry_after_seconds=5.0,
        )
    return _unusable(server)


def _unusable(server: ChatServer) -> FaultError:
    return FaultError(Reason.INTERNAL, f"The server of the writer {server.name} gave no usable answer.")

"""Writers that ask a language model, against a server on loopback that speaks its API."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chladni_contract.errors import ChladniError, NotFoundError, Reason
from chladni_image_generation.prompts import chat
from chladni_image_generation.prompts.chat import ChatServer, ChatWriter
from chladni_image_generation.prompts.features import MusicFeatures
from chladni_image_generation.prompts.registry import WriterRegistry, WriterSettings, writer_settings
from chladni_image_generation.prompts.writing import PromptOrder, PromptStyle

ORDER = PromptOrder(
    features=MusicFeatures(key="A minor"),
    style=PromptStyle.CONVERGENT,
    count=2,
    temperature=0.4,
    seed=7,
    time_course="quiet, then loud",
)
TEXT = "1. A lake in fog.\n\n2. A shore at dusk.\n"


class ChatServerOnLoopback:
    """Answers as told, and keeps what it was asked."""

    def __init__(self):
        self.statuses = []
        self.answer = None
        self.location = ""
        self.drip_seconds = 0.0
        self.delay_seconds = 0.0
        self.asked = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(
                    (self.path, {key.lower(): value for key, value in self.headers.items()}, body)
                )
                time.sleep(outer.delay_seconds)
                status = outer.statuses.pop(0) if outer.statuses else 200
                answer = outer.answer
                if answer is None:
                    answer = (
                        {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"}
                        if self.path == "/v1/messages"
                        else {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]}
                    )
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if outer.location:
                    self.send_header("Location", outer.location)
                self.end_headers()
                pieces = [data[at : at + 1] for at in range(len(data))] if outer.drip_seconds else [data]
                for piece in pieces:
                    self.wfile.write(piece)
                    time.sleep(outer.drip_seconds)

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers), None))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *arguments: None  # A caller may leave before the answer.
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_PAUSE_SECONDS", 0.001)
    started = ChatServerOnLoopback()
    yield started
    started.close()


def anthropic(url, api_key="secret"):
    return ChatWriter(
        ChatServer("anthropic", url, "claude", api_key=api_key, needs_key=True, speaks_anthropic=True)
    )


def openai(url):
    return ChatWriter(ChatServer("openai", url, "llama3.2"))


def refusal(writer, timeout_seconds=5.0):
    with pytest.raises(ChladniError) as caught:
        writer.write(ORDER, timeout_seconds=timeout_seconds)
    return caught.value.reason


def test_anthropic_is_asked_as_its_api_wants_it(server):
    assert anthropic(server.url).write(ORDER, timeout_seconds=5.0) == ["A lake in fog.", "A shore at dusk."]
    path, headers, body = server.asked[0]
    assert path == "/v1/messages"
    assert headers["x-api-key"] == "secret"
    assert headers["anthropic-version"] == "2023-06-01"
    assert body["temperature"] == 0.4
    assert body["messages"][0]["role"] == "user"
    assert "A minor" in body["messages"][0]["content"]
    assert "quiet, then loud" in body["messages"][0]["content"]


def test_servers_like_ollama_are_asked_as_openai(server):
    assert openai(server.url).write(ORDER, timeout_seconds=5.0) == ["A lake in fog.", "A shore at dusk."]
    path, _, body = server.asked[0]
    assert path == "/v1/chat/completions"
    assert body["seed"] == 7
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize("make", [anthropic, openai])
def test_what_may_pass_is_tried_again(server, make):
    server.statuses = [529, 503]
    assert len(make(server.url).write(ORDER, timeout_seconds=5.0)) == 2
    assert len(server.asked) == 3


def test_a_server_that_stays_busy_is_unavailable(server):
    server.statuses = [503] * 3
    assert refusal(openai(server.url)) is Reason.BACKEND_UNAVAILABLE


def test_a_missing_key_is_an_error_of_its_own(server):
    assert refusal(anthropic(server.url, api_key="")) is Reason.MODEL_UNAVAILABLE
    assert not server.asked


@pytest.mark.parametrize("status", [401, 404])
def test_a_wrong_key_or_model_is_not_tried_again(server, status):
    server.statuses = [status]
    assert refusal(anthropic(server.url)) is Reason.MODEL_UNAVAILABLE
    assert len(server.asked) == 1


def test_an_unreachable_server_is_unavailable(server):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert refusal(openai(f"http://127.0.0.1:{port}")) is Reason.BACKEND_UNAVAILABLE


@pytest.mark.parametrize(
    ("make", "answer"),
    [
        (anthropic, {"content": [], "stop_reason": "refusal"}),
        (openai, {"choices": [{"message": {"content": "", "refusal": "no"}, "finish_reason": "stop"}]}),
        (openai, {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}),
    ],
)
def test_a_refusal_is_an_error_of_its_own(server, make, answer):
    server.answer = answer
    assert refusal(make(server.url)) is Reason.PROMPT_REFUSED


@pytest.mark.parametrize("answer", [b"<html>", {}, [], {"content": 3, "choices": 3}])
@pytest.mark.parametrize("make", [anthropic, openai])
def test_an_unusable_answer_is_a_fault(server, make, answer):
    server.answer = answer
    assert refusal(make(server.url)) is Reason.INTERNAL


def test_an_announcement_is_no_prompt(server):
    text = f"Here are two prompts:\n\n{TEXT}"
    server.answer = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    assert openai(server.url).write(ORDER, timeout_seconds=5.0) == ["A lake in fog.", "A shore at dusk."]


def test_a_key_does_not_follow_a_redirect(server):
    server.statuses, server.location = [302], f"{server.url}/elsewhere"
    assert refusal(anthropic(server.url)) is Reason.INTERNAL
    assert [path for path, _, _ in server.asked] == ["/v1/messages"]


def test_an_answer_that_is_no_http_is_unavailable(monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_PAUSE_SECONDS", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            for _ in range(3):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"SSH-2.0-OpenSSH\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        writer = openai(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert refusal(writer) is Reason.BACKEND_UNAVAILABLE
        thread.join()


def test_the_time_limit_holds(server):
    server.delay_seconds = 0.6
    started_at = time.monotonic()
    assert refusal(openai(server.url), timeout_seconds=0.2) is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started_at < 0.6


def test_the_time_limit_holds_for_an_answer_that_drips(server):
    server.answer, server.drip_seconds = b" " * 20, 0.05
    started_at = time.monotonic()
    assert refusal(openai(server.url), timeout_seconds=0.2) is Reason.DEADLINE_EXCEEDED
    assert time.monotonic() - started_at < 0.6


def test_usual_names_of_settings_are_understood():
    usual = {"LLM_PROVIDER": "ollama", "OLLAMA_HOST": "box:11434", "ANTHROPIC_API_KEY": "k"}
    settings = writer_settings({}, usual)
    assert (settings.openai_url, settings.anthropic_api_key) == ("http://box:11434", "k")
    assert WriterRegistry(settings).find("").name == "openai"
    own = writer_settings({"default": "claude", "openai_url": ""}, usual)
    assert WriterRegistry(own).find("").name == "anthropic"


def test_variables_meant_for_other_programs_do_no_harm():
    settings = writer_settings({}, {"LLM_PROVIDER": "gemini", "ANTHROPIC_API_KEY": "k\n"})
    assert WriterRegistry(settings).find("").name == "grammar"
    assert settings.anthropic_api_key == "k"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("0.0.0.0", "http://0.0.0.0:11434"),
        (":9", "http://127.0.0.1:9"),
        ("[::1]", "http://[::1]:11434"),
        ("https://box", "https://box"),
    ],
)
def test_ollama_is_where_its_own_programs_look_for_it(host, url):
    assert writer_settings({}, {"OLLAMA_HOST": host}).openai_url == url


def test_the_grammar_is_the_default():
    assert WriterRegistry(WriterSettings()).find("").name == "grammar"
    with pytest.raises(NotFoundError, match="grammar"):
        WriterRegistry(WriterSettings()).find("poet")

"""Keys are asked of the servers that answer."""

from __future__ import annotations

from types import SimpleNamespace

from chladni_contract.errors import Reason, UnavailableError
from chladni_gateway.domain.events import Completed
from chladni_gateway.domain.films.options import FilmOptions
from chladni_gateway.domain.images import Image
from chladni_gateway.film.keys import KeySource


class Server:
    def __init__(self, *, is_down):
        self.is_down = is_down
        self.calls = 0

    async def generate(self, generation, deadline):
        self.calls += 1
        if self.is_down:
            raise UnavailableError(Reason.BACKEND_UNAVAILABLE, "It cannot be reached.")
        yield Completed(Image(b"an image", "image/png", 1, 1), SimpleNamespace())


async def test_a_server_that_is_down_is_left_alone():
    down, up = Server(is_down=True), Server(is_down=False)
    options = FilmOptions(seed=7)
    source = KeySource(
        lambda _model: [down, up], model="m", options=options, caller="", audio_sha256="", retry_seconds=0.0
    )
    for _ in range(5):
        assert await source.image(SimpleNamespace(model="m")) == b"an image"
    assert (down.calls, up.calls) == (1, 5)

"""Tokens of an issuer on a real HTTP server, whose keys are replaced."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from http.client import BadStatusLine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from chladni_contract.errors import ChladniError, Reason
from chladni_gateway.access import oidc
from chladni_gateway.access.oidc import Issuer, OidcVerifier
from chladni_gateway.access.principals import Scope, owner_of_subject

AUDIENCE = "chladni"


class Provider:
    """An issuer of tokens on loopback."""

    def __init__(self):
        self.keys = {}
        self.paths = []
        self.name = None
        self.redirect = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                provider.paths.append(self.path)
                if provider.redirect:
                    self.send_response(302)
                    self.send_header("Location", provider.redirect)
                    self.end_headers()
                    return
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(provider.answer(self.path)).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path):
        if path == "/.well-known/openid-configuration":
            return {"issuer": self.name or self.url, "jwks_uri": f"{self.url}/keys"}
        of = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm}
        return {
            "keys": [
                {**of[algorithm].to_jwk(key.public_key(), as_dict=True), "kid": key_id, "alg": algorithm}
                for key_id, (algorithm, key) in self.keys.items()
            ]
        }

    def add_key(self, key_id, algorithm="ES256"):
        key = ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else RSA_KEY
        self.keys[key_id] = algorithm, key

    def token(self, key_id, **claims):
        algorithm, key = self.keys[key_id]
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "alice", "exp": now + 600, "scope": "chladni.read"}
        merged = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(merged, key, algorithm, headers={"kid": key_id})


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def provider():
    provider = Provider()
    provider.add_key("first")
    yield provider
    provider.server.shutdown()
    provider.server.server_close()


class Clock:
    seconds = 1000.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def verifier(provider, clock):
    return OidcVerifier(
        Issuer(url=provider.url, audience=AUDIENCE, scope_prefix="chladni.", key_seconds=300), clock=clock
    )


async def problem_of(verifier, token):
    with pytest.raises(ChladniError) as caught:
        await verifier.authenticate(token)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    return caught.value.metadata["problem"]


async def test_a_token_of_the_issuer_stands_for_its_subject(verifier, provider):
    principal = await verifier.authenticate(
        provider.token("first", scope="openid chladni.write chladni.read")
    )
    assert (principal.name, principal.scopes) == ("alice", set(Scope))
    assert principal.owner == owner_of_subject("alice", issuer=provider.url)
    assert principal.owner != owner_of_subject("alice")
    for claims in ({"scope": None, "scp": ["chladni.read"]}, {"aud": ["other", AUDIENCE]}):
        assert (await verifier.authenticate(provider.token("first", **claims))).scopes == {Scope.READ}
    assert provider.paths == ["/.well-known/openid-configuration", "/keys"]


async def test_rsa_keys_are_taken_too(verifier, provider):
    provider.add_key("rsa", "RS256")
    assert (await verifier.authenticate(provider.token("rsa"))).name == "alice"


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"exp": 1}, "expired"),
        ({"nbf": 4_000_000_000}, "not_yet_valid"),
        ({"iat": 4_000_000_000}, "not_yet_valid"),
        ({"aud": "another server"}, "unknown"),
        ({"iss": "https://elsewhere.example"}, "unknown"),
        ({"exp": None}, "unknown"),
        ({"aud": None}, "unknown"),
        ({"sub": None}, "unknown"),
    ],
)
async def test_a_token_for_another_time_or_place_is_refused(verifier, provider, claims, problem):
    assert await problem_of(verifier, provider.token("first", **claims)) == problem


async def test_what_the_issuer_has_not_signed_is_refused(verifier, provider):
    good = provider.token("first")
    header, body, signature = good.split(".")
    forged = [
        f"{header}.{body}.{signature[:-8]}AAAAAAAA",
        f"{header}.{body}.",
        "a.b.c",
        jwt.encode({"iss": provider.url, "aud": AUDIENCE, "sub": "a", "exp": 4e9}, None, "none"),
        jwt.encode(
            {"iss": provider.url, "aud": AUDIENCE, "sub": "a", "exp": 4e9},
            "x" * 32,
            "HS256",
            headers={"kid": "first"},
        ),
    ]
    for token in forged:
        assert await problem_of(verifier, token) == "unknown"


async def test_new_keys_are_found_and_old_ones_forgotten(verifier, provider, clock):
    old = provider.token("first")
    await verifier.authenticate(old)
    provider.add_key("second")
    clock.seconds += 10
    await verifier.authenticate(provider.token("second"))
    await verifier.authenticate(old)
    del provider.keys["first"]
    clock.seconds += 300
    assert await problem_of(verifier, old) == "unknown"
    await verifier.authenticate(provider.token("second"))


async def test_invented_keys_do_not_make_the_issuer_answer_each_time(verifier, provider, clock):
    await verifier.authenticate(provider.token("first"))
    stranger = Provider()
    stranger.name = provider.url
    for number in range(20):
        stranger.add_key(f"invented {number}")
        assert await problem_of(verifier, stranger.token(f"invented {number}", iss=provider.url)) == "unknown"
    stranger.server.shutdown()
    stranger.server.server_close()
    assert provider.paths.count("/keys") == 1


async def test_an_issuer_that_is_down_leaves_the_keys_that_are_known(verifier, provider, clock, monkeypatch):
    token = provider.token("first")
    await verifier.authenticate(token)

    def fail(_):
        raise ConnectionRefusedError

    verifier._fetch = fail
    clock.seconds += 1000
    assert (await verifier.authenticate(token)).name == "alice"


async def test_an_issuer_that_was_never_reached_is_reported(provider):
    verifier = OidcVerifier(Issuer(url="http://127.0.0.1:9", audience=AUDIENCE))
    with pytest.raises(ChladniError) as caught:
        await verifier.authenticate(provider.token("first"))
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE


async def test_an_issuer_of_another_name_is_not_believed(verifier, provider):
    provider.name = "https://elsewhere.example"
    with pytest.raises(ChladniError) as caught:
        await verifier.authenticate(provider.token("first"))
    assert caught.value.reason is Reason.BACKEND_UNAVAILABLE


def test_keys_come_over_https_or_from_this_machine(tmp_path):
    file = tmp_path / "keys.json"
    file.write_text("{}")
    for address in (file.as_uri(), "http://issuer.example.com/keys", "ftp://127.0.0.1/keys", "keys"):
        with pytest.raises(ValueError, match="no https address"):
            oidc.fetch_json(address)


@pytest.mark.parametrize("target", ["http://issuer.example.com/keys", "ftp://127.0.0.1/keys"])
def test_keys_are_not_fetched_from_where_a_redirect_leads_in_clear_text(provider, target):
    provider.redirect = target
    with pytest.raises(ValueError, match="no https address"):
        oidc.fetch_json(f"{provider.url}/keys")


async def test_whoever_waits_for_the_keys_waits_for_one_attempt(provider, clock):
    attempts = []
    let_go = threading.Event()

    def hang(address):
        attempts.append(address)
        let_go.wait(5)
        clock.seconds += 10  # longer than the time between two attempts
        raise TimeoutError

    verifier = OidcVerifier(Issuer(url=provider.url, audience=AUDIENCE), fetch=hang, clock=clock)
    waiting = [asyncio.create_task(verifier.authenticate(provider.token("first"))) for _ in range(5)]
    await asyncio.sleep(0.02)
    let_go.set()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {outcome.reason for outcome in outcomes} == {Reason.BACKEND_UNAVAILABLE}
    assert len(attempts) == 1


async def test_known_keys_do_not_wait_for_an_issuer_that_is_down(verifier, provider, clock):
    token = provider.token("first")
    await verifier.authenticate(token)
    let_go = threading.Event()
    hangs = False

    def fail(_):
        if hangs:
            let_go.wait(5)
        raise ConnectionRefusedError

    usual, verifier._fetch = verifier._fetch, fail
    clock.seconds += 1000
    await verifier.authenticate(token)
    hangs = True
    clock.seconds += 3
    async with asyncio.timeout(1):
        assert (await verifier.authenticate(token)).name == "alice"
    fetching = verifier._fetching
    let_go.set()
    await fetching
    provider.add_key("second")
    del provider.keys["first"]
    verifier._fetch = usual
    clock.seconds += 3
    await verifier.authenticate(token)
    await verifier._fetching
    assert await problem_of(verifier, token) == "unknown"


@pytest.mark.parametrize("fault", [BadStatusLine("?"), AttributeError("no keys")])
async def test_whatever_the_issuer_answers_the_known_keys_stay(verifier, provider, clock, fault):
    token = provider.token("first")
    await verifier.authenticate(token)

    def fail(_):
        raise fault

    verifier._fetch = fail
    clock.seconds += 1000
    assert (await verifier.authenticate(token)).name == "alice"

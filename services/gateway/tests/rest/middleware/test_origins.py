"""Pages of other origins, and names that were made to point here."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from chladni_gateway.rest.middleware.origins import AllowedHosts

FILES = {"file": ("a.wav", b"RIFF")}


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "file://127.0.0.1", "http://["]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_pages_of_other_origins_may_do_nothing(gateway, backends, error_of, origin, method):
    path = {"GET": "/api/v1/images", "DELETE": "/api/v1/jobs/x"}.get(method, "/api/v1/generate")
    response = await gateway.http.request(method, path, headers={"Origin": origin})
    assert response.status_code == 403
    assert error_of(response)["code"] == "FORBIDDEN_ORIGIN"
    assert "set-cookie" not in response.headers
    assert backends.image_generation.requests == []


async def test_pages_of_this_server_and_of_configured_origins_may(gateway, open_gateway_with):
    own = str(gateway.http.base_url).rstrip("/")
    assert (
        await gateway.http.post("/api/v1/generate", files=FILES, headers={"Origin": own})
    ).status_code == 200
    friend = "https://friend.example"
    async with open_gateway_with(cors_origins=(friend,)) as friendly:
        answer = await friendly.http.post("/api/v1/generate", files=FILES, headers={"Origin": friend})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == friend


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "192.0.2.1", ""]
)
async def test_a_name_that_was_made_to_point_here_is_refused(gateway, error_of, host):
    # To the browser such a page is of the server's own origin.
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        response = await gateway.http.post("/api/v1/generate", files=FILES, headers=headers)
        assert response.status_code == 421
        assert error_of(response)["code"] == "FORBIDDEN_HOST"


async def test_websockets_obey_the_same_rules(gateway):
    address = f"ws://127.0.0.1:{gateway.settings.http_port}/api/v1/live"
    evil = f"ws://evil.example:{gateway.settings.http_port}/api/v1/live"
    for status, options in (
        (421, {"uri": evil, "host": "127.0.0.1"}),
        (403, {"uri": address, "origin": "https://evil.example"}),
    ):
        with pytest.raises(InvalidStatus) as caught:
            async with connect(**options):
                pass
        assert caught.value.response.status_code == status


@pytest.mark.parametrize(
    ("entries", "header", "is_allowed"),
    [
        (("localhost",), "LocalHost:8000", True),
        (("localhost",), "localhost.", True),
        (("localhost",), "localhost.evil.example", False),
        (("*.example.com",), "a.example.com:1", True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), "aexample.com", False),
        (("::1",), "[::1]:8000", True),
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8",), "10.evil.example", False),
        (("*",), "anything", True),
        ((), "localhost", False),
    ],
)
def test_hosts_are_names_addresses_or_networks(entries, header, is_allowed):
    assert (header in AllowedHosts(entries)) is is_allowed

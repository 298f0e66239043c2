"""Health, recipes, limits, the page, and what every answer has."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest

from chladni_contract.errors import Reason, UnavailableError
from chladni_fakes import ScriptedBackends, families


async def test_health_is_what_the_services_say_now(backends: ScriptedBackends, gateway):
    response = await gateway.http.get("/api/v1/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "healthy",
        "models_loaded": True,
        "services": [
            {"name": "audio-features", "state": "healthy"},
            {"name": "image-generation", "state": "healthy"},
            {"name": "similarity", "state": "healthy"},
        ],
    }
    await backends.servers["similarity"].kill()
    response = await gateway.http.get("/api/v1/health")
    assert response.status_code == 503
    body = response.json()
    assert (body["status"], body["models_loaded"]) == ("degraded", False)
    states = {service["name"]: service["state"] for service in body["services"]}
    assert (states["similarity"], states["audio-features"]) == ("unavailable", "healthy")


async def test_recipes_are_listed_with_their_models(gateway):
    body = (await gateway.http.get("/api/v1/recipes")).json()
    assert body["default_recipe"] == "embedded"
    recipe = body["recipes"][0]
    assert recipe["description"]
    del recipe["description"]
    assert recipe == {
        "name": "embedded",
        "available": True,
        "unavailable_reason": "",
        "models": ["scripted-descriptors", "scripted-embedded"],
        "requirements": [
            {
                "description": "a model in audio-features that describes sounds",
                "met": True,
                "has_fallback": False,
                "model": "scripted-descriptors",
                "remedy": "",
            },
            {
                "description": "an audio-conditioned model in image-generation",
                "met": True,
                "has_fallback": False,
                "model": "scripted-embedded",
                "remedy": "",
            },
        ],
        "options": ["model", "upscale", "look"],
        "required_options": [],
    }


async def test_a_recipe_whose_models_do_not_fit_says_so(backends, gateway):
    backends.image_generation.models = [families.embedded("another-space")]
    recipe = (await gateway.http.get("/api/v1/recipes")).json()["recipes"][0]
    assert not recipe["available"]
    assert "another-space" in recipe["unavailable_reason"]
    assert "Configure image-generation" in recipe["unavailable_reason"]


async def test_a_recipe_whose_service_is_not_ready_says_so(backends, gateway):
    backends.audio_features.models_error = UnavailableError(Reason.MODEL_NOT_READY, "The model is loading.")
    recipe = (await gateway.http.get("/api/v1/recipes")).json()["recipes"][0]
    assert not recipe["available"]
    assert recipe["unavailable_reason"] == "The model is loading."


async def test_versions_limits_and_health_are_told(gateway):
    async with gateway.browser() as browser:
        info = (await browser.get("/api/v1/info")).json()
    assert info == {
        "version": version("chladni-gateway"),
        "api_packages": ["chladni.gateway.v1"],
        "image_count": 0,
        "limits": {
            "max_audio_bytes": 10 * 1024 * 1024,
            "max_upload_bytes": 200 * 1024 * 1024,
            "min_audio_duration_seconds": 0.1,
            "max_audio_duration_seconds": 30.0,
            "max_live_duration_seconds": 120.0,
            "max_message_bytes": gateway.settings.max_request_bytes,
            "seed": {"min": 0, "max": 4294967295},
            "steps": {"min": 1, "max": 150},
            "guidance_scale": {"min": 1, "max": 30.0},
            "side_pixels": {"min": 16, "max": 4096},
            "max_prompt_characters": 2000,
            "max_unfinished_jobs": 16,
            "max_matrix_images": 24,
            "max_images": 100,
            "min_ping_interval_seconds": 5.0,
            "image_retention_seconds": 86400.0,
            "default_creation_timeout_seconds": 60.0,
            "audio_formats": ["WAV", "MP3", "FLAC", "OGG", "M4A", "WebM", "AAC", "AMR", "AIFF", "CAF"],
            "live_sample_rate_hz": {"min": 16000, "max": 48000},
        },
        "services": [
            {"name": "audio-features", "state": "healthy"},
            {"name": "image-generation", "state": "healthy"},
            {"name": "similarity", "state": "healthy"},
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "NOT_FOUND"),
        ("GET", "/api/nothing", 404, "NOT_FOUND"),
        ("GET", "/static/nothing.js", 404, "NOT_FOUND"),
        ("GET", "/static/%2e%2e/config.py", 404, "NOT_FOUND"),
        ("GET", "/static/..%2f..%2f..%2fetc%2fpasswd", 404, "NOT_FOUND"),
        ("GET", "/static/", 404, "NOT_FOUND"),
        ("GET", "/docs", 404, "NOT_FOUND"),
        ("GET", "/api/v1/generate", 405, "METHOD_NOT_ALLOWED"),
        ("DELETE", "/api/v1/compare", 405, "METHOD_NOT_ALLOWED"),
    ],
)
async def test_what_is_not_there_is_told_in_the_usual_body(gateway, error_of, method, path, status, code):
    response = await gateway.http.request(method, path)
    assert response.status_code == status
    assert error_of(response)["code"] == code


async def test_an_unforeseen_fault_tells_nothing_but_is_logged(gateway, error_of, monkeypatch, caplog):
    async def broken(_self, _image_id):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("chladni_gateway.storage.image_folder.FolderImageStore.get", broken)
    response = await gateway.http.get("/api/v1/images/5f6b8a2e-9a50-4a0e-8f5f-0f3c3a1d7e10")
    assert response.status_code == 500
    error = error_of(response)
    assert (error["code"], error["stage"]) == ("INTERNAL", "storage")
    assert "secret" not in response.text
    assert "secret detail" in caplog.text

    async def broken_check(_self):
        raise RuntimeError("another secret")

    monkeypatch.setattr("chladni_gateway.backends.health.HealthChecker.check", broken_check)
    response = await gateway.http.get("/api/v1/health")
    assert response.status_code == 500
    assert error_of(response)["stage"] == "gateway"
    assert "secret" not in response.text
    assert "another secret" in caplog.text


@pytest.mark.parametrize("path", ["/", "/api/v1/info", "/nothing", "/static/scripts/app.js"])
async def test_every_answer_keeps_browsers_in_bounds(gateway, path):
    headers = (await gateway.http.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    assert headers["x-request-id"]


@pytest.mark.parametrize("host", ["chladni.example:8443", "[::1]:8000"])
async def test_the_page_may_open_websockets_to_its_own_host_alone(open_gateway_with, host):
    async with open_gateway_with(allowed_hosts=("*.example", "::1")) as gateway:
        headers = (await gateway.http.get("/", headers={"Host": host})).headers
    directives = headers["content-security-policy"].split("; ")
    assert f"connect-src 'self' ws://{host} wss://{host}" in directives


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "x" * 300, "*"])
async def test_an_odd_host_adds_nothing_to_the_policy(gateway, host):
    headers = (await gateway.http.get("/", headers={"Host": host})).headers
    if "content-security-policy" in headers:  # The server may refuse such a host by itself.
        assert headers["content-security-policy"].split("; ")[-1] == "connect-src 'self'"


async def test_the_page_and_its_files_come_from_here_alone(gateway):
    page = await gateway.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text
    assert "style=" not in page.text
    assert "<script>" not in page.text
    [path] = re.findall(r'<script type="module" src="(/static/[^"]+)">', page.text)
    script = await gateway.http.get(path)
    assert "javascript" in script.headers["content-type"]
    again = await gateway.http.get(path, headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304


async def test_the_api_describes_itself(gateway):
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    operations = {
        operation["operationId"]: f"{method} {path.removeprefix('/api/v1')}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert operations == {
        "createImage": "post /generate",
        "listImages": "get /images",
        "getImage": "get /images/{image_id}/details",
        "downloadImage": "get /images/{image_id}",
        "deleteImage": "delete /images/{image_id}",
        "pinImage": "post /images/{image_id}/pin",
        "unpinImage": "delete /images/{image_id}/pin",
        "scoreAlignment": "get /images/{image_id}/alignment",
        "compareImages": "post /compare",
        "compareImageMatrix": "post /compare/matrix",
        "searchImages": "post /search",
        "createJob": "post /jobs",
        "listJobs": "get /jobs",
        "getJob": "get /jobs/{job_id}",
        "watchJob": "get /jobs/{job_id}/events",
        "cancelJob": "post /jobs/{job_id}/cancel",
        "deleteJob": "delete /jobs/{job_id}",
        "renderSpectrogram": "post /spectrogram",
        "analyzeMusic": "post /music",
        "writePrompts": "post /prompts",
        "scorePrompts": "post /prompts/score",
        "reconstructAudio": "post /reconstruct",
        "createFilm": "post /films",
        "listFilms": "get /films",
        "getFilm": "get /films/{film_id}",
        "watchFilm": "get /films/{film_id}/events",
        "downloadFilm": "get /films/{film_id}/files/{part}",
        "cancelFilm": "post /films/{film_id}/cancel",
        "resumeFilm": "post /films/{film_id}/resume",
        "deleteFilm": "delete /films/{film_id}",
        "scoreAnomaly": "post /anomaly",
        "createNormalSet": "post /anomaly/normal-sets",
        "listNormalSets": "get /anomaly/normal-sets",
        "getNormalSet": "get /anomaly/normal-sets/{name}",
        "deleteNormalSet": "delete /anomaly/normal-sets/{name}",
        "listRecipes": "get /recipes",
        "getServerInfo": "get /info",
        "checkHealth": "get /health",
    }
    operation = document["paths"]["/api/v1/generate"]["post"]
    schema = operation["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(schema["properties"]) == {
        "file", "seed", "steps", "guidance_scale", "recipe", "scheduler", "width_pixels", "height_pixels",
        "priority", "reproducible", "bypass_cache", "prompt", "negative_prompt", "strength", "model",
        "noise_mode", "noise_weight", "calibration", "request_id", "upscale", "refiner_start", "look",
        "initial_latents", "format", "quality", "start_seconds", "end_seconds",
    }  # fmt: skip
    assert all(
        "examples" in field
        for name, field in schema["properties"].items()
        if name not in {"file", "initial_latents"}
    )
    assert [parameter["name"] for parameter in operation["parameters"]] == ["X-Caller-Id"]
    assert "reused" in document["components"]["schemas"]["CreatedImage"]["properties"]
    assert {"200", "400", "404", "409", "429", "503", "504"} <= set(operation["responses"])
    assert "422" not in json.dumps(document)


async def test_what_was_promised_without_a_version_is_answered_as_promised(gateway, error_of):
    response = await gateway.http.post("/api/generate", files={"file": ("a.wav", b"RIFF")})
    body = response.json()
    assert body["image_url"] == f"/api/images/{body['image_id']}"
    assert isinstance(body["processing_time"], float)
    image = await gateway.http.get(body["image_url"])
    assert (image.status_code, image.headers["content-type"]) == (200, "image/png")
    pair = {"image_id_1": body["image_id"], "image_id_2": body["image_id"]}
    response = await gateway.http.post("/api/compare", json=pair)
    assert response.json() == {"similarity_score": 1.0, "percentage": "100%"}
    health = (await gateway.http.get("/api/health")).json()
    assert (health["status"], health["models_loaded"]) == ("healthy", True)
    response = await gateway.http.post("/api/generate", files={"file": ("a.aac", b"")})
    assert response.status_code == 400
    assert {"code", "message", "stage", "timestamp"} <= error_of(response).keys()


async def test_an_error_says_to_programs_what_it_says_to_people(gateway, error_of):
    error = error_of(await gateway.create(steps="500", seed="-1"))
    assert (error["code"], error["reason"]) == ("INVALID_FIELD", "INVALID_FIELD")
    assert [violation["field"] for violation in error["violations"]] == ["seed", "steps"]
    assert error["metadata"]["field"] == "seed"
    assert error["metadata"]["stage"] == error["stage"] == "validation"
    error = error_of(await gateway.create(content=b""))
    assert (error["metadata"]["field"], error["violations"][0]["field"]) == ("file", "file")
    error = error_of(await gateway.http.get("/api/v1/nothing"))
    assert (error["metadata"], error["violations"]) == ({"stage": "validation"}, [])


async def test_other_origins_are_let_in_only_when_configured(open_gateway_with):
    origin = "https://friend.example"
    async with open_gateway_with(cors_origins=(origin,)) as gateway:
        friend = await gateway.http.get("/api/v1/info", headers={"Origin": origin})
        assert friend.headers["access-control-allow-origin"] == origin
        stranger = await gateway.http.get("/api/v1/info", headers={"Origin": "https://stranger.example"})
        assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize("given_id", ["a b", "x" * 200, ""])
async def test_an_odd_request_identifier_is_replaced(gateway, given_id):
    response = await gateway.http.get("/api/v1/info", headers={"X-Request-Id": given_id})
    assert response.headers["x-request-id"] not in {given_id, ""}
    assert len(response.headers["x-request-id"]) == 32


async def test_requests_are_counted_by_route_and_not_by_address(open_gateway_with):
    async with open_gateway_with() as gateway:
        for number in range(3):
            await gateway.http.get(f"/api/v1/images/{number}")
            await gateway.http.get(f"/{number}")
        await gateway.http.request("BREW", "/api/v1/info")
        await check_counts(gateway)


async def check_counts(gateway):
    count = "chladni_http_requests_total"
    assert await gateway.metric(count, route="/api/v1/images/{image_id}", status="400") == 3
    assert await gateway.metric(count, route="none", status="404") == 3
    assert await gateway.metric(count, method="OTHER") == 1

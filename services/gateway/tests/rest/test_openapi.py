"""The API does what its OpenAPI document says: found by schemathesis, which reads nothing else."""

from __future__ import annotations

import asyncio
import sys

import jsonschema
import pytest

from chladni_fakes import families

UPLOADS = (
    "/api/v1/generate",
    "/api/v1/jobs",
    "/api/v1/spectrogram",
    "/api/v1/music",
    "/api/v1/reconstruct",
    "/api/v1/prompts",
    "/api/v1/anomaly",
    "/api/v1/anomaly/normal-sets",
    "/api/v1/films",
)


async def run_schemathesis(gateway, folder, *options):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from schemathesis.cli import schemathesis; schemathesis()",
        "run",
        f"{gateway.http.base_url}/api/v1/openapi.json",
        *("--header", f"Cookie: chladni_session={gateway.draw_token()}"),
        *("--max-examples", "8", "--seed", "7", "--checks", "all"),
        *("--warnings", "off", "--no-color", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    "options",
    [
        [option for path in UPLOADS for option in ("--exclude-path", path)],
        # A wrong list that is empty is sent as no field at all, so a form can be right that should be wrong.
        # Which fields go together the recipe decides, so a form can be wrong each of whose fields is right.
        [
            *[option for path in UPLOADS for option in ("--include-path", path)],
            *("--exclude-checks", "negative_data_rejection,positive_data_acceptance"),
        ],
    ],
    ids=["all but uploads", "uploads"],
)
async def test_schemathesis_finds_nothing(backends, gateway, tmp_path, options):
    code, output = await run_schemathesis(gateway, tmp_path, *options)
    assert code == 0, output[-6000:]
    assert "passed" in output
    assert "Tested:" in output


async def test_every_route_has_examples_that_fit_its_schemas(gateway):
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for status, response in operation["responses"].items():
                for media_type, content in response.get("content", {}).items():
                    if media_type == "application/json":
                        assert "example" in content or status == "503", where
                        check_example(document, content, where)
            check_request_examples(document, operation, where)


async def test_every_example_of_a_form_is_taken(backends, gateway):
    backends.image_generation.models.append(families.stable_diffusion())
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    tried = 0
    for path in UPLOADS:
        content = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
        for example in content["examples"].values():
            jsonschema.validate(example["value"], content["schema"])
            fields = {name: str(value).lower() for name, value in example["value"].items() if name != "file"}
            form = {
                name: (None, value) for name, value in fields.items()
            }  # Parts without file names: fields.
            if "features" not in fields:  # These take the place of a file.
                form["file"] = ("voice.wav", b"RIFF")
            response = await gateway.http.post(path, files=form)
            assert response.status_code in {200, 202}, (example, response.text)
            tried += 1
    assert tried > 10


def check_example(document, content, where):
    if "example" in content:
        schema = {**content["schema"], "components": document["components"]}
        jsonschema.validate(content["example"], schema, format_checker=jsonschema.FormatChecker())
        assert content["schema"], where


def check_request_examples(document, operation, where):
    for parameter in operation.get("parameters", []):
        named = {"example", "examples"} & (parameter.keys() | parameter["schema"].keys())
        assert named or parameter["schema"]["type"] == "integer", (where, parameter["name"])
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type == "multipart/form-data":
            assert content["examples"], where
        else:
            name = content["schema"]["$ref"].rpartition("/")[2]
            properties = document["components"]["schemas"][name]["properties"]
            assert all("examples" in field or "default" in field for field in properties.values()), where


async def test_nothing_is_described_that_is_not_there(gateway):
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    for path in document["paths"]:
        response = await gateway.http.request("OPTIONS", path.replace("{", "").replace("}", ""))
        documented = {method.upper() for method in document["paths"][path]}
        assert response.status_code == 405
        assert set(response.headers["allow"].split(", ")) - {"HEAD"} == documented

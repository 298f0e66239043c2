"""`/api/v1/jobs` over real connections: images in the making that do without their client."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chladni_contract.errors import FaultError, InvalidInputError, Reason
from chladni_fakes import families
from chladni_gateway.creation.job import MAX_FOLLOWERS

EXAMPLES = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
UNKNOWN_JOB = "46143834-2049-4343-ae28-04511419243e"
JOB_FIELDS = {
    "job_id", "state", "stage", "display_name", "create_time", "end_time", "position", "step", "total_steps",
    "elapsed_seconds", "remaining_seconds", "part", "fallback_reason", "image", "error", "events_url",
}  # fmt: skip


async def start(browser, content=b"RIFF", **fields):
    response = await browser.post("/api/v1/jobs", files={"file": ("a.wav", content)}, data=fields)
    assert response.status_code == 202, response.text
    job = response.json()
    assert response.headers["location"] == f"/api/v1/jobs/{job['job_id']}"
    assert set(job) == JOB_FIELDS
    return job


async def read(browser, job):
    response = await browser.get(f"/api/v1/jobs/{job['job_id']}")
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store"
    return response.json()


async def follow(browser, job, last_id=None, count=None):
    """Returns the events of one connection, which is dropped after some of them if `count` says so."""
    headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
    events, lines = [], {}
    async with browser.stream("GET", job["events_url"], headers=headers) as response:
        if response.status_code == 204:
            return None
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        async for line in response.aiter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                lines[name] = value
            elif lines:
                events.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
                lines = {}
                if len(events) == count:
                    break
    return events


async def test_a_job_gives_the_image_that_a_request_gives(backends, open_session):
    browser = await open_session()
    job = await start(browser, b"RIFF sound", seed="9", steps="4")
    assert (job["state"], job["image"], job["error"], job["display_name"]) == (
        "analyzing",
        None,
        None,
        "a.wav",
    )
    events = await follow(browser, job)
    assert [number for number, _, _ in events] == list(range(1, len(events) + 1))
    names = [name for _, name, _ in events]
    assert names == ["accepted", "analyzed", "queued", "started", *["progress"] * 4, "created"]
    stages = [data["stage"] for _, _, data in events]
    assert stages == ["validation", "audio_features", *["image_generation"] * 6, "storage"]
    assert any(data.get("preview") for _, name, data in events if name == "progress")
    done = await read(browser, job)
    assert (done["state"], done["step"], done["total_steps"]) == ("completed", 4, 4)
    assert done["end_time"] >= done["create_time"]
    created = events[-1][2]
    assert done["image"] == {name: value for name, value in created.items() if name != "stage"}
    image = (
        await browser.post(
            "/api/v1/generate", files={"file": ("a.wav", b"RIFF sound")}, data={"seed": "9", "steps": "4"}
        )
    ).json()
    assert image.keys() == done["image"].keys()
    assert image["provenance"] == done["image"]["provenance"]
    listed = (await browser.get("/api/v1/images")).json()["images"]
    assert [item["image_id"] for item in listed] == [image["image_id"], done["image"]["image_id"]]


@EXAMPLES
@given(counts=st.lists(st.integers(1, 5), max_size=5), steps=st.integers(1, 8))
async def test_a_connection_that_drops_again_and_again_gets_every_event_once(gateway, counts, steps):
    async with gateway.browser() as browser:
        job = await start(browser, steps=str(steps))
        numbers, last = [], None
        for count in [*counts, None]:
            events = await follow(browser, job, last, count)
            if events is None:
                break
            numbers += [number for number, _, _ in events]
            last = numbers[-1]
        assert numbers == list(range(1, steps + 6))
        assert await follow(browser, job, last) is None, "nothing is left to tell"


async def test_a_job_goes_on_without_its_client(backends, gateway, eventually, open_session):
    browser = await open_session()
    backends.image_generation.may_go_on.clear()
    job = await start(browser)
    first = await follow(browser, job, count=5)
    assert [name for _, name, _ in first] == ["accepted", "analyzed", "queued", "started", "progress"]
    cookies = dict(browser.cookies)
    await browser.aclose()
    backends.image_generation.may_go_on.set()
    await eventually(lambda: backends.image_generation.running == 0)
    assert backends.image_generation.cancelled == 0
    async with gateway.browser(cookies=cookies) as browser:
        rest = await follow(browser, job, last_id=first[-1][0])
        assert (rest[0][0], rest[-1][1]) == (6, "created")
        assert (await browser.get(rest[-1][2]["image_url"])).status_code == 200


async def test_a_job_survives_an_upload_whose_answer_nobody_reads(backends, gateway, eventually):
    backends.image_generation.may_go_on.clear()
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nRIFF\r\n--b--\r\n'
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.settings.http_port)
    writer.write(
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n%s" % (len(body), body)
    )
    await eventually(lambda: backends.image_generation.running == 1)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    assert (backends.image_generation.running, backends.image_generation.cancelled) == (1, 0)
    backends.image_generation.may_go_on.set()
    await eventually(lambda: backends.image_generation.running == 0)
    assert backends.image_generation.cancelled == 0


async def test_cancelling_stops_the_call_and_tells_the_followers(backends, gateway, eventually, open_session):
    browser = await open_session()
    backends.image_generation.may_go_on.clear()
    job = await start(browser)
    following = asyncio.create_task(follow(browser, job))
    await eventually(lambda: backends.image_generation.running == 1)
    assert await gateway.metric("chladni_unfinished_jobs") == 1
    cancelled = await browser.post(f"/api/v1/jobs/{job['job_id']}/cancel")
    assert cancelled.status_code == 200
    await eventually(lambda: backends.image_generation.cancelled == 1)
    assert backends.image_generation.running == 0
    assert await gateway.metric("chladni_unfinished_jobs") == 0
    _, name, data = (await following)[-1]
    assert (name, data) == ("cancelled", {"stage": "image_generation"})
    after = await read(browser, job)
    assert (after["state"], after["image"], after["error"]) == ("cancelled", None, None)
    assert after == cancelled.json()
    again = await browser.post(f"/api/v1/jobs/{job['job_id']}/cancel")
    assert (again.status_code, again.json()) == (200, after)
    assert (await browser.get("/api/v1/images")).json()["images"] == []
    assert (await browser.delete(f"/api/v1/jobs/{job['job_id']}")).status_code == 204
    assert (await browser.get(f"/api/v1/jobs/{job['job_id']}")).status_code == 404


async def test_a_cancelled_analysis_never_reaches_image_generation(backends, eventually, open_session):
    browser = await open_session()
    backends.audio_features.may_go_on.clear()
    job = await start(browser)
    await eventually(lambda: len(backends.audio_features.requests) == 1)
    assert (await browser.post(f"/api/v1/jobs/{job['job_id']}/cancel")).status_code == 200
    assert [name for _, name, _ in await follow(browser, job)] == ["accepted", "cancelled"]
    backends.audio_features.may_go_on.set()
    assert backends.image_generation.requests == []


async def test_forgetting_a_finished_job_leaves_its_image(open_session):
    browser = await open_session()
    job = await start(browser)
    created = (await follow(browser, job))[-1][2]
    assert (await browser.delete(f"/api/v1/jobs/{job['job_id']}")).status_code == 204
    assert (await browser.get("/api/v1/jobs")).json() == {"jobs": [], "next_page_token": ""}
    assert (await browser.get(created["image_url"])).status_code == 200


async def test_removing_an_unfinished_job_stops_it_first(backends, eventually, open_session):
    browser = await open_session()
    backends.image_generation.may_go_on.clear()
    job = await start(browser)
    following = asyncio.create_task(follow(browser, job))
    await eventually(lambda: backends.image_generation.running == 1)
    assert (await browser.delete(f"/api/v1/jobs/{job['job_id']}")).status_code == 204
    await eventually(lambda: backends.image_generation.cancelled == 1)
    assert (await following)[-1][1] == "cancelled"
    assert (await browser.get(f"/api/v1/jobs/{job['job_id']}")).status_code == 404


async def test_a_job_that_fails_says_why_and_when(backends, open_session):
    browser = await open_session()
    backends.image_generation.error = FaultError(Reason.NON_FINITE_OUTPUT, "The model gave NaN.")
    backends.image_generation.error_after_steps = 2
    job = await start(browser)
    _, name, data = (await follow(browser, job))[-1]
    assert name == "failed"
    assert data["stage"] == data["error"]["stage"] == "image_generation"
    assert (data["error"]["code"], data["error"]["message"]) == ("NON_FINITE_OUTPUT", "The model gave NaN.")
    after = await read(browser, job)
    assert (after["state"], after["error"]) == ("failed", data["error"])
    assert (await read(browser, job))["error"] == data["error"], "the time of the error stays"


async def test_a_recording_that_cannot_be_used_fails_with_the_name_of_the_form_field(backends, open_session):
    browser = await open_session()
    backends.audio_features.error = InvalidInputError(
        Reason.AUDIO_TOO_LONG, "audio.content lasts 31 s, at most 30 s are allowed.", field="audio.content"
    )
    job = await start(browser)
    _, (number, name, data) = await follow(browser, job)
    assert (number, name, data["stage"]) == (2, "failed", "validation")
    assert data["error"]["message"] == "file lasts 31 s, at most 30 s are allowed."


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"steps": "0"}, 400, "INVALID_FIELD"),
        ({"sead": "1"}, 400, "INVALID_FIELD"),
        ({"recipe": "alchemy"}, 404, "UNKNOWN_RECIPE"),
        ({"seed": "9" * 300}, 400, "INVALID_FIELD"),
    ],
)
async def test_a_wrong_request_starts_no_job(backends, open_session, error_of, fields, status, code):
    browser = await open_session()
    response = await browser.post("/api/v1/jobs", files={"file": ("a.wav", b"RIFF")}, data=fields)
    assert response.status_code == status
    assert error_of(response)["code"] == code
    assert (await browser.get("/api/v1/jobs")).json() == {"jobs": [], "next_page_token": ""}
    assert backends.audio_features.requests == []


async def test_two_sessions_never_see_or_touch_each_others_jobs(backends, open_session, error_of):
    ann, bob = await open_session(), await open_session()
    backends.image_generation.may_go_on.clear()
    jobs = [await start(ann), await start(ann)]
    await start(bob)
    path = f"/api/v1/jobs/{jobs[0]['job_id']}"
    for request in (bob.get(path), bob.get(f"{path}/events"), bob.delete(path), bob.post(f"{path}/cancel")):
        response = await request
        assert response.status_code == 404
        assert error_of(response)["code"] == "UNKNOWN_JOB"
    assert (await read(ann, jobs[0]))["state"] in {"analyzing", "queued", "running"}
    listed = (await ann.get("/api/v1/jobs")).json()["jobs"]
    assert [job["job_id"] for job in listed] == [jobs[1]["job_id"], jobs[0]["job_id"]]
    page = (await ann.get("/api/v1/jobs?page_size=1")).json()
    assert [job["job_id"] for job in page["jobs"]] == [jobs[1]["job_id"]]
    page = (await ann.get(f"/api/v1/jobs?page_token={page['next_page_token']}")).json()
    assert ([job["job_id"] for job in page["jobs"]], page["next_page_token"]) == ([jobs[0]["job_id"]], "")
    assert len((await bob.get("/api/v1/jobs")).json()["jobs"]) == 1
    backends.image_generation.may_go_on.set()
    for job in jobs:
        assert (await follow(ann, job))[-1][1] == "created"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/jobs/x", 400, "INVALID_FIELD"),
        (f"/api/v1/jobs/{UNKNOWN_JOB}", 404, "UNKNOWN_JOB"),
        (f"/api/v1/jobs/{UNKNOWN_JOB}/events", 404, "UNKNOWN_JOB"),
        (f"/api/v1/jobs/{UNKNOWN_JOB}/events?last_event_id=-1", 400, "INVALID_FIELD"),
        (f"/api/v1/jobs/{UNKNOWN_JOB}/events?last_event_id=x", 400, "INVALID_FIELD"),
        (f"/api/v1/jobs/{UNKNOWN_JOB}/events?last_event_id={2**40}", 400, "INVALID_FIELD"),
    ],
)
async def test_what_is_no_job_is_told(open_session, error_of, path, status, code):
    browser = await open_session()
    await browser.get("/")
    response = await browser.get(path)
    assert response.status_code == status
    assert error_of(response)["code"] == code


async def test_the_header_counts_more_than_the_query(open_session):
    browser = await open_session()
    job = await start(browser, steps="2")
    await follow(browser, job)
    by_query = await browser.get(f"{job['events_url']}?last_event_id=4")
    assert re.findall(r"^id: (\d+)$", by_query.text, re.MULTILINE)[0] == "5"
    by_header = await browser.get(f"{job['events_url']}?last_event_id=4", headers={"Last-Event-ID": "5"})
    assert re.findall(r"^id: (\d+)$", by_header.text, re.MULTILINE)[0] == "6"


async def test_unfinished_jobs_are_limited(backends, open_gateway_with, open_session, error_of, eventually):
    async with open_gateway_with(max_jobs=3, max_jobs_per_session=2) as gateway:
        backends.image_generation.may_go_on.clear()
        ann, bob = await open_session(gateway), await open_session(gateway)
        jobs = [await start(ann), await start(ann), await start(bob)]
        for browser in (ann, bob):
            response = await browser.post("/api/v1/jobs", files={"file": ("a.wav", b"RIFF")})
            assert response.status_code == 429
            assert int(response.headers["retry-after"]) >= 1
            assert error_of(response)["code"] == "QUEUE_FULL"
        assert (await ann.delete(f"/api/v1/jobs/{jobs[0]['job_id']}")).status_code == 204
        await start(ann)
        backends.image_generation.may_go_on.set()


async def test_the_end_of_the_gateway_stops_its_jobs(backends, open_gateway_with, open_session, eventually):
    async with open_gateway_with() as gateway:
        backends.image_generation.may_go_on.clear()
        await start(await open_session(gateway))
        await eventually(lambda: backends.image_generation.running == 1)
    await eventually(lambda: backends.image_generation.cancelled == 1)


async def test_a_job_that_takes_too_long_fails(backends, open_gateway_with, open_session):
    backends.image_generation.may_go_on.clear()
    async with open_gateway_with(job_timeout_seconds=1.5) as gateway:
        browser = await open_session(gateway)
        _, name, data = (await follow(browser, await start(browser)))[-1]
        assert (name, data["error"]["code"]) == ("failed", "DEADLINE_EXCEEDED")


async def test_silence_is_bridged_and_resumed_streams_repeat_nothing(backends, open_session, monkeypatch):
    monkeypatch.setattr("chladni_gateway.rest.sse._HEARTBEAT_SECONDS", 0.02)
    browser = await open_session()
    backends.image_generation.may_go_on.clear()
    job = await start(browser)
    text = ""
    async with browser.stream("GET", job["events_url"], headers={"Last-Event-ID": "2"}) as response:
        async for piece in response.aiter_text():
            text += piece
            if text.count(": still here") > 2:
                backends.image_generation.may_go_on.set()
    assert "id: 2\n" not in text
    assert "event: created" in text


async def test_followers_that_leave_make_room_and_too_many_are_refused(
    backends, gateway, eventually, open_session, error_of
):
    browser = await open_session()
    backends.image_generation.may_go_on.clear()
    job = await start(browser)
    for _ in range(2 * MAX_FOLLOWERS):
        assert len(await follow(browser, job, count=1)) == 1
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(10):
            followers = 0
            while followers < MAX_FOLLOWERS:  # Those that left are noticed a little later.
                response = await stack.enter_async_context(browser.stream("GET", job["events_url"]))
                followers += response.status_code == 200
        async with gateway.browser(cookies=dict(browser.cookies)) as another:
            response = await another.get(job["events_url"])
        assert response.status_code == 429
        assert error_of(response)["code"] == "QUEUE_FULL"
    backends.image_generation.may_go_on.set()
    await eventually(lambda: backends.image_generation.running == 0)
    assert (await read(browser, job))["state"] in {"running", "completed"}


async def test_a_job_of_several_parts_tells_of_each_and_keeps_its_draft_while_it_goes_on(
    backends, gateway, open_session, eventually
):
    backends.audio_features.models.append(families.clap())
    backends.image_generation.models += [families.audioldm(), families.stable_diffusion()]
    browser = await open_session()
    job = await start(browser, recipe="audioldm", steps="2")
    events = await follow(browser, job)
    names = [(name, data.get("part")) for _, name, data in events]
    assert names == [
        ("accepted", None),
        ("analyzed", None),
        *[(name, "audioldm_mel") for name in ("queued", "started", "progress", "progress", "drafted")],
        *[(name, "sd_refined") for name in ("queued", "started", "progress", "progress", "created")],
    ]
    done = await read(browser, job)
    assert (done["state"], done["part"], done["fallback_reason"]) == ("completed", "sd_refined", "")
    again = await follow(browser, job, last_id=0)
    [(_, _, drafted)] = [event for event in again if event[1] == "drafted"]
    assert drafted["image"] is None
    assert drafted["provenance"]["part"] == "audioldm_mel"


async def test_a_job_tells_of_another_way_and_of_the_part_that_failed(backends, gateway, open_session):
    backends.image_generation.models.append(families.stable_diffusion())
    browser = await open_session()
    job = await start(browser, recipe="audioldm")
    await follow(browser, job)
    done = await read(browser, job)
    assert "a CLAP model in audio-features" in done["fallback_reason"]
    assert done["image"]["provenance"]["fallback"] == done["fallback_reason"]
    backends.image_generation.errors["scripted-sd"] = FaultError(Reason.OUT_OF_MEMORY, "Too big.")
    job = await start(browser, recipe="audioldm")
    _, name, data = (await follow(browser, job))[-1]
    assert (name, data["error"]["part"]) == ("failed", "fallback")
    assert (await read(browser, job))["error"]["part"] == "fallback"

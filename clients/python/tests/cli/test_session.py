"""The commands of a session: whose images and jobs they see, and what they print."""

from __future__ import annotations

import json
import stat

import grpc
import pytest

from chladni.gateway.v1 import job_service_pb2
from chladni_client.cli.failures import ExitStatus

IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
JOB_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"
TOKEN = "t-" * 25


@pytest.fixture
def run(run, target, monkeypatch):
    """Runs the command against the scripted server."""
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", target)
    return run


def documents_of(ended):
    assert ended.exit_code == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


def tokens_of(script):
    return [metadata["x-session-token"] for metadata in script.metadata]


def test_commands_share_a_session_that_only_its_user_can_read(run, script, tmp_path):
    run("delete", IMAGE_ID)
    run("images")
    first, second = tokens_of(script)[0], tokens_of(script)[-1]
    assert first == second
    (path,) = (tmp_path / "state" / "chladni").iterdir()
    assert path.read_text().strip() == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("damaged")
    run("delete", IMAGE_ID)
    assert tokens_of(script)[-1] == path.read_text().strip() != first


def test_each_server_gets_a_session_of_its_own(run, script, target, tmp_path):
    run("delete", IMAGE_ID)
    run("delete", IMAGE_ID, "--target", f"ipv4:{target}")
    one, other = tokens_of(script)
    assert one != other


def test_a_session_may_be_named(run, script, monkeypatch, tmp_path):
    run("delete", IMAGE_ID, "--session-token", TOKEN)
    monkeypatch.setenv("CHLADNI_SESSION_TOKEN", TOKEN[::-1])
    run("delete", IMAGE_ID)
    assert tokens_of(script) == [TOKEN, TOKEN[::-1]]
    assert not (tmp_path / "state").exists()
    ended = run("images", "--session-token", "short")
    assert ended.exit_code == ExitStatus.USAGE
    assert "43 to 128" in ended.stderr


def test_a_session_that_cannot_be_kept_is_for_one_command(run, script, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert run("delete", IMAGE_ID).exit_code == 0
    assert run("delete", IMAGE_ID).exit_code == 0
    one, other = tokens_of(script)
    assert one != other


def test_images_are_listed(run):
    (document,) = documents_of(run("images", "--json"))
    assert [image["image_id"] for image in document["images"]] == ["1-0", "1-1", "2-0", "2-1"]
    text = run("images").stdout
    for word in ("2-1", "voice.wav", "descriptors", "1 x 1"):
        assert word in text


def test_images_are_deleted_even_if_one_is_not(run, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE", "No such image."))
    ended = run("delete", IMAGE_ID, JOB_ID, "--json")
    assert ended.exit_code == ExitStatus.NOT_FOUND
    failed, deleted = map(json.loads, ended.stdout.splitlines())
    assert (failed["image_id"], failed["error"]["reason"]) == (IMAGE_ID, "UNKNOWN_IMAGE")
    assert deleted == {"image_id": JOB_ID, "is_deleted": True}


def test_images_are_pinned_and_unpinned_even_if_one_is_not(run, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE", "No such image."))
    ended = run("pin", IMAGE_ID, JOB_ID, "--json")
    assert ended.exit_code == ExitStatus.NOT_FOUND
    failed, pinned = map(json.loads, ended.stdout.splitlines())
    assert (failed["image_id"], failed["error"]["reason"]) == (IMAGE_ID, "UNKNOWN_IMAGE")
    assert pinned == {"image_id": JOB_ID, "is_pinned": True}
    assert run("pin", IMAGE_ID).stdout == f"{IMAGE_ID}  pinned\n"
    assert run("pin", IMAGE_ID, "--off").stdout == f"{IMAGE_ID}  not pinned\n"
    assert [request.unpin for request in script.requests] == [False, False, False, True]


def test_like_images_are_found(run, script):
    (document,) = documents_of(run("search", IMAGE_ID, "-n", "3", "--json"))
    assert document["matches"][0]["score"] == 0.75
    assert script.requests[0].max_results == 3
    assert "0.750" in run("search", IMAGE_ID).stdout


def test_an_image_is_scored_against_audio(run, script):
    (document,) = documents_of(run("align", IMAGE_ID, "--audio-of", JOB_ID, "--json"))
    assert document == {
        "image_id": IMAGE_ID, "audio_of": JOB_ID, "score": 0.5, "cosine": 0.25, "model": "clap",
    }  # fmt: skip
    assert script.requests[0].audio_of == JOB_ID
    assert "0.500" in run("align", IMAGE_ID).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "x"),
        ("align", "x"),
        ("delete", "x"),
        ("pin", "x"),
        ("jobs", "watch"),
        ("jobs", "list", JOB_ID),
    ],
)
def test_what_is_no_identifier_is_wrong_use(run, script, arguments):
    assert run(*arguments).exit_code == ExitStatus.USAGE
    assert not script.requests


def test_jobs_are_listed(run):
    (document,) = documents_of(run("jobs", "--json"))
    assert [job["state"] for job in document["jobs"]] == ["running", "failed"]
    text = run("jobs", "list").stdout
    assert "1 of 2" in text
    assert "Too little memory." in text


def test_a_job_is_followed_to_its_image(run, folder, png_of):
    ended = run("jobs", "watch", JOB_ID, "-o", "image.png")
    assert ended.exit_code == 0, ended.stderr
    assert "step 2 of 2" in ended.stdout
    assert (folder / "image.png").read_bytes() == png_of()
    documents = documents_of(run("jobs", "watch", JOB_ID, "--after", "6", "--json"))
    assert [(document["number"], document["event"]) for document in documents] == [
        (7, "Progress"), (8, "ImageCreated"),
    ]  # fmt: skip
    assert documents[1]["image"]["image_id"] == IMAGE_ID
    assert "t" * 43 not in run("jobs", "watch", JOB_ID, "--json").stdout


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ({"failed": job_service_pb2.JobError(grpc_code=3, reason="EMPTY_AUDIO", message="Empty.")}, 3),
        ({"failed": job_service_pb2.JobError(grpc_code=8, reason="OUT_OF_MEMORY", message="Full.")}, 1),
        ({"cancelled": job_service_pb2.JobCancelled()}, 130),
    ],
)
def test_a_job_without_an_image_has_the_status_of_its_error(run, script, last, status):
    script.last_job_event = job_service_pb2.WatchJobResponse(**last)
    assert run("jobs", "watch", JOB_ID).exit_code == status


def test_a_job_is_stopped_and_removed(run, script):
    assert run("jobs", "cancel", JOB_ID).stdout == f"{JOB_ID}  cancelled\n"
    (document,) = documents_of(run("jobs", "delete", JOB_ID, "--json"))
    assert document == {"job_id": JOB_ID, "is_deleted": True}
    assert [request.job_id for request in script.requests] == [JOB_ID] * 2


def test_a_calibration_may_be_chosen(run, script, folder):
    (folder / "voice.wav").write_bytes(b"a voice")
    ended = run("create", "voice.wav", "--recipe", "latent-noise", "--calibration", "voices", "-q")
    assert ended.exit_code == 0, ended.stderr
    assert script.requests[0].latent_noise.calibration == "voices"

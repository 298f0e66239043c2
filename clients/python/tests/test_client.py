"""The synchronous client: the same calls, threads, interruptions, and its end."""

from __future__ import annotations

import gc
import inspect
import subprocess
import sys
import threading
from contextlib import closing

import grpc
import pytest

import chladni_client as chladni

AUDIO = b"RIFF, or so"
IMAGE_ID = "0b7c6f0e-3f0a-4a5e-9d55-0d6f3f1f2a11"
JOB_ID = "5c0e8b7a-9d0b-4c55-8a4f-2a0f6f0c7d31"


def public_methods(client_class):
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(client_class, callable)
        if not name.startswith("__")
    }


def test_both_clients_have_the_same_methods_with_the_same_parameters():
    asynchronous = public_methods(chladni.AsyncClient)
    asynchronous = {name: signature for name, signature in asynchronous.items() if not name.startswith("_")}
    assert len(asynchronous) >= 20
    synchronous = public_methods(chladni.Client)
    assert synchronous.keys() == asynchronous.keys()
    for name, signature in synchronous.items():
        assert list(signature.parameters.values()) == list(asynchronous[name].parameters.values())
    assert inspect.signature(chladni.Client) == inspect.signature(chladni.AsyncClient)


def test_methods_keep_their_documentation():
    assert chladni.Client.create_image.__doc__ == chladni.AsyncClient.create_image.__doc__


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create_image", (AUDIO,)),
        ("compare_images", (b"1", b"2")),
        ("get_image", (IMAGE_ID,)),
        ("pin_image", (IMAGE_ID,)),
        ("delete_image", (IMAGE_ID,)),
        ("compare_image_matrix", ([IMAGE_ID, JOB_ID],)),
        ("search_images", (IMAGE_ID, 3)),
        ("score_alignment", (IMAGE_ID,)),
        ("create_job", (AUDIO,)),
        ("get_job", (JOB_ID,)),
        ("cancel_job", (JOB_ID,)),
        ("delete_job", (JOB_ID,)),
        ("server_info", ()),
        ("list_recipes", ()),
        ("render_spectrogram", (AUDIO,)),
        ("extract_features", (AUDIO,)),
        ("health", ()),
    ],
)
async def test_both_clients_return_the_same(client, async_client, method, arguments):
    assert getattr(client, method)(*arguments) == await getattr(async_client, method)(*arguments)


@pytest.mark.parametrize(
    ("method", "arguments"), [("list_images", ()), ("list_jobs", ()), ("watch_job", (JOB_ID,))]
)
async def test_both_clients_yield_the_same_items(client, async_client, method, arguments):
    items = [item async for item in getattr(async_client, method)(*arguments)]
    assert items
    assert list(getattr(client, method)(*arguments)) == items


async def test_both_clients_stream_sounds_alike(client, async_client):
    pcm = chladni.PcmFormat(8000)
    events = [event async for event in async_client.stream_features([b"ab", b"cd"], pcm)]
    assert [type(event) for event in client.stream_features([b"ab", b"cd"], pcm)] == list(map(type, events))


async def test_both_clients_yield_the_same_events(client, async_client):
    events = [event async for event in async_client.stream_image(AUDIO, preview_interval_steps=1)]
    assert list(client.stream_image(AUDIO, preview_interval_steps=1)) == events


def test_on_event_is_told_every_event(client):
    events = []
    image = client.create_image(AUDIO, on_event=events.append)
    assert [type(event) for event in events] == [type(event) for event in client.stream_image(AUDIO)]
    assert events[-1].image is image


def test_what_on_event_raises_ends_the_call(client, script):
    def refuse(_event):
        raise KeyError("enough")

    script.stops_after = 4
    with pytest.raises(KeyError, match="enough"):
        client.create_image(AUDIO, on_event=refuse)
    assert script.was_cancelled.wait(10)


def test_calling_the_client_from_on_event_is_an_error_and_no_deadlock(client):
    with pytest.raises(RuntimeError, match="must not call the client"):
        client.create_image(AUDIO, on_event=lambda _event: client.list_recipes())


def test_errors_arrive(client, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.NOT_FOUND, "UNKNOWN_IMAGE", "No such image."))
    with pytest.raises(chladni.NotFoundError, match="No such image"):
        client.get_image(IMAGE_ID)
    script.errors.append(rich_error(grpc.StatusCode.INVALID_ARGUMENT, "EMPTY_AUDIO"))
    with pytest.raises(chladni.InvalidInputError):
        list(client.stream_image(b""))


def test_leaving_the_loop_cancels_the_work(client, script):
    script.stops_after = 6
    with closing(client.stream_image(AUDIO)) as events:
        for event in events:
            if isinstance(event, chladni.Started):
                break
    assert script.was_cancelled.wait(10)


def test_dropping_the_iterator_cancels_the_work(client, script):
    script.stops_after = 6
    events = client.stream_image(AUDIO)
    next(events)
    del events
    gc.collect()
    assert script.was_cancelled.wait(10)


def test_threads_share_a_client(client, script):
    images = []
    threads = [threading.Thread(target=lambda: images.append(client.create_image(AUDIO))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(images) == len(script.requests) == 6


def test_closing_ends_the_calls_of_other_threads(target, script):
    script.stops_after = 0
    client = chladni.Client(target)
    outcomes = []

    def call():
        try:
            client.compare_images(b"1", b"2")
        except chladni.ChladniError as error:
            outcomes.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not script.requests:
        thread.join(0.01)
    client.close()
    thread.join(10)
    assert [type(error) for error in outcomes] == [chladni.CallCancelledError]
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.list_recipes()


def test_closing_ends_a_wait_before_the_next_attempt(target, script, rich_error):
    script.errors.append(rich_error(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_seconds=25.0))
    client = chladni.Client(target)
    outcomes = []

    def call():
        try:
            client.list_recipes()
        except chladni.ChladniError as error:
            outcomes.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    while not script.requests:
        thread.join(0.01)
    thread.join(0.2)  # until it waits; if it does not yet, closing ends the call itself
    client.close()
    thread.join(10)
    assert [type(error) for error in outcomes] == [chladni.CallCancelledError]


def test_a_client_that_nobody_closes_ends_with_its_last_reference(target):
    def thread_names():
        return [thread.name for thread in threading.enumerate()]

    client = chladni.Client(target)
    assert client.list_recipes()
    assert thread_names().count("chladni-client") == 1
    del client
    gc.collect()
    assert "chladni-client" not in thread_names()


QUIET = """
import logging
logging.getLogger("asyncio").setLevel(logging.ERROR)  # in development mode it warns of a busy machine
"""
FORGETFUL = f"""
{QUIET}
import sys
from chladni_client import Client
client = Client(sys.argv[1])
print(len(client.list_recipes()))
"""


def test_a_program_that_forgets_to_close_ends_in_silence(target):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", FORGETFUL, target],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")


INTERRUPTED = f"""
{QUIET}
import sys
from chladni_client import Client
with Client(sys.argv[1]) as client:
    try:
        for event in client.stream_image(b"sound"):
            print(type(event).__name__, flush=True)
    except KeyboardInterrupt:
        print(len(client.list_recipes()), flush=True)
"""


def test_an_interruption_cancels_the_call_and_leaves_the_client_usable(target, script):
    script.stops_after = 6
    program = subprocess.Popen(
        [sys.executable, "-X", "dev", "-c", INTERRUPTED, target],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while program.stdout.readline() != "Started\n":
        assert program.poll() is None
    program.send_signal(2)
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, err) == (0, "2\n", "")
    assert script.was_cancelled.wait(10)

"""The client, the command and a whole gateway, over scripted services."""

from __future__ import annotations

import asyncio
import io
import json
import random
import shlex
import threading

import pytest
from PIL import Image

import chladni_client as chladni
from chladni_client.cli.failures import ExitStatus
from chladni_fakes import families, scripted_backends
from chladni_fakes.loopback import loopback_service
from chladni_gateway.composition import SERVICE_NAMES, compose
from chladni_gateway.config import GatewaySettings
from chladni_runtime.server.server import request_gate

SIDE_PIXELS = 32


def noise_png(digest, seed, size_pixels):
    """Returns an image of noise, which follows from a recording and a seed."""
    pixels = random.Random(f"{digest}/{seed}").randbytes(3 * size_pixels**2)
    return encoded(pixels, size_pixels)


def disturbed_png(digest, seed, size_pixels):
    """Returns the same image with seven values changed by one and one by forty."""
    pixels = bytearray(random.Random(f"{digest}/{seed}").randbytes(3 * size_pixels**2))
    for position in range(0, 70, 10):
        pixels[position] ^= 1
    pixels[100] = pixels[100] + 40 if pixels[100] < 128 else pixels[100] - 40
    return encoded(bytes(pixels), size_pixels)


def encoded(pixels, size_pixels):
    output = io.BytesIO()
    Image.frombytes("RGB", (size_pixels, size_pixels), pixels).save(output, "PNG")
    return output.getvalue()


class RunningGateway:
    """A gateway over scripted services, on an event loop and a thread of its own."""

    def __init__(self, image_folder):
        self._image_folder = image_folder
        self._loop = asyncio.new_event_loop()
        self._is_over = asyncio.Event()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self.backends = None
        self.address = ""

    def __enter__(self):
        self._thread.start()
        assert self._is_ready.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._is_over.set)
        self._thread.join(30)
        self._loop.close()

    def reset(self):
        """Makes the scripted services as new; their images are noise that carries its provenance."""
        asyncio.run_coroutine_threadsafe(self.backends.reset(), self._loop).result(10)
        self.generation.draw = noise_png
        self.generation.carries_provenance = True

    @property
    def generation(self):
        return self.backends.image_generation

    async def _serve(self):
        async with scripted_backends() as self.backends:
            targets = {
                f"{name.replace('-', '_')}_target": server.target
                for name, server in self.backends.servers.items()
            }
            settings = GatewaySettings(
                grpc_port=0,
                http_port=0,
                metrics_port=0,
                drain_delay_seconds=0.0,
                trusted_peers=("127.0.0.1",),
                image_folder=self._image_folder,
                **targets,
            )
            gate = request_gate(settings)
            async with loopback_service(
                compose(settings, gate=gate, draw_seed=lambda: 4711),
                service_names=SERVICE_NAMES,
                settings=settings,
                gate=gate,
            ) as (service, _):
                self.address = service.address
                self._is_ready.set()
                await self._is_over.wait()


@pytest.fixture(scope="module")
def running_gateway(tmp_path_factory):
    with RunningGateway(tmp_path_factory.mktemp("images")) as gateway:
        yield gateway


@pytest.fixture
def gateway(running_gateway):
    running_gateway.reset()
    return running_gateway


@pytest.fixture
def run(run, gateway, folder, monkeypatch):
    """Runs the command in a folder with a sound and its image, which was made by batch and inexactly."""
    monkeypatch.setenv("CHLADNI_CLIENT_TARGET", gateway.address)
    monkeypatch.setenv("COLUMNS", "150")
    (folder / "voice.wav").write_bytes(b"RIFF a voice")
    size = ("--width", SIDE_PIXELS, "--height", SIDE_PIXELS)
    made = run("create", "voice.wav", "--seed", 7, "--guidance", "2.345678901234567", *size, "--steps", 3,
               "--scheduler", "DDIMScheduler", "-q")  # fmt: skip
    assert made.exit_code == 0, made.stderr
    gateway.generation.requests.clear()
    return run


def flat(text):
    return " ".join(text.split())


def test_what_is_chosen_reaches_image_generation(run, gateway, folder):
    gateway.generation.is_reused = True
    ended = run("create", "voice.wav", "--priority", "batch", "--no-reproducible", "--no-cache", "-q",
                "--width", 64, "--height", 64)  # fmt: skip
    assert ended.stdout.startswith("voice.png  64 x 64, seed 4711, ")
    assert ended.stdout.endswith(" s, made before\n")
    options = gateway.generation.requests[0][0].options
    assert (options.priority, options.reproducible, options.bypass_cache) == (2, False, True)
    assert options.HasField("reproducible")


def test_callers_are_told_apart(gateway):
    for caller_id in ("nightly", "page", ""):
        with chladni.Client(gateway.address, caller_id=caller_id) as client:
            client.create_image(b"RIFF", steps=1)
    callers = [metadata["x-caller-id"] for _, metadata in gateway.generation.requests]
    assert callers == ["nightly", "page", "ipv4:127.0.0.1"]


def test_an_image_that_is_made_again_the_same_is_told_in_one_green_line(run, gateway):
    ended = run("reproduce", "voice.png", "voice.wav", "-q")
    assert ended.exit_code == 0, ended.stderr
    assert ended.stdout == "identical: all 1024 pixels (32 x 32), bit for bit\n"
    ((request, _),) = gateway.generation.requests
    options = request.options
    assert (options.seed, options.steps, options.guidance_scale) == (7, 3, 2.345678901234567)
    assert (options.scheduler, request.origin.recipe) == ("DDIMScheduler", "embedded")
    assert (options.width_pixels, options.height_pixels) == (32, 32)
    assert options.reproducible
    assert options.bypass_cache


def test_an_inexact_image_is_asked_for_as_such(run, gateway):
    run("create", "voice.wav", "--no-reproducible", "--width", 32, "--height", 32, "-q")
    assert run("reproduce", "voice.png", "voice.wav", "-q").exit_code == 0
    assert not gateway.generation.requests[-1][0].options.reproducible
    gateway.generation.draw = disturbed_png
    ended = run("reproduce", "voice.png", "voice.wav", "-q")
    assert ended.exit_code == 1
    assert "made without --reproducible" in ended.stdout
    assert "defect" not in ended.stdout


def test_a_different_image_without_a_differing_term_is_called_a_defect(run, gateway, folder):
    gateway.generation.draw = disturbed_png
    ended = run("reproduce", "voice.png", "voice.wav", "-q", "--save", "again.png", "--difference", "d.png")
    assert ended.exit_code == ExitStatus.FAULT == 1
    first, second = ended.stdout.splitlines()
    assert first == "different: 8 of 1024 pixels (32 x 32), by at most 40 of 255; PSNR 50.9 dB"
    assert second.startswith("No term of the contract differs, so no pixel should. This is a defect:")
    report = chladni.compare_renderings(folder / "voice.png", folder / "again.png")
    assert report.pixels.differing_pixel_count == 8
    drawn = Image.open(folder / "d.png")
    assert drawn.getpixel((1, 1)) == (0, 255, 0)
    assert sum(drawn.tobytes()) == 255 + 7 * (255 // 40)


def test_the_terms_that_differ_are_told_with_their_meaning(run, gateway):
    gateway.generation.draw = disturbed_png
    gateway.generation.provenance = {
        "model_digest": "1" * 64,
        "device": "cuda",
        "device_capability": "sm_90",
        "library_versions": {"scripted": "2", "torch": "2.13.0"},
    }
    ended = run("reproduce", "voice.png", "voice.wav", "-q")
    assert ended.exit_code == 1
    table = flat(ended.stdout)
    for words in ("model_digest", "sm_90", "pencil", "library_versions.torch", "not recorded", "2.13.0",
                  "Another kind of device", "the weights decide every pixel", "000000000000…"):  # fmt: skip
        assert words in table, words
    assert "defect" not in ended.stdout
    ended = run("reproduce", "voice.png", "voice.wav", "-q", "--json")
    assert ended.exit_code == 1
    document = json.loads(ended.stdout)
    assert document["verdict"] == "explained"
    assert (document["pixel_count"], document["differing_pixel_count"]) == (1024, 8)
    assert document["psnr_decibels"] == pytest.approx(50.9, abs=0.05)
    assert [term["name"] for term in document["differing_terms"]] == [
        "model_digest", "device", "device_capability", "library_versions.scripted", "library_versions.torch",
    ]  # fmt: skip
    assert document["differing_terms"][2]["original"] == "pencil"


def test_terms_may_differ_where_pixels_do_not(run, gateway):
    gateway.generation.provenance = {"device": "cuda"}
    assert run("reproduce", "voice.png", "voice.wav", "-q").exit_code == 0
    document = json.loads(run("reproduce", "voice.png", "voice.wav", "-q", "--json").stdout)
    assert (document["verdict"], document["psnr_decibels"]) == ("identical", None)
    assert [term["name"] for term in document["differing_terms"]] == ["device"]


def test_another_recording_is_refused_before_any_call(run, gateway, folder):
    (folder / "flute.wav").write_bytes(b"RIFF a flute")
    ended = run("reproduce", "voice.png", "flute.wav", "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "flute.wav is not what voice.png was made of: its SHA-256 begins with " in ended.stderr
    assert gateway.generation.requests == []


def test_a_foreign_image_is_refused_before_any_call(run, gateway, folder):
    Image.new("RGB", (32, 32)).save(folder / "foreign.png")
    ended = run("reproduce", "foreign.png", "voice.wav", "-q")
    assert ended.exit_code == ExitStatus.INVALID_INPUT
    assert "foreign.png carries no provenance" in ended.stderr
    assert gateway.generation.requests == []


def test_a_kept_image_proves_nothing(run, gateway):
    gateway.generation.is_reused = True
    ended = run("reproduce", "voice.png", "voice.wav", "-q")
    assert ended.exit_code == 1
    assert "although it was asked to compute it again" in ended.stderr
    assert ended.stdout == ""


async def test_the_library_does_the_same(run, gateway, folder):
    events = []
    with chladni.Client(gateway.address) as client:
        one = client.reproduce_image(folder / "voice.png", folder / "voice.wav", on_event=events.append)
    async with chladni.AsyncClient(gateway.address) as client:
        other = await client.reproduce_image(
            (folder / "voice.png").read_bytes(), (folder / "voice.wav").read_bytes(), timeout_seconds=30
        )
    assert one.report == other.report
    assert one.report.verdict is chladni.Verdict.IDENTICAL
    assert one.report.rendering == one.image.provenance
    assert isinstance(events[-1], chladni.ImageCreated)


def test_progress_is_told(run):
    ended = run("reproduce", "voice.png", "voice.wav")
    assert "voice.wav: step 3 of 3" in ended.stderr
    assert ended.stderr.endswith("voice.wav: done\n")


REFINED_BY = "--prompt ink --strength 0.35 --scheduler DDIMScheduler --width 640 --height 640 --steps 30"
SMALL = "--width 256 --height 256"
WAYS = """
                        | embedded --steps 3                                                      |
    stable_diffusion    | spectrogram                                                             |
    stable_diffusion    | spectrogram --guidance 5.25 --model scripted-sd {refined}               |
                        | latent-noise                                                            |
    stable_diffusion    | latent-noise --model scripted-sd --prompt ink --noise-weight 0.12345678 |
    ldm                 | latent-noise --model scripted-ldm --noise-mode dct {small}              |
    ldm                 | latent-noise --model scripted-ldm --noise-mode mel --noise-weight 0 {small} |
    stable_diffusion_xl | music-prompts --prompt '[dawn]' --negative-prompt mud --refiner-start 0.625 |
    clap audioldm stable_diffusion | audioldm                                       | sd_refined
    clap audioldm stable_diffusion | audioldm {refined}                             | sd_refined
    clap audioldm few_step_model   | audioldm --strength 0.5                        | sd_refined
    clap audioldm                  | audioldm --steps 20                            | audioldm_mel
    stable_diffusion               | audioldm --prompt ink --guidance 4.5           | fallback
    clap clap_to_clip unclip       | clap-unclip --prompt ink                       |
"""


def few_step_model():
    return families.stable_diffusion("scripted-turbo", default_steps=2, default_guidance_scale=1.0)


def made_known(gateway, names):
    """Gives the scripted services these models beside their own."""
    models = [few_step_model() if name == "few_step_model" else getattr(families, name)() for name in names]
    claps = [model for model in models if model.family.startswith("clap")]
    gateway.backends.audio_features.models = [families.descriptors(), *claps]
    gateway.generation.models = [
        families.embedded(),
        *(model for model in models if model not in claps),
    ]


@pytest.mark.parametrize("way", WAYS.strip("\n").format(refined=REFINED_BY, small=SMALL).splitlines())
def test_every_recipe_is_asked_for_again_as_it_was(run, gateway, folder, way):
    models, arguments, part = (field.strip() for field in way.split("|"))
    made_known(gateway, models.split())
    assert run("recipes").exit_code == 0  # looks which models there are
    made = run("create", "voice.wav", "--seed", 7, "-q", "--recipe", *shlex.split(arguments))
    assert made.exit_code == 0, made.stderr
    provenance = chladni.read_provenance(folder / "voice.png")
    assert (provenance.part, bool(provenance.fallback)) == (part, "Notice: " in made.stderr)
    assert len(provenance.earlier) == (part == "sd_refined")
    ended = run("reproduce", "voice.png", "voice.wav", "-q", "--json")
    assert ended.exit_code == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert (report["verdict"], report["differing_terms"]) == ("identical", [])
    requests = [request for request, _ in gateway.generation.requests]
    first, second = requests[: len(requests) // 2], requests[len(requests) // 2 :]
    for one, other in zip(first, second, strict=True):
        assert not one.options.bypass_cache
        assert other.options.bypass_cache
        assert one.conditioning == other.conditioning
        assert one.origin == other.origin
        assert (one.options.model, one.options.seed) == (other.options.model, other.options.seed)


def test_a_model_that_came_since_is_told_as_the_term_that_differs(run, gateway, folder):
    gateway.generation.models = [families.embedded(), families.stable_diffusion()]
    run("recipes")
    assert "Notice: " in run("create", "voice.wav", "-q", "--recipe", "audioldm").stderr
    made_known(gateway, ("clap", "audioldm", "stable_diffusion"))
    ended = run("reproduce", "voice.png", "voice.wav", "-q", "--json")
    assert ended.exit_code == 1
    report = json.loads(ended.stdout)
    assert report["verdict"] == "explained"
    terms = {term["name"]: term for term in report["differing_terms"]}
    assert (terms["part"]["original"], terms["part"]["rendering"]) == ("fallback", "sd_refined")
    assert "CLAP" in terms["fallback"]["original"]
    assert terms["earlier.1.model"]["rendering"] == "scripted-audioldm"


def test_an_enlarged_image_is_asked_for_enlarged(run, gateway, folder):
    gateway.generation.models = [families.embedded(), families.stable_diffusion()]
    gateway.generation.draw = lambda subject, seed, size_pixels: noise_png(subject, seed, 2 * size_pixels)
    run("recipes")
    size = ("--width", SIDE_PIXELS, "--height", SIDE_PIXELS)
    made = run("create", "voice.wav", "-q", "--recipe", "spectrogram", "--upscale", 2, *size)
    assert made.exit_code == 0, made.stderr
    ended = run("reproduce", "voice.png", "voice.wav", "-q")
    assert ended.stdout == "identical: all 4096 pixels (64 x 64), bit for bit\n"
    assert [request.options.upscale for request, _ in gateway.generation.requests] == [2, 2]


def test_the_list_of_recipes_is_whole(run, gateway):
    gateway.generation.models = [families.embedded(), families.broken(families.stable_diffusion())]
    listed = {item["name"]: item for item in json.loads(run("recipes", "--json").stdout)["recipes"]}
    assert set(listed) == {
        "embedded", "audioldm", "spectrogram", "latent-noise", "music-prompts", "clap-unclip",
    }  # fmt: skip
    assert listed["embedded"]["is_available"]
    assert not listed["spectrogram"]["is_available"]
    assert "Its weights are cut off." in listed["spectrogram"]["unavailable_reason"]
    assert listed["music-prompts"]["is_available"]
    assert listed["music-prompts"]["required_options"] == []
    shown = flat(run("recipes", "latent-noise").stdout)
    assert "--noise-mode" in shown
    ended = run("create", "voice.wav", "-q", "--recipe", "spectrogram")
    assert ended.exit_code == ExitStatus.UNAVAILABLE
    assert "Its weights are cut off." in ended.stderr

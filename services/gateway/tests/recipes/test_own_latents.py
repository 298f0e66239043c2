"""Initial latents of the caller's own, over gRPC and REST, with services that follow a script."""

from __future__ import annotations

import hashlib
import io

import grpc
import numpy as np
import pytest

from chladni.gateway.v1 import creation_pb2
from chladni.generation.v1 import generation_pb2
from chladni.media.v1 import media_pb2
from chladni_contract.status import from_rpc_error
from chladni_contract.tensors import to_tensor
from chladni_fakes import families

SOUND = b"fLaC sound"
LATENTS = np.linspace(-2, 2, 4 * 32 * 32, dtype=np.float32).reshape(4, 32, 32)


@pytest.fixture
def ldm(backends):
    backends.image_generation.models.append(families.ldm())
    return backends


async def create(gateway, latents=LATENTS, *, sound=b"", **options):
    request = creation_pb2.CreateImageRequest(audio=media_pb2.AudioClip(content=sound))
    model = options.pop("model", "")
    request.options.model = model
    request.latent_noise.CopyFrom(
        creation_pb2.LatentNoiseOptions(initial_latents=to_tensor(latents), **options)
    )
    return [event async for event in gateway.images.CreateImage(request)]


async def refusal_of(gateway, latents=LATENTS, **options):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create(gateway, latents, **options)
    return from_rpc_error(caught.value)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "latents", [LATENTS, LATENTS[None], LATENTS.reshape(-1), LATENTS.reshape(1, -1)], ids=str
)
async def test_latents_of_the_callers_own_are_what_the_model_starts_from(ldm, gateway, latents):
    events = await create(gateway, latents)
    assert ldm.audio_features.requests == []
    assert "analyzed" not in {event.WhichOneof("event") for event in events}
    [(generation, _)] = ldm.image_generation.requests
    assert list(generation.conditioning.initial_latents.shape) == [4, 32, 32]
    assert generation.conditioning.initial_latents.data == LATENTS.tobytes()
    assert generation.conditioning.initial_latents_weight == 1
    image = events[-1].created.image
    digest = hashlib.sha256(LATENTS.tobytes()).hexdigest()[:12]
    assert dict(image.provenance.recipe_options) == {
        "noise_mode": "mel", "noise_weight": "1", "initial_latents": digest,
    }  # fmt: skip
    assert not image.HasField("audio")
    assert not image.provenance.audio_sha256


async def test_the_sound_may_come_with_them_for_models_that_take_its_embedding(backends, gateway):
    latents = np.zeros((4, 64, 64), np.float32)
    mode = generation_pb2.NOISE_MODE_BLEND
    events = await create(gateway, latents, sound=SOUND, noise_mode=mode, noise_weight=0.5)
    [asked] = backends.audio_features.requests
    assert not asked.HasField("initial_latents")
    [(generation, _)] = backends.image_generation.requests
    assert generation.conditioning.audio_embedding.space == families.SPACE
    assert generation.conditioning.initial_latents.data == latents.tobytes()
    assert generation.conditioning.initial_latents_weight == 0.5
    assert events[-1].created.image.audio.sha256


@pytest.mark.parametrize(
    ("latents", "options", "field", "words"),
    [
        (LATENTS[:3], {}, "latent_noise.initial_latents", "4 x 32 x 32"),
        (LATENTS[0, 0], {}, "latent_noise.initial_latents", "4096 values in a row"),
        (LATENTS.astype(np.float16), {}, "latent_noise.initial_latents.dtype", "FLOAT32"),
        (LATENTS * np.nan, {}, "latent_noise.initial_latents.data", "NaN"),
        (np.zeros((2**18 + 1,), np.float32), {}, "latent_noise.initial_latents", "262144"),
        (LATENTS, {"calibration": "voices"}, "latent_noise.calibration", "leave it out"),
        (LATENTS, {"noise_mode": generation_pb2.NOISE_MODE_DCT}, "latent_noise.noise_mode", "mel, blend"),
        (np.zeros((4, 64, 64), np.float32), {"model": families.EMBEDDED}, "audio.content", "embedding"),
    ],
)
async def test_latents_that_do_not_fit_are_refused_by_name(ldm, gateway, latents, options, field, words):
    error = await refusal_of(gateway, latents, **options)
    assert (error.violations[0].field, words in error.message) == (field, True), error.message
    assert ldm.image_generation.requests == []


async def test_another_recipe_does_not_take_them(ldm, gateway, error_of):
    files = {"initial_latents": ("l.npy", npy(LATENTS)), "file": ("a.wav", b"RIFF")}
    response = await gateway.http.post("/api/v1/generate", files=files, data={"recipe": "embedded"})
    assert "does not take it" in error_of(response)["message"]


@pytest.mark.parametrize("array", [LATENTS.astype(np.float64), np.asfortranarray(LATENTS[None])])
async def test_they_come_over_rest_as_a_numpy_file(ldm, gateway, array):
    response = await gateway.http.post(
        "/api/v1/generate",
        files={"initial_latents": ("l.npy", npy(array))},
        data={"recipe": "latent-noise", "noise_weight": "0.5", "noise_mode": "blend"},
    )
    body = response.json()
    assert (response.status_code, body["audio"], body["descriptors"]) == (200, None, [])
    [(generation, _)] = ldm.image_generation.requests
    assert generation.conditioning.initial_latents.data == LATENTS.tobytes()
    assert generation.conditioning.initial_latents_weight == 0.5
    again = (await gateway.http.get(f"/api/v1/images/{body['image_id']}/details")).json()
    assert again == body
    response = await gateway.http.get(f"/api/v1/images/{body['image_id']}/alignment")
    assert response.json()["error"]["code"] == "NO_ALIGNMENT"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04", "is no NumPy file"),
        (npy(LATENTS)[:-1], "is cut off"),
        (npy(LATENTS.astype(np.int64)), "the type <i8"),
        (npy(np.array([{}], dtype=object)), "the type |O"),
        (npy(np.zeros(0, np.float32)), "holds 0 values"),
        (npy(np.full(4096, np.inf)), "not finite"),
        (npy(LATENTS).replace(b"(4, 32, 32)", b"(9**9, 9,) "), "is no NumPy file"),
    ],
)
async def test_another_file_is_refused_by_name(ldm, gateway, error_of, content, words):
    files = {"initial_latents": ("l.npy", content)}
    response = await gateway.http.post("/api/v1/generate", files=files, data={"recipe": "latent-noise"})
    error = error_of(response)
    assert (response.status_code, error["violations"][0]["field"]) == (400, "initial_latents")
    assert words in error["message"]


async def test_neither_sound_nor_latents_is_a_missing_file(gateway, error_of):
    response = await gateway.http.post("/api/v1/generate", files={"recipe": (None, "latent-noise")})
    error = error_of(response)
    assert (error["code"], error["violations"][0]["field"]) == ("MISSING_FIELD", "file")

"""The shipped model to the bit: a row's result depends neither on its place nor on its companions.

One thread computes each call here. With several, torch splits tensors where it likes, the numbers at a
split's end are rounded by other instructions than the rest, and a split that falls inside of an image
depends on its place in the batch.

No library promises as much for every processor. The conditions are aligned for the vectors of AVX2 and
AVX-512, and there it must hold; elsewhere the engine must notice that it does not, and then gives such rows
calls of their own.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chladni_contract.descriptor_space import COMPONENT_COUNT
from chladni_image_generation.engine.batch_invariance import (
    is_decoder_batch_invariant,
    is_denoiser_batch_invariant,
)
from chladni_image_generation.families.embedded.model import load_embedded_model
from chladni_image_generation.models.files import find_model_files
from chladni_image_generation.models.interface import DenoiserRow

NATIVE = (4, 64, 64)
PIXELS_PER_LATENT = 8
IS_ALIGNED = torch.backends.cpu.get_cpu_capability() in {"AVX2", "AVX512"}


@pytest.fixture(scope="module")
def model(request):
    return load_embedded_model(find_model_files("embedded"), device=torch.device("cpu"), dtype=request.param)


def cases(names, *, float32, bfloat16):
    """Run a test with the model of either type; bfloat16, which few processors compute, on smaller images."""
    by_dtype = {torch.float32: float32, torch.bfloat16: bfloat16}
    return pytest.mark.parametrize(
        ("model", *names),
        [(dtype, *values) for dtype, rows in by_dtype.items() for values in rows],
        indirect=["model"],
        ids=lambda value: (
            "x".join(map(str, value)) if isinstance(value, tuple) else str(value).removeprefix("torch.")
        ),
    )


@pytest.fixture(autouse=True)
def one_thread_without_gradients():
    thread_count = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.inference_mode():
        yield
    torch.set_num_threads(thread_count)


def rows_of(model, count, shape, seed):
    """Return rows of different sounds, noise and timesteps, every third without a sound."""
    generator = torch.Generator().manual_seed(seed)
    rng = np.random.default_rng(seed)
    return [
        DenoiserRow(
            latents := torch.randn(shape, generator=generator),
            torch.rand((), generator=generator) * 1000,
            model.null_condition(shape)
            if index % 3 == 1
            else model.encode(rng.random(COMPONENT_COUNT, dtype=np.float32), latents),
        )
        for index in range(count)
    ]


def check_denoising(model, count, shape):
    rows, strangers = rows_of(model, count, shape, seed=1), rows_of(model, count, shape, seed=2)
    results = model.denoise(rows)
    assert torch.isfinite(results).all()
    assert len(results) == 1 or not torch.equal(results[0], results[1])
    is_unchanged = torch.equal(model.denoise(rows[::-1]).flip(0), results)
    for index, place in {(0, count - 1), (count - 1, 0), (count // 2, 0)}:
        mixed = [*strangers[:place], rows[index], *strangers[place + 1 :]]
        is_unchanged &= torch.equal(model.denoise(mixed)[place], results[index])
    assert is_unchanged or (not IS_ALIGNED and not is_denoiser_batch_invariant(model, rows[0], count))


@cases(
    ("count", "shape"),
    float32=[(1, NATIVE), (2, NATIVE), (4, (4, 32, 64)), (8, (4, 32, 32))],
    bfloat16=[(1, (4, 32, 32)), (2, (4, 24, 16)), (4, (4, 16, 24)), (8, (4, 16, 16))],
)
def test_companions_never_change_a_denoised_row(model, count, shape):
    check_denoising(model, count, shape)


@cases(
    ("shape",),
    float32=[((4, 32, 32),), ((4, 40, 40),), ((4, 40, 56),), ((4, 88, 72),)],
    bfloat16=[((4, 16, 40),)],
)
def test_companions_never_change_a_denoised_row_of_another_size(model, shape):
    check_denoising(model, 2, shape)


@cases(
    ("count", "shape"),
    float32=[(1, (4, 32, 32)), (2, (4, 40, 56)), (4, (4, 32, 32))],
    bfloat16=[(1, (4, 32, 32)), (2, (4, 16, 24)), (4, (4, 16, 16))],
)
def test_companions_never_change_a_decoded_image(model, count, shape):
    generator = torch.Generator().manual_seed(count)
    latents = torch.randn((count, *shape), generator=generator)
    images = model.decode(latents)
    assert images.shape == (count, PIXELS_PER_LATENT * shape[1], PIXELS_PER_LATENT * shape[2], 3)
    is_unchanged = np.array_equal(model.decode(latents.flip(0))[::-1], images)
    strangers = torch.randn((count, *shape), generator=generator)
    strangers[0] = latents[-1]
    is_unchanged &= np.array_equal(model.decode(strangers)[0], images[-1])
    assert is_unchanged or (not IS_ALIGNED and not is_decoder_batch_invariant(model, shape, count))


@cases(
    ("width_pixels", "height_pixels"),
    float32=[(256, 256), (1024, 256), (320, 768)],
    bfloat16=[(256, 320)],
)
def test_every_allowed_size_is_painted_and_previewed(model, width_pixels, height_pixels):
    description = model.description
    assert width_pixels in description.sizes
    assert height_pixels in description.sizes
    shape = description.latent_shape_of(width_pixels, height_pixels)
    assert shape == (4, height_pixels // PIXELS_PER_LATENT, width_pixels // PIXELS_PER_LATENT)
    denoised = model.denoise(rows_of(model, 1, shape, seed=3))
    assert model.decode(denoised).shape == (1, height_pixels, width_pixels, 3)
    height, width = shape[1] // 5, shape[2] // 5
    preview = torch.nn.functional.interpolate(denoised, size=(height, width), mode="area")
    assert model.decode(preview).shape == (1, PIXELS_PER_LATENT * height, PIXELS_PER_LATENT * width, 3)


@cases(("side_pixels",), float32=[(192,), (288,), (500,), (544,), (2112,)], bfloat16=[])
def test_other_sizes_are_not_allowed(model, side_pixels):
    assert side_pixels not in model.description.sizes

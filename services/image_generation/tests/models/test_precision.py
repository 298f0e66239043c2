"""Which numeric type is taken: what is asked for, or what is fast and was measured to be good enough."""

from __future__ import annotations

import logging

import pytest
import torch

from chladni_image_generation.models.files import find_model_files
from chladni_image_generation.models.precision import AUTO, Capabilities, capabilities_of, choose_dtype

PLAIN_CPU = Capabilities("cpu")
FAST_CPU = Capabilities("cpu", has_bfloat16_products=True)


def cuda(major, minor=0):
    return Capabilities("cuda", compute_capability=(major, minor))


def manifest_of(*, needed=45.0, **reached):
    return {
        "precision": {
            "min_psnr_db": needed,
            "dtypes": {name: {"psnr_db_min": psnr_db} for name, psnr_db in reached.items()},
        }
    }


GOOD = manifest_of(bfloat16=50.0, float16=60.0)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (PLAIN_CPU, torch.float32),
        (FAST_CPU, torch.bfloat16),
        (cuda(9), torch.bfloat16),
        (cuda(8, 6), torch.bfloat16),
        (cuda(7, 5), torch.float16),
        (cuda(6, 1), torch.float32),
        (Capabilities("mps"), torch.float32),
    ],
)
def test_a_device_gets_the_type_that_it_does_fast(capabilities, expected):
    assert choose_dtype(AUTO, manifest=GOOD, capabilities=capabilities) == expected


@pytest.mark.parametrize(
    ("manifest", "capabilities", "expected"),
    [
        ({"conditioning": {}}, FAST_CPU, torch.float32),
        ({"conditioning": {}}, cuda(8), torch.float32),
        (manifest_of(bfloat16=44.9), FAST_CPU, torch.float32),
        (manifest_of(bfloat16=45.0), FAST_CPU, torch.bfloat16),
        (manifest_of(float16=60.0), FAST_CPU, torch.float32),
        (manifest_of(bfloat16=30.0, float16=60.0), cuda(8), torch.float16),
        ({"precision": {"dtypes": {"bfloat16": {"psnr_db_min": 60.0}}}}, FAST_CPU, torch.float32),
    ],
)
def test_only_a_type_measured_to_be_good_enough_is_taken(manifest, capabilities, expected):
    assert choose_dtype(AUTO, manifest=manifest, capabilities=capabilities) == expected


@pytest.mark.parametrize("manifest", [{}, {"defaults": {"steps": 1}, "licence": "Apache-2.0"}])
@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        (FAST_CPU, torch.float32),
        (cuda(8), torch.bfloat16),
        (cuda(7), torch.float16),
        (cuda(6), torch.float32),
    ],
)
def test_a_public_checkpoint_gets_what_a_gpu_does_fast(manifest, capabilities, expected):
    assert choose_dtype(AUTO, manifest=manifest, capabilities=capabilities) == expected


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
def test_an_explicit_type_is_obeyed(name):
    assert choose_dtype(name, manifest={}, capabilities=PLAIN_CPU) == getattr(torch, name)
    assert choose_dtype(name, manifest=GOOD, capabilities=cuda(9)) == getattr(torch, name)


def test_the_log_says_why(caplog):
    caplog.set_level(logging.INFO)
    choose_dtype(AUTO, manifest=manifest_of(bfloat16=30.0), capabilities=FAST_CPU)
    assert "float32: bfloat16 reaches 30.0 dB and must reach 45.0 dB" in caplog.text


def test_this_machine_has_capabilities():
    capabilities = capabilities_of(torch.device("cpu"))
    assert capabilities.device_type == "cpu"
    assert capabilities.compute_capability is None
    assert set(capabilities.fast_dtypes) <= {torch.bfloat16}


def test_the_shipped_model_may_be_served_in_bfloat16():
    manifest = find_model_files("embedded").manifest
    assert choose_dtype(AUTO, manifest=manifest, capabilities=FAST_CPU) == torch.bfloat16
    assert manifest["precision"]["dtypes"]["bfloat16"]["largest_difference"] <= 16

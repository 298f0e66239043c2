"""Fresh schedulers, one for each request."""

from __future__ import annotations

import pytest
import torch

from chladni_image_generation.models.schedulers import SchedulerCatalog, step_options, timesteps_of
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion import new_scheduler
from chladni_image_generation.testing.untrained_checkpoints.stable_diffusion_xl import XL_SCHEDULE

# Schedulers of diffusers hand tensors to functions of NumPy, by a protocol that NumPy 2 wants extended.
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning")
CATALOG = SchedulerCatalog(new_scheduler("EulerDiscreteScheduler", XL_SCHEDULE))


def denoised(scheduler, steps):
    sample = torch.ones(1, 4, 2, 2)
    generator = torch.Generator().manual_seed(1)
    for timestep in timesteps_of(scheduler, steps):
        scheduler.scale_model_input(sample, timestep)
        options = step_options(scheduler, generator)
        sample = scheduler.step(sample * 0.5, timestep, sample, **options).prev_sample
    return sample


@pytest.mark.parametrize("name", CATALOG.names)
def test_a_scheduler_shares_no_state_with_those_before_it(name):
    first = CATALOG.new(name)
    before = denoised(first, 5)
    denoised(first, 4)
    second = CATALOG.new(name)
    assert type(second).__name__ == name
    assert torch.equal(denoised(second, 5), before)
    config = {key: value for key, value in second.config.items() if not key.startswith("_")}
    fresh = type(second).from_config(config)
    assert torch.equal(denoised(fresh, 5), before)
    one, other = vars(CATALOG.new(name)), vars(CATALOG.new(name))
    tensors = [key for key, value in one.items() if isinstance(value, torch.Tensor)]
    assert all(one[key].data_ptr() != other[key].data_ptr() for key in tensors)


def test_a_scheduler_of_another_kind_of_model_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        CATALOG.new("FlowMatchEulerDiscreteScheduler")

"""The network that learns, and the service's, which computes the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from chladni_audio_features.reconstruction.network import AutoencoderNetwork, weight_shapes
from chladni_audio_features.training.autoencoder.network import (
    AudioAutoencoder,
    ReconstructionObjective,
    exported_weights,
    shifted,
)

CHANNELS = (8, 8, 12, 12)


def windows_of(count, bins=32):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, bins, 256), generator=generator, dtype=torch.uint8)


@pytest.fixture
def trained():
    """A network of which every part does something."""
    torch.manual_seed(0)
    model = AudioAutoencoder(32, 16, channels=CHANNELS)
    model.principal.fit(windows_of(4).numpy())
    with torch.no_grad():
        for values in model.parameters():
            values.add_(0.02 * torch.randn_like(values))
    return model.eval()


def test_training_begins_where_principal_components_end():
    torch.manual_seed(0)
    model = AudioAutoencoder(8, 24, channels=CHANNELS).eval()
    generator = np.random.default_rng(0)
    mixture = generator.normal(size=(24, 8 * 16)) / 60.0
    drawn = np.clip(0.5 + generator.normal(size=(40, 16, 24)) @ mixture, 0.0, 1.0)  # 24 directions are all
    windows = drawn.reshape(40, 16, 8, 16).swapaxes(1, 2).reshape(40, 8, 256)
    model.principal.fit(np.round(255.0 * windows).astype(np.uint8))
    with torch.inference_mode():
        decoded, latents, _ = model(torch.from_numpy(windows).float())
    np.testing.assert_allclose(decoded.numpy(), windows, atol=0.01)
    rows = latents.numpy().swapaxes(1, 2).reshape(-1, 24)
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(24), atol=0.02)
    with pytest.raises(ValueError, match="have 128 components, not 129"):
        AudioAutoencoder(8, 129, channels=CHANNELS)


def test_the_service_computes_what_was_trained(trained):
    weights = exported_weights(trained)
    assert {name: value.shape for name, value in weights.items()} == weight_shapes(32, CHANNELS, 16)
    windows = windows_of(2) / 255.0
    with torch.inference_mode():
        decoded, latents, log_variances = trained(windows)
    assert log_variances is None
    network = AutoencoderNetwork(weights)
    rows = latents.numpy().swapaxes(1, 2)
    assert rows.shape == (2, 16, 16)
    np.testing.assert_allclose(network.encode(windows.numpy()), rows, atol=1e-4)
    np.testing.assert_allclose(network.decode(rows), decoded.clamp(0.0, 1.0).numpy(), atol=1e-4)


def test_a_variational_one_draws_while_it_learns_and_tells_its_divergence():
    torch.manual_seed(0)
    model = AudioAutoencoder(32, 16, channels=CHANNELS, variational=True, dropout=0.0)
    objective = ReconstructionObjective(l1_weight=0.5, divergence_weight=0.01)
    terms = objective(model, windows_of(4), torch.Generator().manual_seed(1))
    assert set(terms) == {"mse", "mel_l1", "divergence"}
    model.eval()
    model.principal.fit(windows_of(4).numpy())
    windows = windows_of(2) / 255.0
    mean, latents, log_variances = model(windows)
    drawn, *_ = model(windows, torch.ones(2, 16, 16))
    assert log_variances.shape == latents.shape == (2, 16, 16)
    assert not torch.equal(mean, drawn)
    assert AutoencoderNetwork(exported_weights(model)).latent_dimension == 16


def test_the_terms_are_the_errors():
    torch.manual_seed(0)
    model = AudioAutoencoder(32, 16, channels=CHANNELS, dropout=0.0).eval()
    batch = windows_of(4)
    terms = ReconstructionObjective(l1_weight=0.5, divergence_weight=1.0)(
        model, batch, torch.Generator().manual_seed(1)
    )
    target = shifted(batch / 255.0, torch.Generator().manual_seed(1))
    difference = model(target)[0] - target
    torch.testing.assert_close(terms["mse"], difference.square().mean())
    torch.testing.assert_close(terms["mel_l1"], 0.5 * difference.abs().mean())


def test_shifts_turn_time_around_and_let_pitch_go():
    windows = torch.rand(16, 32, 256, generator=torch.Generator().manual_seed(2)) + 0.1
    moved = shifted(windows, torch.Generator().manual_seed(3))
    assert moved.shape == windows.shape
    for before, after in zip(windows, moved, strict=True):
        lost = int((after == 0.0).all(dim=1).sum())
        assert lost <= 4
        kept = after[after.any(dim=1)].sum(dim=1)
        assert (kept[:, None] - before.sum(dim=1)).abs().min(dim=1).values.max() < 1e-3
    assert not torch.equal(moved, windows)

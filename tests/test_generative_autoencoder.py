"""Laws of autoencoders: what they keep, what corruption and sparsity do, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from generative.autoencoder import Autoencoder, Corruption, Sparsity
from generative.coders import Convolutional, Dense
from generative.training import Training

SMALL = Dense((32,))
BRIEF = Training(epochs=2, batch_size=64)
LONGER = Training(epochs=40, batch_size=64, learning_rate=3e-3, schedule="cosine")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def digits() -> Tensor:
    """Pixels (1797, 64) in [0, 1]."""
    return torch.tensor(load_digits().data, dtype=torch.float32) / 16


def vectors() -> Tensor:
    return torch.randn(256, 6, generator=generator()) @ torch.randn(6, 6, generator=generator(1))


def test_it_keeps_more_than_principal_components() -> None:
    x = digits()
    train, test = x[:1400], x[1400:]
    model = Autoencoder(64, 4, network=Dense((128,))).fit(
        train, training=LONGER, generator=generator()
    )
    mean = train.mean(0)
    directions = torch.linalg.svd(train - mean, full_matrices=False)[2][:4]
    projected = mean + (test - mean) @ directions.T @ directions
    error = (model.reconstruct(test) - test).square().mean()
    assert error < 0.9 * (projected - test).square().mean()
    drawn = model.sample(200, generator())
    nearest = torch.cdist(drawn, train).min(1).values.mean()
    noise = torch.rand(200, 64, generator=generator())
    assert nearest < 0.5 * torch.cdist(noise, train).min(1).values.mean()


def test_a_denoising_one_brings_data_back() -> None:
    x = digits()
    model = Autoencoder(64, 16, network=Dense((128,)), corruption=Corruption(noise=0.4))
    model.fit(x[:1400], training=LONGER, generator=generator())
    noisy = Corruption(noise=0.4)(x[1400:], generator(1))
    error = (model.reconstruct(noisy) - x[1400:]).square().mean()
    assert error < 0.35 * 0.4**2
    plain = Autoencoder(64, 16, network=Dense((128,)))
    plain.fit(x[:1400], training=LONGER, generator=generator())
    assert error < 0.9 * (plain.reconstruct(noisy) - x[1400:]).square().mean()


def test_a_masking_one_completes() -> None:
    x = digits()
    model = Autoencoder(64, 16, network=Dense((128,)), corruption=Corruption(masked=0.4))
    model.fit(x[:1400], training=LONGER, generator=generator())
    mask = torch.rand(397, 64, generator=generator()) < 0.7
    holes = torch.where(mask, x[1400:], torch.nan)
    whole = model.impute(holes, mask)
    assert torch.equal(whole[mask], x[1400:][mask])
    error = (whole - x[1400:])[~mask].square().mean()
    assert error < 0.6 * (x[:1400].mean(0) - x[1400:])[~mask].square().mean()


def test_corruption_has_the_strength_it_says() -> None:
    ones = torch.ones(100, 1000)
    assert Corruption(masked=0.3)(ones, generator()).mean() == pytest.approx(0.7, abs=0.01)
    assert Corruption(noise=0.3)(ones, generator()).std() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(Corruption()(ones), ones)


def test_sparse_codes_are_sparse() -> None:
    x = vectors()
    model = Autoencoder(6, 12, network=SMALL, sparsity=Sparsity(weight=300.0, target=0.1))
    model.fit(x, training=LONGER, generator=generator())
    z = model.encode(x)
    assert ((z > 0) & (z < 1)).all()
    assert torch.allclose(z.mean(0), torch.full((12,), 0.1), atol=0.05)
    price = Sparsity(target=0.1)
    assert price.penalty(torch.full((4, 3), 0.1)).item() == pytest.approx(0, abs=1e-6)
    exact = torch.distributions.kl_divergence(
        torch.distributions.Bernoulli(0.1), torch.distributions.Bernoulli(0.6)
    )
    assert price.penalty(torch.full((4, 1), 0.6)) == pytest.approx(exact.item())


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda m, x: Autoencoder(6, 0), "width=0"),
        (lambda m, x: Corruption(noise=-1), "noise=-1"),
        (lambda m, x: Corruption(masked=2), "masked=2"),
        (lambda m, x: Sparsity(target=1), "target=1"),
        (lambda m, x: Sparsity(weight=0), "positive"),
        (lambda m, x: Convolutional(()).encoder((1, 8, 8), 0), "at least one"),
        (lambda m, x: Autoencoder(6, 2).reconstruct(x), "not fitted"),
        (lambda m, x: m.encode(x[:, :4]), "6"),
        (lambda m, x: m.decode(torch.zeros(2, 3), x[:2]), "context"),
        (lambda m, x: m.impute(x, x > -1e9), "masked values"),
    ],
)
def test_wrong_input_is_one_sentence(
    act: Callable[[Autoencoder, Tensor], object], message: str
) -> None:
    x = vectors()
    model = Autoencoder(6, 3, network=SMALL).fit(x, training=BRIEF, generator=generator())
    with pytest.raises(ValueError, match=message) as error:
        act(model, x)
    assert "\n" not in str(error.value)

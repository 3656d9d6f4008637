"""Laws of the sequence VAE, on sines and linear systems."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from generative.batches import Batch
from generative.chain import Chain
from generative.preprocessing import DropConstant, Standardise
from generative.sequence_vae import SequenceVAE
from generative.training import Moment, Training

T, D = 12, 3
MOMENT = Moment(0, 0, 1, 1)
TRAINING = Training(epochs=30, batch_size=64, learning_rate=1e-2, schedule="cosine")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sines(n: int = 512, seed: int = 0) -> Tensor:
    """Circles run through from a random phase, and a value that never varies (n, T, D)."""
    g = generator(seed)
    phase = 0.6 * torch.arange(T) + 2 * math.pi * torch.rand(n, 1, generator=g)
    x = torch.stack([3 * phase.sin(), 5 + phase.cos(), torch.full_like(phase, 7.0)], 2)
    x[..., :2] += 0.05 * torch.randn(n, T, 2, generator=g)
    return x


def preprocessing() -> Chain:
    return Chain(DropConstant(), Standardise())


def small(**settings: int) -> SequenceVAE:
    torch.manual_seed(0)
    given = {"latent": 3, "hidden": 12, "components": 4} | settings
    return SequenceVAE(2, T, preprocessing=preprocessing(), **given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def model() -> SequenceVAE:
    return small().fit(sines(), training=TRAINING, generator=generator())


def standardised(x: Tensor) -> Tensor:
    """In units of each dimension's spread over all phases."""
    return (x[..., :2] - torch.tensor([0.0, 5.0])) / torch.tensor([3.0, 1.0]) * math.sqrt(2)


def error(a: Tensor, b: Tensor) -> float:
    return float((standardised(a) - standardised(b)).square().mean())


def test_it_learns_sines(model: SequenceVAE) -> None:
    x = sines(seed=1)
    assert error(model.reconstruct(x), x) < 0.05
    drawn = standardised(model.sample(500, generator()))
    radius = drawn.square().sum(2).sqrt() / math.sqrt(2)
    assert radius.mean() == pytest.approx(1, abs=0.05)
    assert radius.std() < 0.2
    turns = torch.atan2(drawn[..., 0], drawn[..., 1]).diff(dim=1).remainder(2 * math.pi)
    assert turns.mean() == pytest.approx(0.6, abs=0.05)
    start = drawn[:, 0].mean(0)
    assert start.abs().max() < 0.2  # all phases


def test_it_forecasts_sines(model: SequenceVAE) -> None:
    x = sines(seed=1)
    forecast = model.predict(x[:, :6], 6)
    assert error(forecast, x[:, 6:]) < 0.1
    last = x[:, 5:6].expand_as(forecast)
    for step in range(6):
        assert error(forecast[:, step], x[:, 6 + step]) < error(last[:, step], x[:, 6 + step])


def test_it_imputes_what_is_hidden(model: SequenceVAE) -> None:
    x = sines(seed=1)
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, :, 0] = False
    mask[:, 3:6, 1] = False
    holes = x.where(mask, torch.nan)
    filled = model.impute(holes, mask)
    assert torch.equal(filled[mask], x[mask])
    assert error(filled, x) < 0.3
    drawn = model.impute(holes, mask, draw=True, generator=generator())
    assert torch.equal(drawn[mask], x[mask])
    assert not torch.equal(drawn, filled)


def test_a_linear_system_is_forecast_nearly_as_well_as_can_be() -> None:
    turn = 0.95 * torch.tensor([[math.cos(0.5), -math.sin(0.5)], [math.sin(0.5), math.cos(0.5)]])
    g = generator()
    steps = [torch.randn(640, 2, generator=g)]
    for _ in range(30):
        steps.append(steps[-1] @ turn.T + 0.3 * torch.randn(640, 2, generator=g))
    x = torch.stack(steps[-T:], 1)
    system = SequenceVAE(2, T, 4, hidden=16, components=4, preprocessing=Standardise())
    system.fit(x[:512], training=TRAINING, generator=generator())
    held = x[512:]
    forecast = system.predict(held[:, :8], 4)
    best, expected = held[:, 7], 0.0
    for step in range(4):
        best = best @ turn.T
        expected += 0.09 * 0.95 ** (2 * step)  # the variance that nobody can know
        ours = float((forecast[:, step] - held[:, 8 + step]).square().mean())
        assert ours < 1.5 * expected
        assert ours < 0.7 * float((held[:, 7] - held[:, 8 + step]).square().mean())


@pytest.mark.parametrize("garbage", [0.0, 1e6, math.nan])
def test_padding_never_counts(model: SequenceVAE, garbage: float) -> None:
    x, lengths = sines(8, seed=2), torch.tensor([1, 3, 5, 6, 7, 8, 8, 2])
    beyond = torch.arange(T) >= lengths[:, None]
    padded = x.masked_fill(beyond[..., None], garbage)

    def told(x: Tensor) -> list[Tensor]:
        mask = torch.rand(x.shape, generator=generator()) < 0.8
        mask[:, 0] = True
        z = model.encode(x, lengths=lengths)
        return [
            z.mean,
            z.stddev,
            model.elbo(x, lengths=lengths, generator=generator()),
            model.log_prob_is(x, 3, lengths=lengths, generator=generator()),
            model.reconstruct(x, lengths=lengths)[:, :8],
            model.predict(x, 2, lengths=lengths),
            model.impute(x, mask, lengths=lengths)[:, :8],
        ]

    for ours, theirs in zip(told(padded), told(x), strict=True):
        assert torch.equal(ours, theirs)
    for ours, theirs in zip(told(padded[:, :8]), told(x), strict=True):
        assert ours.shape == theirs.shape
    alone = model.elbo(x[1:2, :3], generator=generator())
    whole = model.elbo(padded[1:2], lengths=[3], generator=generator())
    torch.testing.assert_close(alone, whole)
    assert (model.reconstruct(padded, lengths=lengths)[beyond] == 0).all()


def test_padding_does_not_count_in_training() -> None:
    x, lengths = sines(32), torch.arange(32) % T + 1
    junk = x.masked_fill((torch.arange(T) >= lengths[:, None])[..., None], 1e6)
    both = [
        small().fit(each, lengths=lengths, training=Training(epochs=2), generator=generator())
        for each in (x, junk)
    ]
    for a, b in zip(*(each.state_dict().values() for each in both), strict=True):
        assert torch.equal(a, b)


def test_bounds(model: SequenceVAE) -> None:
    x = sines(64, seed=3)
    elbo = model.elbo(x, draws=50, generator=generator()).mean()
    some = model.log_prob_is(x, 5, generator=generator()).mean()
    more = model.log_prob_is(x, 200, generator=generator()).mean()
    assert elbo < some < more


def test_a_change_of_units_moves_densities() -> None:
    x, units, brief = sines(64), torch.tensor([1.0, 128.0, 1.0]), Training(epochs=2)
    a, b = (
        small().fit(each, training=brief, generator=generator()).elbo(each, generator=generator())
        for each in (x, x * units)
    )
    torch.testing.assert_close(b, a - T * math.log(128), atol=0.05, rtol=0)


def test_where_z_says_nothing_the_density_is_known() -> None:
    plain = small(components=0)
    x = sines(4)
    plain.fit(x, training=Training(epochs=1), generator=generator())
    with torch.no_grad():
        plain.decoder.start.weight.zero_()
    windows = plain.windows(plain.preprocessed(plain.as_batch(x))[0])
    _, log_det = plain.preprocessed(plain.as_batch(x))
    exact = plain.log_likelihood(torch.zeros(1, 4, 3), windows)[0] + log_det
    gap = plain.posterior(windows).kl(torch.empty(0), torch.empty(0))
    elbo = plain.elbo(x, draws=4000, generator=generator())
    torch.testing.assert_close(elbo, exact - gap, atol=0.1, rtol=0)
    bound = plain.log_prob_is(x, 4000, generator=generator())
    torch.testing.assert_close(bound, exact.detach(), atol=0.05, rtol=0)


def test_rows_do_not_see_each_other(model: SequenceVAE) -> None:
    x, order = sines(20), torch.randperm(20, generator=generator())
    for verb in (model.reconstruct, lambda x: model.predict(x[:, :5], 3)):
        torch.testing.assert_close(verb(x[order]), verb(x)[order])
    torch.testing.assert_close(model.encode(x[order]).mean, model.encode(x).mean[order])


def test_every_parameter_gets_a_gradient() -> None:
    net = small(context=1)
    net.preprocessing.fit(sines().flatten(0, 1))
    batch = net.preprocessed(Batch(sines(), torch.ones(512, 1)))[0]
    with torch.no_grad():  # starts at 0, and lets nothing through
        net.decoder.loudness.weight.normal_(0, 0.1)
    net.loss(batch, MOMENT, generator())["loss"].backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_saved_model_is_the_same(model: SequenceVAE, tmp_path: Path) -> None:
    model.save(tmp_path / "model.zip")
    again = SequenceVAE.load(tmp_path / "model.zip")
    x = sines(5)
    assert torch.equal(again.elbo(x, generator=generator()), model.elbo(x, generator=generator()))
    assert torch.equal(again.sample(4, generator()), model.sample(4, generator()))
    assert torch.equal(again.predict(x[:, :4], 3), model.predict(x[:, :4], 3))


def test_shapes_and_draws(model: SequenceVAE) -> None:
    x = sines(5)
    assert model.sample(4, generator()).shape == (4, T, D)
    assert (model.sample(4, generator())[..., 2] == 7).all()
    assert model.sample(4, generator(), steps=3).shape == (4, 3, D)
    smooth = model.sample(4, generator(), means=True)
    assert (
        smooth.diff(dim=1).diff(dim=1).norm()
        < model.sample(4, generator()).diff(dim=1).diff(dim=1).norm()
    )
    decoded = model.decode(model.encode(x).mean)
    assert (decoded.batch_shape, decoded.event_shape) == ((5,), (T, 2))
    futures = [model.predict(x[:, :4], 3, draw=True, generator=generator(i)) for i in (0, 0, 1)]
    assert torch.equal(futures[0], futures[1])
    assert not torch.equal(futures[0], futures[2])
    assert model.activity(sines()).shape == (3,)


def test_conditions_are_followed() -> None:
    x, which = sines(), (torch.arange(512) % 2)[:, None]
    x[..., 1] = torch.where(which == 1, -x[..., 1], x[..., 1])
    net = small(context=1, components=0)
    net.fit(x, context=which, training=TRAINING, generator=generator())
    for label in (0, 1):
        drawn = net.sample(100, generator(), torch.full((100, 1), float(label)))
        assert drawn[..., 1].mean() == pytest.approx(5 - 10 * label, abs=1.0)


def test_collapse_is_told(caplog: pytest.LogCaptureFixture, model: SequenceVAE) -> None:
    with caplog.at_level(logging.INFO, "generative"):
        model.after_fit(model.as_batch(sines()))
        assert "of 3 latent variables are active." in caplog.text
        net = small().fit(sines(32), training=Training(epochs=1), generator=generator())
        with torch.no_grad():
            net.head.linear.weight.zero_()
        net.after_fit(net.as_batch(sines()))
    assert "0 of 3 latent variables are active: the posterior has collapsed" in caplog.text

"""VAE/GAN and alpha-GAN: what each player minimises, and that codes tell their rows."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from toy_families import generator

from generative import Batch, Moment, Training
from generative.alpha_gan import AlphaGAN
from generative.coded_gan import CodedGAN
from generative.coders import Dense
from generative.games import PLAIN, WASSERSTEIN, Game
from generative.vae_gan import VAEGAN

NET = Dense((16,), "tanh")
NOW = Moment(0, 0, 1, 10)


def rows(n: int = 64) -> Tensor:
    """Points (n, 3) on a curved line, and a little beside it."""
    t = 4 * torch.rand(n, generator=generator(1)) - 2
    curve = torch.stack([t, t.sin(), t.cos()], 1)
    return curve + 0.05 * torch.randn(n, 3, generator=generator(2))


def test_what_is_made_of_codes_is_judged_too() -> None:
    model, batch = VAEGAN(3, 2, network=NET), Batch(rows())
    fake = model.fakes(batch, generator())
    assert fake.shape == (128, 3)
    told = model.critic_loss(batch, generator())
    torch.testing.assert_close(told["fake"], model.critic(fake).mean())


@pytest.mark.parametrize("game", [PLAIN, WASSERSTEIN])
def test_vae_gan_by_hand(game: Game) -> None:
    model, batch = VAEGAN(3, 2, network=NET, game=game, fidelity=0.3), Batch(rows())
    posterior = model.posterior(batch)
    z, log_q = posterior.sample(1, generator())
    features = model.critic.features(batch.x)
    gap = model.critic.features(model.generator(z[0])) - features
    nll = (gap.square() / (2 * features.var(0, correction=0).mean())).sum(1).mean()
    expected = nll + posterior.kl(z, log_q).mean()
    told = model.loss(batch, NOW, generator(), "encoder")
    torch.testing.assert_close(told["loss"], expected)
    told = model.loss(batch, NOW, generator(), "generator")
    fooling = model.fooling(batch, model.fakes(batch, generator()))["loss"]
    torch.testing.assert_close(told["loss"], fooling + 0.3 * told["lost"])
    assert model.lost(batch, batch.x) == 0


def test_alpha_gans_code_critic_wants_high_logits_for_drawn_codes() -> None:
    model, batch = AlphaGAN(3, 2, network=NET), Batch(rows())
    parameters = model.players()["code critic"]
    codes, drawn = model.coded(batch, None).detach(), model.codes_drawn(64, generator())

    def gap() -> Tensor:
        return (model.code_critic(drawn).mean() - model.code_critic(codes).mean()).detach()

    before = gap()
    loss = model.loss(batch, NOW, generator(), "code critic")["loss"]
    for each, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        each.data -= 1e-3 * slope
    assert gap() > before


def test_alpha_gans_encoder_fools_the_code_critic_and_keeps_rows() -> None:
    model, batch = AlphaGAN(3, 2, network=NET, fidelity=4.0), Batch(rows())
    z = model.coded(batch, None)
    error = (model.generator(z) - batch.x).abs().mean()
    expected = 4 * error + torch.nn.functional.softplus(-model.code_critic(z)).mean()
    torch.testing.assert_close(model.loss(batch, NOW, generator(), "encoder")["loss"], expected)
    assert model.turns(0) == ("critic", "code critic", "encoder", "generator")


@pytest.mark.parametrize("kind", [VAEGAN, AlphaGAN])
def test_rows_are_told_from_their_codes(kind: type[CodedGAN]) -> None:
    torch.manual_seed(0)
    x = rows(512)
    training = Training(epochs=40, batch_size=64, learning_rate=3e-3, schedule="cosine")
    model = kind(3, 2, network=Dense((48,), "leaky_relu"), fidelity=5.0)
    model.fit(x, training=training, generator=generator())
    unseen = rows(600)[512:]
    error = (model.reconstruct(unseen) - unseen).square().mean()
    assert error < 0.15 * (unseen - x.mean(0)).square().mean()
    made = model.sample(500, generator())
    assert (made.std(0) / x.std(0) > 0.5).all()


@pytest.mark.parametrize("kind", [VAEGAN, AlphaGAN])
def test_codes_are_told_by_averaged_weights_as_rows_are_made_by_them(kind: type[CodedGAN]) -> None:
    model = kind(3, 2, network=NET).fit(rows(), training=Training(epochs=1), generator=generator())
    x, codes, made = rows(5), model.codes(Batch(rows(5))), model.reconstruct(rows(5))
    for player in ("encoder", "generator"):
        for weights in getattr(model, player).parameters():
            weights.data.zero_()
    torch.testing.assert_close(model.codes(Batch(x)), codes)
    torch.testing.assert_close(model.reconstruct(x), made)
    model.averages["encoder"].load_state_dict(
        {name: 0 * value for name, value in model.averages["encoder"].state_dict().items()}
    )
    assert (model.codes(Batch(x)) == 0).all()


@pytest.mark.parametrize("kind", [VAEGAN, AlphaGAN])
def test_a_fidelity_of_nothing_is_refused(kind: type[CodedGAN]) -> None:
    with pytest.raises(ValueError, match="was given fidelity=0"):
        kind(3, fidelity=0.0)

"""GANs: players and their turns, averages, penalties and techniques in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy_families import generator, same, values

from generative import VAE, Batch, EnergyModel, Moment, Monitor, Training
from generative.adversarial import bce_loss
from generative.average import Average
from generative.coders import Dense
from generative.critic import Likeness
from generative.dcgan import DCGAN
from generative.games import HINGE, LEAST_SQUARES, PLAIN, WASSERSTEIN, Game, Techniques
from generative.gan import GAN
from generative.pixels import Rescale

GAMES = {"plain": PLAIN, "least squares": LEAST_SQUARES, "hinge": HINGE, "wasserstein": WASSERSTEIN}
NET = Dense((16,), "tanh")
NOW = Moment(0, 0, 1, 10)


def rows(n: int = 64) -> Tensor:
    return torch.randn(n, 2, generator=generator(1)) + torch.tensor([3.0, 0.0])


def model(game: Game = PLAIN, kind: type[GAN] = GAN, **settings: Any) -> GAN:
    """Always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind(2, 3, **({"network": NET, "game": game} | settings))


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_a_step_of_each_player_is_against_the_other(game: Game) -> None:
    made, batch = model(game), Batch(rows())
    made.eval()  # spectral norms stand still
    fake = made.fakes(batch, generator()).detach()

    def gap() -> Tensor:
        return (made.critic(batch.x).mean() - made.critic(fake).mean()).detach()

    def fooled() -> Tensor:
        return made.critic(made.fakes(batch, generator())).mean().detach()

    before = gap()
    descend(made, "critic", batch)
    assert gap() > before
    before = fooled()
    descend(made, "generator", batch)
    assert fooled() > before


def descend(made: GAN, player: str, batch: Batch, size: float = 1e-3) -> None:
    """A short step down the slope of a player's loss, penalties aside."""
    made.game = Game(made.game.loss, spectral_norm=True)  # which asks for no penalty
    parameters = made.players()[player]
    loss = made.loss(batch, NOW, generator(), player)["loss"]
    for each, slope in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
        each.data -= size * slope


class CriticAlone(GAN):
    """The generator never moves."""

    def turns(self, step: int) -> Sequence[str]:
        return ("critic",)


def test_players_move_only_their_own_weights() -> None:
    made = model(kind=CriticAlone)
    before = values(made)
    made.fit(rows(), training=Training(epochs=2), generator=generator())
    after = values(made)
    for name, value in before.items():
        moved = name.startswith("critic.") or name in ("epochs_trained", "row_shape")
        assert torch.equal(value, after[name]) != moved, name
    assert model(WASSERSTEIN).turns(0) == ("critic",) * 5 + ("generator",)
    assert model(HINGE).adam("generator") == {"betas": (0.0, 0.9)}


def test_the_generator_is_judged_on_what_the_critic_was_shown() -> None:
    made, batch = model(), Batch(rows())
    shown = made.shown(batch, generator())
    told = made.generator_loss(Batch(rows(5)), generator(3))
    torch.testing.assert_close(told["loss"], made.fooling(batch, shown)["loss"])
    again = made.generator_loss(batch, generator(3))  # with new rows
    fresh = made.fooling(batch, made.fakes(batch, generator(3)))
    torch.testing.assert_close(again["loss"], fresh["loss"])
    for game in (PLAIN, WASSERSTEIN):
        made = model(game).fit(rows(), training=Training(epochs=1), generator=generator())
        assert made.kept is None


def test_the_average_follows_the_weights_and_samples() -> None:
    net = nn.Linear(2, 2)
    average, expected = Average(net), net.weight.detach().clone()
    for step in range(5):
        net.weight.data += 1.0 + step
        average.update(net, 0.1)
        expected = 0.9 * expected + 0.1 * net.weight.detach()
    torch.testing.assert_close(average.values()["weight"], expected)
    assert not list(average.parameters())

    training = Training(epochs=3, batch_size=8, learning_rate=0.05)
    slow, last = (model(techniques=Techniques(average=a)) for a in (0.999, 0.0))
    for made in (slow, last):
        made.fit(rows(), training=training, generator=generator())
    z = torch.randn(5, 3, generator=generator())
    with torch.no_grad():
        torch.testing.assert_close(last.generate(z), last.generator(z))
        assert not torch.allclose(slow.generate(z), slow.generator(z), atol=1e-3)
        torch.testing.assert_close(slow.generator(z), last.generator(z))  # it changes nothing else


def test_historical_averaging_is_the_distance_from_the_mean_of_the_past() -> None:
    made = model(techniques=Techniques(historical_averaging=0.5, average=0.0))
    past: list[list[Tensor]] = [[p.detach().clone() for p in made.critic.parameters()]]
    for step in range(4):
        for each in made.parameters():
            each.data += 0.1 * (step + 1)
        past.append([p.detach().clone() for p in made.critic.parameters()])
        made.after_step(Moment(0, step, 1, 10))
    means = [torch.stack(each).mean(0) for each in zip(*past, strict=True)]
    pairs = zip(made.critic.parameters(), means, strict=True)
    expected = 0.5 * sum((p - mean).square().sum() for p, mean in pairs)
    with_it = made.critic_loss(Batch(rows()), generator())["loss"]
    plain = model()
    plain.load_state_dict({k: v for k, v in values(made).items() if "history" not in k})
    without = plain.critic_loss(Batch(rows()), generator())["loss"]
    torch.testing.assert_close(with_it - without, expected)


def test_features_match_where_rows_are_the_same() -> None:
    made, batch = model(techniques=Techniques(feature_matching=2.0)), Batch(rows())
    assert made.fooling(batch, batch.x)["features"] < 1e-8
    told = made.fooling(batch, batch.x + 1)
    gap = made.critic.features(batch.x + 1).mean(0) - made.critic.features(batch.x).mean(0)
    torch.testing.assert_close(told["features"], gap.square().sum())
    plain = model().fooling(batch, batch.x + 1)["loss"]
    torch.testing.assert_close(told["loss"], plain + 2 * told["features"])


def test_label_smoothing_is_one_sided() -> None:
    made, batch = model(techniques=Techniques(label_smoothing=0.2)), Batch(rows())
    fake = made.fakes(batch, generator())
    expected = bce_loss(made.critic(batch.x), made.critic(fake), smoothing=0.2)
    torch.testing.assert_close(made.critic_loss(batch, generator())["loss"], expected)


def test_likeness_counts_the_other_rows() -> None:
    likeness, x = Likeness(4, 3), torch.randn(6, 4, generator=generator())
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    torch.testing.assert_close(likeness(x[order]), likeness(x)[order])
    places = likeness.project(x).view(6, 3, 8)
    by_hand = torch.stack([(-(places - p).abs().sum(2)).exp().sum(0) - 1 for p in places])
    torch.testing.assert_close(likeness(x), by_hand)
    torch.testing.assert_close(likeness(x[:1].expand(6, 4)), torch.full((6, 3), 5.0))


class Flat(nn.Module):
    """No features but the row itself."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return x.flatten(1)


def linear(game: Game, shape: Sequence[int]) -> GAN:
    """A GAN whose critic is linear."""
    made = GAN(shape, 3, network=NET, game=game)
    made.critic.encoder = Flat()  # type: ignore[assignment]
    made.critic.head = nn.Linear(math.prod(shape), 1, bias=False)
    return made


@pytest.mark.parametrize("shape", [(4,), (3, 2), (1, 2, 2)])
def test_penalties_of_a_linear_critic(shape: tuple[int, ...]) -> None:
    game = Game("wasserstein", gradient_penalty=10.0, r1_penalty=2.0)
    made = linear(game, shape)
    x = torch.randn(9, *shape, generator=generator())
    told = made.critic_loss(Batch(x), generator())
    norm = made.critic.head.weight.norm()
    torch.testing.assert_close(told["penalty"], (norm - 1) ** 2)
    torch.testing.assert_close(told["r1"], norm**2)
    expected = told["fake"] - told["real"] + 10 * (norm - 1) ** 2 + 2 * norm**2
    torch.testing.assert_close(told["loss"], expected)


def test_spectral_norms_become_one() -> None:
    made = GAN((1, 8, 8), 3, network=DCGAN(4, critic_norm=False), game=HINGE)
    x = torch.rand(4, 1, 8, 8, generator=generator())
    for _ in range(60):
        made.critic(x)
    for layer in made.critic.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            largest = torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.02)


def test_rows_in_one_pass_are_judged_as_in_two() -> None:
    made, batch, fake = model(context=2), Batch(rows(), rows()), rows() + 1
    real, false = made.verdicts(batch, torch.cat([fake, fake]))
    torch.testing.assert_close(real, made.critic(batch.x, batch.context))
    torch.testing.assert_close(false[64:], made.critic(fake, batch.context))


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 28, 28), (1, 32, 48), (2, 64, 64), (32, 5)])
@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("hidden", [0, 4])
def test_convolutions_make_and_judge_rows_of_a_shape(
    shape: tuple[int, ...], context: int, hidden: int
) -> None:
    given = torch.zeros(2, context) if context else None
    made = GAN(shape, 5, network=DCGAN(2, hidden=hidden), context=context)
    z = torch.randn(2, 5, generator=generator())
    x = made.generator(z, given)
    assert x.shape == (2, *shape)
    assert made.critic(x, given).shape == (2,)


@pytest.mark.parametrize("norm", [True, False])
def test_signals_keep_their_size_through_a_critic(norm: bool) -> None:
    torch.manual_seed(0)
    critic = DCGAN(8, critic_norm=norm).encoder((1, 32, 32), 0)
    features = critic(torch.randn(64, 1, 32, 32, generator=generator()))
    assert 0.3 < features.square().mean().sqrt() < 3


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_half_precision_learns_with_penalties_and_norms(game: Game) -> None:
    made = model(game)
    with torch.autocast("cpu", torch.bfloat16):
        made.fit(rows(), training=Training(epochs=2, batch_size=16), generator=generator())
    assert all(each.dtype == torch.float32 for each in made.parameters())
    before = dict(model(game).named_parameters())
    moved = [(each - before[name]).abs().max() for name, each in made.named_parameters()]
    assert max(moved) > 1e-4


@pytest.mark.parametrize("family", [VAE, EnergyModel])
def test_other_families_with_these_convolutions_are_saved(family: Any, tmp_path: Path) -> None:
    x = torch.rand(8, 1, 8, 8, generator=generator())
    shape = {VAE: ((1, 8, 8), 2), EnergyModel: ((1, 8, 8),)}[family]
    made = family(*shape, network=DCGAN(2, critic_norm=False)).fit(x, training=Training(epochs=1))
    made.save(tmp_path / "model.zip")
    assert same(values(family.load(tmp_path / "model.zip")), values(made))


def test_a_context_says_which_rows() -> None:
    side = torch.where(torch.arange(512) % 2 == 0, 1.0, -1.0)[:, None]
    x = 2 * side + 0.3 * torch.randn(512, 2, generator=generator())
    training = Training(epochs=40, batch_size=64, learning_rate=5e-3)
    made = model(LEAST_SQUARES, context=1, network=Dense((32,), "leaky_relu"))
    made.fit(x, context=side, training=training, generator=generator())
    drawn = made.sample(200, generator(), context=side[:200])
    assert ((drawn.mean(1) > 0) == (side[:200, 0] > 0)).float().mean() > 0.95
    assert (made.judge(x, side).mean() > made.judge(-x, side).mean()).item()


def test_training_goes_on_exactly_where_it_was(tmp_path: Path) -> None:
    settings = {"techniques": Techniques(1.0, 2, 0.1, 0.1)}
    monitor = Monitor(checkpoint=tmp_path / "training.zip")
    whole, first, second = (model(**settings) for _ in range(3))  # type: ignore[arg-type]
    whole.fit(rows(), training=Training(epochs=4, batch_size=16), generator=generator())
    short = Training(epochs=2, batch_size=16)
    first.fit(rows(), training=short, monitor=monitor, generator=generator())
    again = Training(epochs=4, batch_size=16)
    second.fit(rows(), training=again, monitor=monitor, generator=generator(7))
    assert same(values(whole), values(second))


def test_rescaling_goes_there_and_back() -> None:
    x = torch.rand(5, 3, generator=generator()) * 255
    rescale = Rescale(0, 255)
    y, log_det = rescale(x)
    torch.testing.assert_close(rescale.inverse(y), x)
    assert y.abs().max() <= 1 + 1e-6
    torch.testing.assert_close(log_det, torch.full((5,), 3 * math.log(2 / 255)))

"""Laws of the adversarial losses and penalties: signs, reference values, closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from generative import (
    AdversarialLoss,
    discriminator_loss,
    entropy_bonus,
    generator_loss,
    gradient_penalty,
    logit_penalty,
    mlp,
    r1_penalty,
)
from generative.adversarial import bce_loss, interpolate, saturating_loss

KINDS: list[AdversarialLoss] = ["bce", "least_squares", "hinge", "wasserstein"]


def logits(rows: int = 64) -> Tensor:
    """Logits in (-0.9, 0.9), where every loss still has a slope."""
    return torch.empty(rows).uniform_(-0.9, 0.9).requires_grad_()


@pytest.mark.parametrize("kind", KINDS)
def test_discriminator_wants_high_logits_for_real_and_low_for_fake(kind: AdversarialLoss) -> None:
    real, fake = logits(), logits(32)
    loss = discriminator_loss(kind, real, fake)
    assert loss.shape == ()
    loss.backward()
    assert real.grad is not None
    assert fake.grad is not None
    assert (real.grad < 0).all()
    assert (fake.grad > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_generator_wants_high_logits(kind: AdversarialLoss) -> None:
    fake = logits()
    generator_loss(kind, fake).backward()
    assert fake.grad is not None
    assert (fake.grad < 0).all()


def test_saturating_loss_wants_high_logits_and_is_flat_where_the_generator_fails() -> None:
    fake = torch.tensor([-20.0, 0.0], requires_grad=True)
    saturating_loss(fake).backward()
    assert fake.grad is not None
    assert fake.grad[1] < fake.grad[0] < 0
    assert abs(fake.grad[0]) < 1e-8


@pytest.mark.parametrize("kind", KINDS)
def test_losses_do_not_depend_on_the_order_or_the_shape_of_rows(kind: AdversarialLoss) -> None:
    real, fake = torch.randn(2, 12)
    loss = discriminator_loss(kind, real, fake)
    shuffled = discriminator_loss(kind, real.flip(0)[:, None], fake.flip(0).view(3, 4))
    torch.testing.assert_close(shuffled, loss)


@pytest.mark.parametrize(
    ("kind", "value", "generator_value"),
    [
        ("bce", math.log1p(math.exp(-2)) + math.log1p(math.exp(0.5)), math.log1p(math.exp(-0.5))),
        ("least_squares", 0.5 * (1 + 2.25), 0.5 * 0.25),
        ("hinge", 1.5, -0.5),
        ("wasserstein", -1.5, -0.5),
    ],
)
def test_values_at_a_point(kind: AdversarialLoss, value: float, generator_value: float) -> None:
    real, fake = torch.tensor([2.0]), torch.tensor([0.5])
    assert discriminator_loss(kind, real, fake).item() == pytest.approx(value, rel=1e-6)
    assert generator_loss(kind, fake).item() == pytest.approx(generator_value, rel=1e-6)


@pytest.mark.parametrize(("smoothing", "fake_smoothing"), [(0.0, 0.0), (0.1, 0.0), (0.2, 0.3)])
def test_bce_is_torchs(smoothing: float, fake_smoothing: float) -> None:
    real, fake = 5 * torch.randn(2, 40)
    expected = F.binary_cross_entropy_with_logits(
        real, torch.full_like(real, 1 - smoothing)
    ) + F.binary_cross_entropy_with_logits(fake, torch.full_like(fake, fake_smoothing))
    torch.testing.assert_close(bce_loss(real, fake, smoothing, fake_smoothing), expected)
    by_kind = discriminator_loss("bce", real, fake, smoothing, fake_smoothing)
    torch.testing.assert_close(by_kind, expected)


def test_smoothing_puts_the_optimum_at_the_smoothed_label() -> None:
    logit = torch.tensor(math.log(0.9 / 0.1), requires_grad=True)
    bce_loss(logit, torch.zeros(1), smoothing=0.1).backward()
    assert logit.grad is not None
    assert abs(logit.grad) < 1e-6


def test_bce_keeps_its_precision_at_huge_logits() -> None:
    huge = torch.tensor([1e4])
    assert bce_loss(huge, -huge) == 0
    assert bce_loss(-huge, huge) == 2e4
    assert bce_loss(torch.tensor([30.0]), -huge).item() == pytest.approx(math.exp(-30))


def test_unknown_losses_and_bad_smoothing_are_refused() -> None:
    x = torch.zeros(2)
    for call in (lambda: discriminator_loss("mse", x, x), lambda: generator_loss("mse", x)):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="'mse'; expected one of bce, least_squares"):
            call()
    with pytest.raises(ValueError, match="hinge loss, which has no labels"):
        discriminator_loss("hinge", x, x, 0.1)
    for smoothing in (-0.1, 0.5, math.nan):
        with pytest.raises(ValueError, match="at least 0 and below"):
            discriminator_loss("bce", x, x, smoothing)


class Linear(nn.Module):
    """A critic (B, ...) -> (B,) whose gradient is its weight, everywhere."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features))

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.weight


@pytest.mark.parametrize("shape", [(3,), (1, 2, 2)])
@pytest.mark.parametrize("target", [0.0, 1.0, 2.5])
def test_penalties_of_a_linear_critic(shape: tuple[int, ...], target: float) -> None:
    critic = Linear(math.prod(shape))
    real, fake = torch.randn(2, 10, *shape)
    norm = torch.linalg.vector_norm(critic.weight)
    penalty = gradient_penalty(critic, real, fake, target=target)
    torch.testing.assert_close(penalty, (norm - target) ** 2)
    torch.testing.assert_close(r1_penalty(critic, real), norm**2)


def test_penalties_differentiate_to_their_closed_forms() -> None:
    critic = Linear(4)
    weight, norm = critic.weight, torch.linalg.vector_norm(critic.weight)
    real, fake = torch.randn(2, 10, 4)
    (gradient,) = torch.autograd.grad(gradient_penalty(critic, real, fake), weight)
    torch.testing.assert_close(gradient, 2 * (norm - 1) * weight / norm)
    (gradient,) = torch.autograd.grad(r1_penalty(critic, real), weight)
    torch.testing.assert_close(gradient, 2 * weight)


def test_gradient_penalty_is_finite_where_the_critic_is_flat() -> None:
    critic = Linear(4)
    nn.init.zeros_(critic.weight)
    penalty = gradient_penalty(critic, torch.randn(5, 4), torch.randn(5, 4))
    penalty.backward()
    assert penalty == 1
    assert critic.weight.grad is not None
    assert critic.weight.grad.isfinite().all()


def test_penalties_leave_their_rows_alone_and_work_without_gradients() -> None:
    critic = mlp(4, [16], 1)
    real, fake = torch.randn(2, 10, 4)
    with torch.no_grad():
        penalty = gradient_penalty(lambda x: critic(x).squeeze(1), real, fake)
    assert not penalty.requires_grad
    real.requires_grad_()
    r1_penalty(lambda x: critic(x).squeeze(1), real).backward()
    assert real.grad is None
    assert critic[0].weight.grad.any()


def test_penalties_run_the_critic_once() -> None:
    calls = []

    def critic(x: Tensor) -> Tensor:
        calls.append(len(x))
        return x.square().sum(1)

    real, fake = torch.randn(2, 6, 3)
    gradient_penalty(critic, real, fake)
    r1_penalty(critic, real)
    assert calls == [6, 6]


def test_interpolates_lie_between_their_rows_and_follow_the_generator() -> None:
    real, fake = torch.randn(2, 50, 3)
    mixed = interpolate(real, fake, torch.Generator().manual_seed(3)).detach()
    weight = (mixed - fake) / (real - fake)
    assert ((weight > -1e-4) & (weight < 1 + 1e-4)).all()
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight), atol=1e-3, rtol=0)
    again = interpolate(real, fake, torch.Generator().manual_seed(3)).detach()
    assert torch.equal(mixed, again)


def test_rows_that_do_not_pair_up_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(8, 3\) and fake rows \(7, 3\)"):
        gradient_penalty(Linear(3), torch.zeros(8, 3), torch.zeros(7, 3))


def test_entropy_is_bernoullis_and_greatest_at_zero() -> None:
    x = torch.linspace(-6, 6, 25)
    expected = torch.distributions.Bernoulli(logits=x.double()).entropy()
    found = torch.stack([entropy_bonus(value) for value in x])
    torch.testing.assert_close(found, expected.float())
    assert found.argmax() == 12
    assert found[12].item() == pytest.approx(math.log(2))
    assert entropy_bonus(torch.tensor([30.0])).item() == pytest.approx(31 * math.exp(-30), rel=1e-4)
    assert entropy_bonus(torch.tensor([-1e4, 1e4])) == 0


def test_logit_penalty_pulls_towards_zero() -> None:
    x = torch.randn(9, requires_grad=True)
    logit_penalty(x).backward()
    assert x.grad is not None
    assert (x.grad * x > 0).all()

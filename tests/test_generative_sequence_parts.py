"""Laws of what the sequence VAE is made of, and of its wrong input."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from generative.autoregression import AutoregressiveNoise
from generative.preprocessing import Whiten
from generative.sequence_vae import SequenceVAE
from generative.training import Training
from generative.windows import cut_windows, hide_at_random


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def known_noise() -> AutoregressiveNoise:
    """Two dimensions that turn and shrink, with correlated innovations."""
    noise = AutoregressiveNoise(2).double()
    noise.transition.copy_(torch.tensor([[0.8, -0.4], [0.3, 0.6]]))
    noise.innovation.copy_(torch.tensor([[0.5, 0.0], [0.3, 0.2]]))
    noise.start.copy_(torch.tensor([[1.0, 0.0], [-0.5, 0.7]]))
    return noise


def joint(noise: AutoregressiveNoise, std: Tensor) -> MultivariateNormal:
    """The Gaussian of all residuals at once, for sizes (T, D): r = M e with e independent."""
    steps, size = std.shape
    rows = []
    for t in range(steps):
        row = [torch.zeros(size, size).double() for _ in range(steps)]
        for s in range(t + 1):
            factor = noise.innovation if s else noise.start
            power = torch.linalg.matrix_power(noise.transition, t - s)
            row[s] = power @ torch.diag(std[s]) @ factor
        rows.append(torch.cat(row, 1))
    matrix = torch.cat(rows)
    return MultivariateNormal(torch.zeros(steps * size).double(), matrix @ matrix.T)


def test_the_density_of_noise_is_that_of_one_gaussian() -> None:
    noise, g = known_noise(), generator()
    std = torch.rand(4, 2, generator=g).double() + 0.5
    r = torch.randn(6, 4, 2, generator=g).double()
    valid = torch.ones(6, 4, dtype=torch.bool)
    ours = noise.log_prob(r, std.expand_as(r), valid)
    torch.testing.assert_close(ours, joint(noise, std).log_prob(r.flatten(1)))
    valid[:, 2:] = False
    short = noise.log_prob(r, std.expand_as(r), valid)
    torch.testing.assert_close(short, joint(noise, std[:2]).log_prob(r[:, :2].flatten(1)))


def test_drawn_noise_has_the_right_moments_and_is_found_again() -> None:
    noise, n = known_noise(), 20_000
    std = torch.tensor([[1.0, 2.0], [0.5, 1.0], [2.0, 1.0]]).double()
    path, sizes = torch.zeros(n, 3, 2).double(), std.expand(n, 3, 2)
    unseen = torch.zeros(n, 3, 2, dtype=torch.bool)
    r = noise.complete(path, sizes, path, unseen, draw=True, generator=generator())
    covariance = r.flatten(1).T.cov()
    torch.testing.assert_close(covariance, joint(noise, std).covariance_matrix, atol=0.1, rtol=0.05)
    again = AutoregressiveNoise(2).double()
    again.fit(r, sizes, torch.ones(n, 3, dtype=torch.bool))
    torch.testing.assert_close(again.transition, noise.transition, atol=0.02, rtol=0)
    for factor in ("innovation",):
        found, true = getattr(again, factor), getattr(noise, factor)
        torch.testing.assert_close(found @ found.T, true @ true.T, atol=0.02, rtol=0)


def test_noise_is_made_stable() -> None:
    growing = torch.stack([torch.full((50, 1), 2.0**t) for t in range(4)], 1)
    noise = AutoregressiveNoise(1)
    noise.fit(growing, torch.ones_like(growing), torch.ones(50, 4, dtype=torch.bool))
    assert 0.9 < noise.transition.abs().item() < 1


def test_what_is_hidden_is_completed_as_the_gaussian_says() -> None:
    noise, g = known_noise(), generator()
    std, path = torch.ones(1, 3, 2).double(), torch.randn(1, 3, 2, generator=g).double()
    x = torch.randn(1, 3, 2, generator=g).double()
    seen = torch.tensor([[[True, True], [True, False], [False, False]]])
    covariance = joint(noise, std[0]).covariance_matrix
    known, rest = [0, 1, 2], [3, 4, 5]
    r = (x - path).flatten()
    gain = covariance[rest][:, known] @ covariance[known][:, known].inverse()
    expected = torch.cat([x.flatten()[known], path.flatten()[rest] + gain @ r[known]])
    ours = noise.complete(path, std, x, seen)
    torch.testing.assert_close(ours.flatten(), expected)
    n = 20_000
    wide = [each.expand(n, 3, 2) for each in (path, std, x, seen)]
    drawn = noise.complete(*wide, draw=True, generator=g).flatten(1)
    left = covariance[rest][:, rest] - gain @ covariance[known][:, rest]
    torch.testing.assert_close(drawn[:, rest].mean(0), expected[rest], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn[:, rest].T.cov(), left, atol=0.03, rtol=0)


def test_windows_are_all_pieces_of_their_episodes() -> None:
    episodes = [torch.randn(9, 2), torch.randn(4, 2)]
    x, which = cut_windows(episodes, 4, 2)
    assert which.tolist() == [0, 0, 0, 1]
    assert all(torch.equal(x[i], episodes[0][2 * i : 2 * i + 4]) for i in range(3))
    assert torch.equal(x[3], episodes[1])
    with pytest.raises(ValueError, match=r"Episode 1 has the shape \(4, 2\).*5 or more steps"):
        cut_windows(episodes, 5)
    with pytest.raises(ValueError, match="steps=0"):
        cut_windows(episodes, 0)
    with pytest.raises(ValueError, match="no episodes"):
        cut_windows([], 3)


def test_parts_are_hidden_in_three_ways() -> None:
    seen = torch.ones(4000, 6, 5, dtype=torch.bool)
    seen[:, 5] = False
    left = hide_at_random(seen, generator())
    assert not (left & ~seen).any()
    past = (left == left[:, :, :1]).all(2).all(1) & left[:, 0, 0]
    dimensions = (left == left[:, :1])[:, :5].all(2).all(1)
    assert past.float().mean() == pytest.approx(0.5, abs=0.1)
    assert dimensions.float().mean() > 0.2
    assert (~past & ~dimensions).float().mean() > 0.15


@pytest.fixture(scope="module")
def model() -> SequenceVAE:
    x = torch.randn(32, 6, 2, generator=generator())
    return SequenceVAE(2, 6, 2, hidden=4, components=2).fit(x, training=Training(epochs=1))


X = torch.zeros(3, 4, 2)
SEEN = torch.ones(3, 4, 2, dtype=torch.bool)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: m.fit(torch.zeros(3, 7, 2)), "7 steps were given.*for up to 6; cut them"),
        (lambda m: m.elbo(torch.zeros(3, 7, 2)), "7 steps were given"),
        (lambda m: m.elbo(torch.zeros(3, 4, 5)), "expected"),
        (lambda m: m.elbo(X, lengths=[1, 2, 5]), "lengths is 5 at row 2; expected 1 to 4"),
        (lambda m: m.elbo(X, lengths=[0, 2, 3]), "lengths is 0 at row 0"),
        (lambda m: m.elbo(X, torch.zeros(3, 1)), "context=0.*leave it out"),
        (lambda m: m.elbo(X.fill_(math.inf) * 0), "not finite"),
        (lambda m: m.elbo(torch.zeros(3, 2)), "shape"),
        (lambda m: m.log_prob_is(torch.zeros(3, 4, 2), 0), "k=0"),
        (lambda m: m.predict(torch.zeros(3, 4, 2), 3), "3 steps after 4.*windows of 6"),
        (lambda m: m.predict(torch.zeros(3, 4, 2), 0), "0 steps"),
        (lambda m: m.sample(2, steps=7), "2 windows of 7 steps.*1 to 6"),
        (lambda m: m.sample(0), "0 windows of 6"),
        (lambda m: m.impute(torch.zeros(3, 4, 2), SEEN[:, :3]), "mask has the shape"),
        (lambda m: m.impute(torch.zeros(3, 4, 2), SEEN.float()), "expected booleans"),
        (lambda m: m.impute(torch.zeros(3, 4, 2), SEEN & False), "Row 0 has no observed value"),
        (lambda m: SequenceVAE(2, 6).sample(1), "not fitted"),
        (lambda m: SequenceVAE(2, 0), "steps=0"),
        (lambda m: SequenceVAE(2, 6, 0), "width 0"),
        (lambda m: SequenceVAE(2, 6, components=-1), "components=-1"),
    ],
)
def test_wrong_input_is_a_sentence(model: SequenceVAE, call: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        call(model)  # type: ignore[operator]


def test_all_that_is_seen_may_not_lie_beyond_the_lengths(model: SequenceVAE) -> None:
    late = torch.zeros(3, 4, 2, dtype=torch.bool)
    late[:, 3] = True
    with pytest.raises(ValueError, match="Row 1 has no observed value"):
        model.impute(torch.zeros(3, 4, 2), late, lengths=[4, 3, 4])


def test_preprocessing_that_mixes_dimensions_cannot_impute() -> None:
    x = torch.randn(32, 6, 2, generator=generator())
    model = SequenceVAE(2, 6, 2, hidden=4, components=2, preprocessing=Whiten())
    model.fit(x, training=Training(epochs=1))
    with pytest.raises(ValueError, match="Standardise"):
        model.impute(torch.zeros(3, 4, 2), SEEN)

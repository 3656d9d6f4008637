"""How diffusion learns to complete rows, and what its loss is."""

from __future__ import annotations

import pytest
import torch
from known_densities import generator
from torch import Tensor

from generative import Diffusion, EnergyModel, Training
from generative.batches import Batch
from generative.denoisers import Mixer, Perceptron
from generative.denoising import Known
from generative.diffusion_path import start
from generative.training import Moment

X = torch.randn(512, 8, 2, generator=generator()).cumsum(1)  # windows whose steps are correlated


@torch.no_grad()
def test_errors_are_of_what_is_not_seen() -> None:
    """Of rows of which something is known and of others, whatever axes they are computed along."""
    x = X
    model = Diffusion((8, 2), network=Mixer(8, 1), parts=0.5)
    model.fit(x, training=Training(epochs=1), generator=generator())
    x = x[:5]
    known = Known(x[:3], torch.rand(3, 8, 2, generator=generator(1)) < 0.5, None)
    ratio = torch.tensor([0.1, 0.5, 1.0, 2.0, 40.0])
    found = model.errors(x, known, ratio, generator(2))
    std = ratio * model.basis.scale
    noise = model.basis.back(torch.randn(x.shape, generator=generator(2)))
    noisy = x + std[:, None, None] * noise
    assert torch.allclose(known.put(noisy, std[:, None, None] * noise), noisy)
    wrong = (x - model.estimate(noisy, std, known)).square()
    wrong[:3][known.seen] = 0
    weight = (1 + ratio.square()) / std.square()
    torch.testing.assert_close(found, weight * wrong.mean((1, 2)), rtol=1e-3, atol=1e-5)


class Recorded(Diffusion):
    """Keeps what its loss asks about."""

    def errors(
        self, x: Tensor, known: Known, ratio: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        self.told.append((len(x), known.seen.flatten(1).any(1), ratio))
        return super().errors(x, known, ratio, generator)


@pytest.mark.parametrize("rows", [1, 4, 7, 64])
def test_rows_that_show_a_part_learn_at_all_levels(rows: int) -> None:
    """As many as was said, half of them beside the most noise, whatever the size of a batch."""
    model = Recorded((8, 2), network=Mixer(4, 1), parts=0.3)
    model.told = []
    model.fit(X, training=Training(epochs=1, batch_size=512), generator=generator())
    model.told, steps, g = [], 1600 // rows, generator(1)
    for step in range(steps):
        model.loss(Batch(X[:rows]), Moment(0, step, 1, steps), g)
    seen = torch.cat([seen for _, seen, _ in model.told])
    ratio = torch.cat([ratio[: len(seen)] for _, seen, ratio in model.told])
    asked = ratio == model.noise.most
    assert len(seen) == pytest.approx(0.3 * rows * steps, abs=1)
    assert seen.float().mean() > 0.85  # of some nothing is left
    assert asked[seen].float().mean() == pytest.approx(0.5, abs=0.1)
    levels = model.noise.levels(10, model.clock)
    counts = torch.histogram(ratio[~asked].sort().values, levels).hist
    assert counts.min() > 0.4 * counts.mean()  # 10 parts of time, each about as often


def test_the_noise_of_what_is_seen_tells_nothing_of_the_other() -> None:
    """As when the net learned: else it would see through the most noise."""
    x = torch.randn(4000, 1, generator=generator()) + 0.2 * torch.randn(4000, 2)
    model = Diffusion(2, network=Perceptron((4,)))
    model.fit(x, training=Training(epochs=1, batch_size=4000), generator=generator())
    known = Known(x[:, None], torch.tensor([True, False]).expand(4000, 1, 2), None)
    noise = start(model, 4000, known, generator(1))[:, 0] - x
    assert torch.corrcoef(noise.T)[0, 1].abs() < 0.05


def test_axes_are_exact_in_half_precision() -> None:
    """Autocast is for the nets: variances of narrow axes would be lost in it."""
    model, energy = Diffusion((8, 2), network=Mixer(8, 1)), EnergyModel(16)
    with torch.autocast("cpu", torch.bfloat16):
        for each, x in ((model, X), (energy, X.flatten(1))):
            each.fit(x, training=Training(epochs=1), generator=generator())
            assert {value.dtype for value in each.state_dict().values()} <= {
                torch.float32,
                torch.int64,
            }
    whole = Diffusion((8, 2), network=Mixer(8, 1))
    whole.fit(X, training=Training(epochs=1), generator=generator())
    torch.testing.assert_close(model.basis.variances, whole.basis.variances)
    assert energy.energy(X[:3].flatten(1)).isfinite().all()


def test_a_path_is_walked_with_a_context_and_leaves_gradients_on() -> None:
    x = torch.randn(50, 3, generator=generator())
    model = Diffusion(3, network=Perceptron((4,)), context=2)
    model.fit(x, context=x[:, :2], training=Training(epochs=1), generator=generator())
    path = model.walk(4, generator(), x[:4, :2], steps=3)
    assert next(path).shape == (4, 3)
    assert torch.is_grad_enabled()
    assert len(list(path)) == 4
    with pytest.raises(ValueError, match="context"):
        next(model.walk(4))

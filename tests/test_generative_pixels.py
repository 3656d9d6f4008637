"""Laws of PixelCNN and PixelRNN: who sees whom, probabilities, draws."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from generative.chain import Chain
from generative.discretised import DiscretisedLogistic
from generative.gated_stacks import Gated
from generative.likelihoods import Categorical, Discrete
from generative.masked_blocks import Masked
from generative.masked_convolution import lines_above
from generative.pixel_models import PixelCNN, PixelRNN
from generative.pixel_recurrences import DiagonalBiLSTM, RowLSTM, skew, unskew
from generative.preprocessing import DropConstant
from generative.quantise import Quantise
from generative.raster_model import RasterModel
from generative.raster_nets import RasterNetwork, RasterWalk
from generative.raster_sampling import complete, complete_naively, to_units
from generative.training import Training

NETWORKS: dict[str, RasterNetwork] = {
    "gated": Gated(6, 3, first=5),
    "gated, wide": Gated(6, 1, kernel=5, first=3),
    "masked": Masked(3, 2, first=3),
    "row": RowLSTM(3, 2),
    "diagonal": DiagonalBiLSTM(3, 2, first=3),
}
IMAGES = [(name, shape) for name in NETWORKS for shape in ((1, 4, 5), (3, 3, 4))]
WINDOWS = [(name, shape) for name in ("gated", "masked") for shape in ((7, 3), (6, 1))]
VARIANTS = IMAGES + WINDOWS


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(
    name: str, shape: tuple[int, ...], levels: int | Discrete = 4, context: int = 0
) -> RasterModel:
    """A model with strong random weights in float64, as if it was trained."""
    torch.manual_seed(0)
    kind = PixelRNN if name in ("row", "diagonal") else PixelCNN
    model = kind(shape, levels, network=NETWORKS[name], context=context).double()
    for each in model.parameters():
        nn.init.normal_(each, std=0.4)
    model.row_shape = torch.tensor(shape)
    model.epochs_trained += 1
    return model


def influence(model: RasterModel, context: Tensor | None = None) -> Tensor:
    """How strongly output i (rows) depends on value j (columns), both in the order of drawing."""
    x = torch.rand(1, *model.image_shape, generator=generator(), dtype=torch.float64) * 2 - 1
    each = torch.autograd.functional.jacobian(lambda x: model.net(x, context).abs().sum(-1), x)
    assert isinstance(each, Tensor)
    order = each[0, :, :, :, 0].abs().permute(1, 2, 0, 4, 5, 3)  # (H, W, C, H, W, C)
    return order.reshape(x.numel(), x.numel())


@pytest.mark.parametrize(("name", "shape"), VARIANTS)
@pytest.mark.parametrize("context", [0, 2])
def test_nothing_depends_on_itself_or_what_follows(
    name: str, shape: tuple[int, ...], context: int
) -> None:
    model = made(name, shape, context=context)
    found = influence(model, torch.ones(1, 2, dtype=torch.float64) if context else None)
    assert (found.triu() == 0).all()
    assert (found.tril(-1) > 0).float().sum() > len(found)  # and it does depend on what is before


@pytest.mark.parametrize("name", ["gated", "diagonal"])
@pytest.mark.parametrize("shape", [(1, 5, 6), (3, 3, 4)])
def test_there_is_no_blind_spot(name: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = Gated(24, 5) if name == "gated" else DiagonalBiLSTM(24, 1)
    model = (PixelCNN if name == "gated" else PixelRNN)(shape, network=network).double()
    found = influence(model)
    missed = (found == 0) & torch.ones_like(found).tril(-1).bool()
    if name == "diagonal":  # the end of the line above, where the first convolution is too narrow
        colours, _, width = shape
        line, column = (torch.arange(len(found)) // n for n in (width * colours, colours))
        last = column % width == width - 1
        missed &= ~((line[:, None] == line + 1) & last & (column % width < width - 4)[:, None])
    assert not missed.any()


def test_masked_blocks_have_a_blind_spot() -> None:
    torch.manual_seed(0)
    model = PixelCNN((1, 5, 8), network=Masked(6, 9, first=3)).double()
    assert influence(model)[4 * 8, 3 * 8 + 7] == 0  # the line above, far to the right


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("colours", [1, 3])
def test_probabilities_of_all_images_sum_to_one(name: str, colours: int) -> None:
    model = made(name, (colours, 2, 2), 2, context=2)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=4 * colours)), dtype=torch.float64)
    context = torch.randn(1, 2, generator=generator(), dtype=torch.float64).expand(len(bits), 2)
    log_p = model.log_prob(bits.view(-1, colours, 2, 2), context)
    assert log_p.std() > 0.1
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-10)


def test_probabilities_of_all_windows_sum_to_one() -> None:
    model = made("gated", (2, 3), DiscretisedLogistic(3, 2))
    levels = torch.tensor(list(product((0.0, 1.0, 2.0), repeat=6)), dtype=torch.float64)
    assert model.log_prob(levels.view(-1, 2, 3)).exp().sum().item() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize(("name", "shape"), VARIANTS)
def test_a_walk_computes_what_the_net_does(name: str, shape: tuple[int, ...]) -> None:
    model = made(name, shape, context=2)
    x = torch.rand(3, *model.image_shape, generator=generator(), dtype=torch.float64)
    context = torch.randn(3, 2, generator=generator(), dtype=torch.float64)
    with torch.no_grad():
        whole, walk = model.net(x, context), RasterWalk(model.net, x, context)
        for line in range(x.shape[2]):
            walk.line(line)
            for column in range(x.shape[3]):
                assert torch.allclose(walk.pixel(column), whole[:, :, line, column], atol=1e-10)


@pytest.mark.parametrize(("name", "shape"), VARIANTS)
@pytest.mark.parametrize("likelihood", [Categorical(4), DiscretisedLogistic(4, 2)])
def test_cached_draws_are_the_naive_ones(
    name: str, shape: tuple[int, ...], likelihood: Discrete
) -> None:
    """From nothing, and behind beginnings of different lengths."""
    model = made(name, shape, likelihood, context=2)
    x = torch.zeros(5, *model.image_shape, dtype=torch.float64)
    shares = torch.rand(x.shape, generator=generator(1), dtype=torch.float64)
    context = torch.randn(5, 2, generator=generator(), dtype=torch.float64)
    seen = torch.zeros_like(x, dtype=torch.bool)
    drawn = complete(model.net, likelihood, x, seen, shares, context)
    assert len(drawn.unique()) == 4
    assert torch.equal(drawn, complete_naively(model.net, likelihood, x, seen, shares, context))

    place = torch.arange(x[0].numel()).view(*x.shape[2:], x.shape[1]).movedim(-1, 0)
    seen = place < torch.tensor([3, 17, 8, 5, 4]).view(-1, 1, 1, 1)
    given = complete(model.net, likelihood, drawn, seen, shares.flip(0), context)
    assert torch.equal(given[seen], drawn[seen])
    naive = complete_naively(model.net, likelihood, drawn, seen, shares.flip(0), context)
    assert torch.equal(given, naive)
    # Draws go on as they were when they get the same shares once more.
    assert torch.equal(complete(model.net, likelihood, drawn, seen, shares, context), drawn)


def test_draws_have_the_probabilities() -> None:
    model = made("diagonal", (1, 2, 2), 2)
    drawn = model.sample(4000, generator())
    log_p = model.log_prob(drawn)
    bits = torch.tensor(list(product((0.0, 1.0), repeat=4)), dtype=torch.float64)
    each = model.log_prob(bits.view(-1, 1, 2, 2))
    entropy = -(each.exp() * each).sum()
    assert abs(log_p.mean() + entropy) < 5 * log_p.std() / math.sqrt(4000)


@pytest.mark.parametrize("name", ["gated", "row", "diagonal"])
def test_completions_are_draws_given_the_beginning(name: str) -> None:
    model = made(name, (1, 2, 2), 2)
    x = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64).view(1, 1, 2, 2)
    mask = torch.tensor([True, True, False, False]).view(1, 1, 2, 2)
    many = model.impute(x.repeat(3000, 1, 1, 1), mask.repeat(3000, 1, 1, 1), generator=generator())
    rest = torch.tensor(list(product((0.0, 1.0), repeat=2)), dtype=torch.float64).view(-1, 1, 1, 2)
    wanted = model.log_prob(torch.cat([x[:, :, :1].repeat(4, 1, 1, 1), rest], 2)).softmax(0)
    index = (2 * many[:, 0, 1, 0] + many[:, 0, 1, 1]).long()
    found = index.bincount(minlength=4) / 3000
    assert torch.allclose(found.double(), wanted, atol=5 * 0.5 / math.sqrt(3000))


@pytest.mark.parametrize(
    "model",
    [
        PixelCNN((1, 3, 4), network=Gated(12, 2)),
        PixelCNN((1, 3, 4), network=Masked(8, 2)),
        PixelRNN((1, 3, 4), network=RowLSTM(8, 1)),
        PixelRNN((1, 3, 4), network=DiagonalBiLSTM(8, 1)),
    ],
)
def test_it_learns_what_follows_from_what(model: RasterModel) -> None:
    """The second line is the first one backwards, so that only the first one costs bits."""
    first = torch.rand(512, 1, 1, 4, generator=generator()) < 0.5
    x = torch.cat([first, first.flip(3), first], 2).float()
    training = Training(epochs=12, batch_size=32, learning_rate=2e-2, schedule="cosine")
    model.fit(x, training=training, generator=generator())
    # Nothing less than 4 of 12 bits is possible.
    assert 3.9 < 12 * model.bits_per_dimension(x).mean().item() < 4.6


def test_a_context_tells_what_to_draw() -> None:
    torch.manual_seed(0)
    label = torch.arange(256) % 2
    x = label[:, None, None, None].float().expand(256, 1, 3, 3).contiguous()
    context = nn.functional.one_hot(label).float()
    model = PixelCNN((1, 3, 3), network=Gated(8, 1), context=2)
    model.fit(x, context=context, training=Training(epochs=8, learning_rate=2e-2))
    assert (model.log_prob(x[:8], context[:8]) > -0.5).all()
    assert (model.log_prob(x[:8], 1 - context[:8]) < -5).all()
    assert torch.equal(model.sample(8, generator(), context[:8]).mean((1, 2, 3)), label[:8].float())


def test_quantised_windows_have_a_density() -> None:
    """Which is the same within a step, and integrates to 1 over the range of the data."""
    x = torch.randn(200, 1, 3, generator=generator()) * torch.tensor([1.0, 9.0, 0.0])
    preprocessing = Chain(DropConstant(), Quantise(8))
    model = PixelCNN((1, 2), 8, network=Gated(8, 1), preprocessing=preprocessing)
    model.fit(x, training=Training(epochs=2), generator=generator())
    levels = torch.cartesian_prod(torch.arange(8.0), torch.arange(8.0))[:, None]
    middles = model.in_data_units(levels)
    low, high = x.amin((0, 1))[:2], x.amax((0, 1))[:2]
    area = ((high - low) / 8).prod()
    assert (model.log_prob(middles).exp().sum() * area).item() == pytest.approx(1, abs=1e-5)
    assert torch.allclose(model.log_prob(middles + 1e-3), model.log_prob(middles))
    drawn = model.sample(9, generator())
    assert drawn.shape == (9, 1, 3)
    assert (drawn[..., 2] == 0).all()
    assert ((drawn[..., :2] >= low) & (drawn[..., :2] <= high)).all()


def test_logistic_masses() -> None:
    """They sum to 1 far from all levels and with sharp peaks too, and draws pass them in order."""
    likelihood = DiscretisedLogistic(256, 3)
    outputs = torch.randn(50, 9, generator=generator(), dtype=torch.float64) * 8
    log_p = likelihood.log_probs(outputs)
    assert log_p.isfinite().all()
    assert torch.allclose(log_p.exp().sum(1), torch.ones(50, dtype=torch.float64))
    x = torch.arange(50.0, dtype=torch.float64) * 5
    assert torch.allclose(likelihood.log_prob(outputs, x), log_p[torch.arange(50), x.long()])
    grid = (torch.arange(4000, dtype=torch.float64) + 0.5) / 4000
    drawn = likelihood.at(outputs[:1].expand(4000, 9), grid)
    found = drawn.long().bincount(minlength=256) / 4000
    assert torch.allclose(found.double(), log_p[0].exp(), atol=1 / 4000)
    wide = DiscretisedLogistic(5, 1)
    outputs = torch.zeros(1, 3, dtype=torch.float64)
    ends = torch.tensor([-math.inf, -0.75, -0.25, 0.25, 0.75, math.inf], dtype=torch.float64)
    assert torch.allclose(wide.log_probs(outputs)[0].exp(), ends.sigmoid().diff())


def test_moving_lines() -> None:
    x = torch.randn(2, 3, 4, 5, generator=generator())
    wide = x[..., None] * torch.tensor([1.0, 2.0])
    assert torch.equal(unskew(skew(wide), 5), wide)
    assert torch.equal(skew(wide)[:, :, 2, 2:7], wide[:, :, 2])
    assert torch.equal(lines_above(x, 3, 2), x[:, :, 1:3])
    assert torch.equal(to_units(torch.tensor([0.0, 3.0]), 4), torch.tensor([-1.0, 1.0]))


def test_a_long_draw_reports_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    model = made("gated", (1, 2, 3), 2).float()
    drawn = model.sample(300, generator(), report=lambda done, of: told.append((done, of)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]  # two lines of two parts
    assert drawn.shape == (300, 1, 2, 3)

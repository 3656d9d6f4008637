"""Laws of the multilayer perceptrons."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from generative import mlp
from generative.nets import Initialiser


def linears(net: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in net if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("hidden", [(), (7,), (16, 8, 4)])
def test_shapes_and_activations(hidden: tuple[int, ...]) -> None:
    net = mlp(3, hidden, 2, activation=nn.ELU)
    assert net(torch.zeros(5, 3)).shape == (5, 2)
    assert [layer.out_features for layer in linears(net)] == [*hidden, 2]
    assert sum(isinstance(layer, nn.ELU) for layer in net) == len(hidden)
    assert isinstance(net[-1], nn.Linear)


@pytest.mark.parametrize("widths", [(3, 64, 64, 1), (64, 3, 5, 9)])
def test_orthogonal_weights_have_equal_singular_values(widths: tuple[int, ...]) -> None:
    net = mlp(widths[0], widths[1:-1], widths[-1], final_gain=0.01)
    for layer, gain in zip(linears(net), [2**0.5, 2**0.5, 0.01], strict=True):
        singular = torch.linalg.svdvals(layer.weight)
        torch.testing.assert_close(singular, torch.full_like(singular, gain))
        assert not layer.bias.any()


@pytest.mark.parametrize("init", ["orthogonal", "xavier", "default"])
def test_final_gain_scales_the_last_weight_alone(init: Initialiser) -> None:
    def weights(gain: float | None) -> list[torch.Tensor]:
        torch.manual_seed(0)
        return [layer.weight for layer in linears(mlp(4, [8], 2, init=init, final_gain=gain))]

    plain, scaled = weights(None), weights(0.25)
    torch.testing.assert_close(scaled[0], plain[0])
    torch.testing.assert_close(scaled[1], 0.25 * plain[1])


def test_default_is_pytorchs_own() -> None:
    torch.manual_seed(0)
    ours = linears(mlp(4, [8], 2, init="default"))
    torch.manual_seed(0)
    for mine, theirs in zip(ours, [nn.Linear(4, 8), nn.Linear(8, 2)], strict=True):
        assert torch.equal(mine.weight, theirs.weight)
        assert torch.equal(mine.bias, theirs.bias)


def test_every_parameter_gets_a_gradient() -> None:
    net = mlp(3, [16, 16], 1, activation=nn.Tanh)
    net(torch.randn(32, 3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in net.parameters())


@pytest.mark.parametrize("init", ["orthogonal", "xavier", "default"])
def test_spectral_norm_bounds_every_layer_and_the_whole(init: Initialiser) -> None:
    torch.manual_seed(0)
    net = mlp(6, [32, 32], 1, init=init, spectral_norm=True)
    with torch.no_grad():  # weights with far larger norms, as training might make them
        for layer in linears(net):
            layer.parametrizations.weight.original.normal_(std=3.0)
        for _ in range(200):
            net(torch.zeros(1, 6))
    net.eval()
    for layer in linears(net):
        assert torch.linalg.matrix_norm(layer.weight, 2) <= 1 + 1e-3
    x, y = torch.randn(2, 256, 6)
    rise = (net(x) - net(y)).abs().squeeze(1)
    assert (rise <= (1 + 1e-2) * torch.linalg.vector_norm(x - y, dim=1)).all()


@pytest.mark.parametrize("widths", [(0, (8,), 1), (3, (8, -2), 1), (3, (8,), 0)])
def test_empty_and_negative_widths_are_refused(widths: tuple[int, tuple[int, ...], int]) -> None:
    with pytest.raises(ValueError, match="each must be at least 1"):
        mlp(*widths)


def test_choices_that_cannot_be_kept_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of orthogonal, xavier, default"):
        mlp(3, [8], 1, init="he")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leave one of the two out"):
        mlp(3, [8], 1, final_gain=0.1, spectral_norm=True)

"""Running means of a net's weights, in buffers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """Means of all parameters of a net, which are saved with the model and not trained.

    Args:
        net: whose weights are averaged, from those it has now.
        statistics: average its floating-point buffers too, such as those of batch norm.

    >>> net = nn.Linear(1, 1)
    >>> average = Average(net)
    >>> with torch.no_grad():
    ...     _ = net.weight.add_(1)
    >>> average.update(net, 0.5)
    >>> (net.weight.detach() - average.values()["weight"]).item()
    0.5
    """

    def __init__(self, net: nn.Module, *, statistics: bool = False) -> None:
        super().__init__()
        self.statistics = statistics
        for name, value in self._of(net).items():
            self.register_buffer(name.replace(".", "/"), value.detach().clone())

    @torch.no_grad()
    def update(self, net: nn.Module, weight: float) -> None:
        """Move towards the weights of the net, by the share ``weight`` of the way."""
        torch._foreach_lerp_(list(self.buffers()), list(self._of(net).values()), weight)

    def values(self) -> dict[str, Tensor]:
        """The means, by the names that they have in the net."""
        return {name.replace("/", "."): value for name, value in self.named_buffers()}

    def distance(self, net: nn.Module) -> Tensor:
        """Squared distance of the net's weights, with gradients to them."""
        gaps = torch._foreach_sub(list(net.parameters()), list(self.buffers()))
        return torch.stack([gap.square().sum() for gap in gaps]).sum()

    def _of(self, net: nn.Module) -> dict[str, Tensor]:
        found: dict[str, Tensor] = dict(net.named_parameters())
        if self.statistics:
            found |= {k: v for k, v in net.named_buffers() if v.is_floating_point()}
        return found

"""The smallest families that learn by gradients, for tests of the trainer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from generative import Batch, DensityModel, Moment, NeuralModel, Transform
from generative.chain import describe
from generative.data import Data, check_shape


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Denoiser(NeuralModel):
    """Maps noisy rows to rows; records what ``loss`` was given."""

    def __init__(self, width: int = 2, preprocessing: Transform | None = None) -> None:
        super().__init__(preprocessing)
        self.width = width
        self.net = nn.Sequential(nn.Linear(width, 8), nn.Tanh(), nn.Linear(8, width))
        self.seen: list[tuple[Batch, Moment, bool]] = []
        self.gradients: list[float] = []

    def settings(self) -> dict[str, Any]:
        return {"width": self.width, "preprocessing": describe(self.preprocessing)}

    def check(self, batch: Batch) -> None:
        if batch.x.shape[-1] != self.width:
            raise ValueError(f"x has {batch.x.shape[-1]} columns; expected {self.width}.")

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        self.seen.append((batch, moment, self.training))
        noise = torch.randn(batch.x.shape, generator=generator, dtype=batch.x.dtype)
        error = (self.net(batch.x + noise) - batch.x).square().mean()
        return {"loss": error, "rows": torch.tensor(float(len(batch.x)))}

    def after_step(self, moment: Moment) -> None:
        self.gradients.append(float(self.net[0].bias.grad.norm()))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        self.check_fitted()
        noise = torch.randn(n, self.width, generator=generator)
        return self.in_data_units(self.net(noise).detach())


class Duel(NeuralModel):
    """Two numbers that pull at each other; the critic moves twice as often, with its own betas."""

    average: Tensor

    def __init__(self, preprocessing: Transform | None = None) -> None:
        super().__init__(preprocessing)
        self.made = nn.Parameter(torch.zeros(2))
        self.judged = nn.Parameter(torch.ones(2))
        self.register_buffer("average", torch.zeros(2))  # of what was made
        self.moved: list[tuple[str, Tensor, Tensor]] = []

    def settings(self) -> dict[str, Any]:
        return {"preprocessing": describe(self.preprocessing)}

    def check(self, batch: Batch) -> None: ...

    def players(self) -> dict[str, list[nn.Parameter]]:
        return {"generator": [self.made], "critic": [self.judged]}

    def turns(self, step: int) -> Sequence[str]:
        return ("critic", "critic", "generator")

    def adam(self, player: str) -> dict[str, Any]:
        return {"betas": (0.0, 0.9)} if player == "critic" else {}

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        self.moved.append((player, self.made.detach().clone(), self.judged.detach().clone()))
        gap = (self.judged * (batch.x - self.made)).mean()
        return {"loss": gap if player == "generator" else self.judged.square().sum() - gap}

    def after_step(self, moment: Moment) -> None:
        with torch.no_grad():
            self.average.lerp_(self.made, 0.1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.made.detach().expand(n, 2)


class Bell(NeuralModel, DensityModel):
    """A Gaussian for each value by itself, of any shape, learned by gradients."""

    def __init__(self, shape: Sequence[int], preprocessing: Transform | None = None) -> None:
        super().__init__(preprocessing)
        self.shape = tuple(shape)
        self.mean, self.log_std = (nn.Parameter(torch.zeros(self.shape)) for _ in range(2))

    def settings(self) -> dict[str, Any]:
        return {"shape": self.shape, "preprocessing": describe(self.preprocessing)}

    @property
    def width(self) -> int:
        return self.mean.numel()

    def check(self, batch: Batch) -> None:
        check_shape(batch.x, self.shape)

    def log_density(self, x: Tensor) -> Tensor:
        normal = torch.distributions.Normal(self.mean, self.log_std.exp())
        return normal.log_prob(x).flatten(1).sum(1)

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "model",
    ) -> dict[str, Tensor]:
        return {"loss": -self.log_density(batch.x).mean()}

    def log_prob(self, x: Data) -> Tensor:
        batch, log_det = self.preprocessed(self.as_batch(x))
        return self.log_density(batch.x) + log_det

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(n, *self.shape, generator=generator)
        return self.in_data_units(self.mean + self.log_std.exp() * noise).detach()


def denoiser(preprocessing: Transform | None = None, width: int = 2) -> Denoiser:
    """Always with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Denoiser(width, preprocessing)


def rows(n: int = 100, width: int = 2) -> Tensor:
    return torch.randn(n, width, generator=generator(3)) * 3 + 1


def values(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)

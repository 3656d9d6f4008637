"""Windows of demonstrations to fit to and held-out ones, as the scripts about windows see them.

Windows of observations and actions, each dimension standardised, constant ones left out, values
clipped (contact forces have rare spikes of tens of standard deviations, on which every squared
error would otherwise hang). Whole episodes are held out: of each four in the order of their
returns the third, so that falls are on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from telling import mean
from torch import Tensor

from gail import Demonstrations
from generative.chain import Chain
from generative.preprocessing import DropConstant, Standardise
from generative.two_sample import two_sample_accuracy
from generative.windows import cut_windows

MLP = (256, 256)  # hidden layers of the second two-sample test
BETWEEN = 8  # steps from one held-out window to the next


class Windows(NamedTuple):
    """What is fitted to and what is held out.

    Attributes:
        x: windows to fit to (N, T, D).
        y: held-out windows (M, T, D).
        episode: of each held-out window (M,).
        about: what a record tells of them.
    """

    x: Tensor
    y: Tensor
    episode: Tensor
    about: dict[str, Any]


@dataclass(frozen=True)
class WindowSettings:
    """What all scripts about windows ask for."""

    env: str = "Ant-v5"
    """Task, for the demonstrations shipped with the project."""
    demonstrations: str | None = None
    """Demonstrations from elsewhere."""
    steps: int = 32
    """Of a window."""
    stride: int = 1
    """Between the windows that are trained on."""
    clip: float = 5.0
    """Largest standardised value."""
    seed: int = 0
    """Of weights, training and samples."""
    draws: int = 6
    """Times that windows are drawn for a two-sample test, whose accuracy varies by a percent."""
    threads: int = 1
    """Of PyTorch."""
    save: Path | None = None
    """Keep the model in this file."""
    out: Path | None = None
    """Write the figures to this file."""

    def generator(self) -> torch.Generator:
        """Fresh, from the seed."""
        return torch.Generator().manual_seed(self.seed)

    def windows(self) -> Windows:
        """The data, split by episodes.

        Raises:
            ValueError: if there are too few episodes.
        """
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        fit_on, held_out = standardised(*split(demos), self.clip)
        x, _ = cut_windows(fit_on, self.steps, self.stride)
        y, episode = cut_windows(held_out, self.steps, BETWEEN)
        about = {
            "environment": self.env,
            "demonstrations": {"name": demos.name, "hash": demos.hash},
            "settings": self.settings(),
            "episodes": {"fitted": len(fit_on), "held_out": len(held_out)},
            "windows": {"fitted": len(x), "held_out": len(y)},
            "live_dimensions": x.shape[2],
        }
        return Windows(x, y, episode, about)

    def settings(self) -> dict[str, Any]:
        """All flags that are not files."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        del values["demonstrations"]
        files = ("save", "out", "sequence_vae")
        return {name: value for name, value in values.items() if name not in files}

    def told_apart(
        self, drawn: dict[str, Callable[[], Tensor]], data: Windows, generator: torch.Generator
    ) -> dict[str, dict[str, list[float]]]:
        """Accuracies of two-sample tests of each draw, held-out windows against others."""
        found: dict[str, dict[str, list[float]]] = {}
        for name, draw in drawn.items():
            each = [self.tested(draw(), data, generator) for _ in range(self.draws)]
            found[name] = {test: [one[test] for one in each] for test in ("logistic", "mlp")}
            print(name, found[name], flush=True)
        return found

    def tested(self, fake: Tensor, data: Windows, generator: torch.Generator) -> dict[str, float]:
        """Accuracies of both tests, means over folds."""
        real, episode, clipped = data.y, data.episode, fake.clamp(-self.clip, self.clip)
        linear = two_sample_accuracy(real, clipped, groups=episode)
        deep = two_sample_accuracy(real, clipped, hidden=MLP, groups=episode, generator=generator)
        return {"logistic": mean(linear), "mlp": mean(deep)}


def split(demos: Demonstrations) -> tuple[list[Tensor], list[Tensor]]:
    """Episodes (T, O + A) to fit to and held-out ones: of each four by return the third.

    Raises:
        ValueError: if there are too few.
    """
    if demos.num_episodes < 6:
        raise ValueError(
            f"{demos.name} has {demos.num_episodes} episodes; the tests on held-out ones need "
            "three of them, hence 11 or more episodes."
        )
    returns = np.arange(demos.num_episodes) if demos.returns is None else demos.returns
    held = set(np.argsort(returns, kind="stable")[2::4].tolist())
    rows = [
        torch.tensor(np.concatenate([each.observations[:-1], each.actions], 1))
        for each in demos.episodes()
    ]
    kept = [row for i, row in enumerate(rows) if i not in held]
    return kept, [row for i, row in enumerate(rows) if i in held]


def standardised(
    fit_on: list[Tensor], held_out: list[Tensor], clip: float
) -> tuple[list[Tensor], list[Tensor]]:
    """Episodes in units of the standard deviations of those fitted to, clipped."""
    transform = Chain(DropConstant(), Standardise()).fit(torch.cat(fit_on))
    both = [[transform(each)[0].clamp(-clip, clip) for each in some] for some in (fit_on, held_out)]
    return both[0], both[1]


def some(x: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Windows (n, T, D) out of all."""
    return x[torch.randperm(len(x), generator=generator)[:n]]

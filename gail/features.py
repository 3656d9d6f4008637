"""Steps of demonstrations and rollouts as generative models see them.

A row is (s), (s, a) or (s, s'); a window is several rows in a sequence. Before a model sees them,
dimensions that never vary are dropped, the others brought to unit variance (with ``whiten`` also
rotated to principal components), and what is left clipped, because contact forces have rare
spikes of tens of standard deviations. The statistics are those of the data of :meth:`fit`, and
travel with the model (:mod:`gail.feature_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self, get_args

import torch
from torch import Tensor

from gail.episodes import Episode
from gail.errors import GailError
from gail.rollout import Rollout
from generative.chain import Chain
from generative.data import check_positive
from generative.model import Stateful
from generative.preprocessing import DropConstant, Standardise, Whiten
from generative.transform import Transform
from generative.windows import cut_windows

Inputs = Literal["s", "sa", "ss"]


def join(obs: Tensor, action: Tensor, next_obs: Tensor, inputs: Inputs) -> Tensor:
    """Rows (..., D) of observations (..., O), actions (..., A) and next observations (..., O).

    >>> join(torch.zeros(2, 3), torch.ones(2, 1), torch.zeros(2, 3), "sa").shape
    torch.Size([2, 4])
    """
    match inputs:
        case "s":
            return obs
        case "sa":
            return torch.cat([obs, action], -1)
        case "ss":
            return torch.cat([obs, next_obs], -1)


def episode_rows(episode: Episode, inputs: Inputs) -> Tensor:
    """Rows (T, D) of an episode's steps."""
    obs = torch.tensor(episode.observations, dtype=torch.float32)  # a copy: it may be read-only
    return join(obs[:-1], torch.tensor(episode.actions, dtype=torch.float32), obs[1:], inputs)


def rollout_rows(rollout: Rollout, inputs: Inputs) -> list[Tensor]:
    """Rows (T_i, D) of each piece of an episode that a rollout holds.

    Actions are those of the policy, unclipped. Steps whose next observation is not finite (a
    simulation that blew up) end a piece and are left out.
    """
    rows = join(rollout.observations, rollout.actions, rollout.next_observations, inputs)
    return pieces(rows, rollout.dones)


def pieces(rows: Tensor, dones: Tensor) -> list[Tensor]:
    """Cut rows (T, N, D) of N environments where an episode ended.

    Args:
        rows: what was seen at each step.
        dones: (T, N), whether the step was an episode's last.

    >>> found = pieces(torch.arange(4.0).view(4, 1, 1), torch.tensor([[0], [1], [0], [0]]).bool())
    >>> [piece.flatten().tolist() for piece in found]
    [[0.0, 1.0], [2.0, 3.0]]
    """
    found = []
    for row, done in zip(rows.unbind(1), dones.unbind(1), strict=True):
        ends = (done.nonzero().flatten() + 1).tolist()
        bounds = sorted({0, *ends, len(row)})
        for start, end in pairwise(bounds):
            piece = row[start:end]
            found.append(piece[piece.isfinite().all(1)])
    return [piece for piece in found if len(piece)]


class Features(Stateful):
    """How steps become what a model sees.

    Args:
        inputs: what a row is made of: the observation (s), with the action (sa), or with the
            next observation (ss).
        window: rows in a sequence; 1 for single rows.
        whiten: rotate to principal components; without it, dimensions stay apart, as
            completing them needs.
        clip: largest value afterwards, in standard deviations.

    Raises:
        ValueError: if a setting is out of range.

    >>> rows = [torch.randn(50, 3), torch.randn(20, 3)]
    >>> features = Features("s", window=4).fit(rows)
    >>> features(rows[0]).shape
    torch.Size([47, 4, 3])
    """

    def __init__(
        self,
        inputs: Inputs = "sa",
        *,
        window: int = 1,
        whiten: bool = False,
        clip: float = 8.0,
    ) -> None:
        super().__init__()
        check_positive("Features", window=window, clip=clip)
        if inputs not in get_args(Inputs):
            choices = ", ".join(get_args(Inputs))
            raise GailError(f"inputs is {inputs!r}; choose one of {choices}.")
        self.inputs, self.window, self.whiten, self.clip = inputs, window, whiten, clip
        last: Transform = Whiten(relative=1e-3) if whiten else Standardise()
        self.transform = Chain(DropConstant(), last)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "inputs": self.inputs,
            "window": self.window,
            "whiten": self.whiten,
            "clip": self.clip,
        }

    @property
    def live(self) -> Tensor:
        """Which dimensions of a row vary (D,)."""
        drop = self.transform.steps[0]
        assert isinstance(drop, DropConstant)
        return drop.live

    def fit(self, rows: Sequence[Tensor]) -> Self:
        """Take the statistics of rows (T_i, D) of episodes.

        Raises:
            ValueError: if nothing varies.
        """
        self.transform.fit(torch.cat(list(rows)))
        return self

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows (B, D) dropped, scaled and clipped, (B, live)."""
        scaled: Tensor = self.transform(rows)[0].clamp(-self.clip, self.clip)
        return scaled

    def forward(self, rows: Tensor) -> Tensor:
        """What a model sees of one episode's rows (T, D): rows, or windows (T - W + 1, W, D)."""
        scaled = self.scaled(rows)
        return scaled if self.window == 1 else cut_windows([scaled], self.window)[0]

    def stacked(self, episodes: Sequence[Tensor], most: int | None = None) -> Tensor:
        """Rows or windows of several episodes together, thinned evenly to about ``most``.

        Raises:
            GailError: if every episode is shorter than a window.
        """
        long = [rows for rows in episodes if len(rows) >= self.window]
        if not long:
            raise GailError(
                f"No episode has the {self.window} steps of a window; give a shorter one."
            )
        x = torch.cat([self(rows) for rows in long])
        return x if most is None else x[:: max(1, -(-len(x) // most))]

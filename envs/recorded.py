"""Recorded states that episodes may start in, drawn for many environments on their device."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.specs import Task
from envs.starts import check_starts
from envs.streams import Streams


class Recorded:
    """Draws in which environments an episode starts in a recorded state, and in which one.

    See :class:`envs.starts.Starts`, which does the same on the processor.

    Args:
        task: what the observations are of.
        observations: of the states, (M, O), on the device of the environments.
        probability: of a recorded state, above 0 and at most 1.
        num_envs: N.
        seed: of the choice.

    Raises:
        ValueError: the observations are not the task's, or the probability is none.
    """

    def __init__(
        self, task: Task, observations: Tensor, probability: float, num_envs: int, seed: int = 0
    ) -> None:
        check_starts(task, observations, probability)
        self.observations = observations.detach().float()
        self.probability = probability
        self.parts = task.parts()
        self.streams = Streams(num_envs, observations.device, seed)
        self.streams.seeds += 2**32  # no environment's own, which are below it

    def draw(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """Who starts in a recorded state, (N, 1), and everyone's row of the recorded, (N, O).

        Args:
            where: environments that start, (N,); the others draw the same again next time.
        """
        draws = self.streams.uniform(2, where)
        rows = (draws[:, 1].double() * len(self.observations)).long()
        return draws[:, :1] < self.probability, self.observations[rows]

    def states(self, rows: Tensor, qpos0: Tensor, velocities: int) -> tuple[Tensor, Tensor]:
        """Positions (N, nq) and velocities (N, nv) of recorded rows, with places at the origin.

        Args:
            rows: observations (N, O).
            qpos0: the model's own position (nq,), for what no observation tells.
            velocities: nv.
        """
        shown = rows[:, self.parts["qpos"]]
        hidden = qpos0[: len(qpos0) - shown.shape[1]].expand(len(rows), -1)
        return torch.cat([hidden, shown], -1), rows[:, self.parts["qvel"]][:, -velocities:]

"""Recorded states that episodes may start in, rebuilt from observations."""

from __future__ import annotations

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray
from torch import Tensor

from envs.checks import check_seed
from envs.specs import Task

Parts = dict[str, NDArray[np.float64]]  # by the names of Task.layout


class Starts:
    """Draws where an episode starts: in the task's own way, or in a recorded state.

    An observation of the tasks in ``envs.TASKS`` holds all positions and velocities but where on
    the plane the body is; it starts at the origin. Velocities that Hopper and Walker2d clip are
    taken as they are.

    It has a random stream of its own, so that the task's own starts stay those that Gymnasium
    draws.

    Args:
        task: what the observations are of.
        observations: of the states to start in, (M, O).
        probability: of a recorded state, above 0 and at most 1.
        seed: of the choice.

    Raises:
        ValueError: the observations are not the task's, or the probability is none.

    >>> import torch
    >>> from envs.specs import TASKS
    >>> draw = Starts(TASKS["Hopper-v5"], torch.zeros(3, 11), probability=1.0).draw()
    >>> {name: part.shape for name, part in draw.items()}
    {'qpos': (5,), 'qvel': (6,)}
    """

    def __init__(self, task: Task, observations: Tensor, probability: float, seed: int = 0) -> None:
        check_seed(seed)
        check_starts(task, observations, probability)
        self.observations = observations.detach().cpu().double().numpy()
        self.probability = probability
        self.parts = task.parts()
        # A child of the seed: the seed itself gives the first environment's stream.
        self.random = Generator(PCG64(SeedSequence(seed, spawn_key=(1,))))

    def draw(self) -> Parts | None:
        """The parts of a recorded observation, or None for the task's own start."""
        if self.random.random() >= self.probability:
            return None
        row = self.observations[self.random.integers(len(self.observations))]
        return {name: row[part] for name, part in self.parts.items()}


def check_starts(task: Task, observations: Tensor, probability: float) -> None:
    """Refuse observations of another task, and what is no probability.

    Raises:
        ValueError: one of them is wrong.
    """
    width = sum(width for _, width in task.layout)
    if observations.dim() != 2 or not len(observations) or observations.shape[1] != width:
        raise ValueError(
            f"The states to start {task.id} in have shape {tuple(observations.shape)}; "
            f"give observations (M, {width})."
        )
    if not 0 < probability <= 1:
        raise ValueError(
            f"The probability to start in a recorded state is {probability}; "
            "give a number above 0 and at most 1."
        )

"""The contract every simulation engine keeps: tensors in, tensors out, on one device.

An engine runs N copies of one task. Rows of every tensor are environments:

* ``reset(seed)`` starts all of them and returns observations (N, O);
* ``step(action)`` advances all of them by one environment step. An environment whose
  episode ends is reset *within the same step*: ``obs`` then holds the first observation
  of the next episode and ``final_obs`` the last one of the finished episode.

``terminated`` and ``truncated`` mean what they mean in Gymnasium. Where both are true the
episode terminated, and learners must not bootstrap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor


class SimulationError(RuntimeError):
    """Too many environments of an engine went wrong to go on."""


class Step(NamedTuple):
    """What one step of N environments returns; all tensors live on the engine's device."""

    obs: Tensor  # (N, O) float32, after the autoreset
    reward: Tensor  # (N,) float32, the environment's own reward
    terminated: Tensor  # (N,) bool
    truncated: Tensor  # (N,) bool
    final_obs: Tensor  # (N, O) float32, before the autoreset; equals obs where nothing ended


class BatchedEnv(ABC):
    """N environments of one task, stepped together.

    Tensors returned by :meth:`reset` and :meth:`step` belong to the caller: an engine never
    writes into them again.

    Attributes:
        id: Gymnasium id of the task, for example ``"Ant-v5"``.
        num_envs: N.
        observation_space: the space of one environment's observation, a flat box (O,).
        action_space: the space of one environment's action, a flat box (A,).
        device: where tensors are taken from and returned.
    """

    id: str
    num_envs: int
    observation_space: spaces.Box
    action_space: spaces.Box
    device: torch.device

    @abstractmethod
    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew and return observations (N, O).

        With ``seed`` environment i is seeded with ``seed + i``, as Gymnasium's vector
        environments do; without, its random stream continues.
        """

    @abstractmethod
    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step of ``action`` (N, A), in the task's units.

        Actions are clipped to the action box first.
        """

    def start_from(self, observations: Tensor, probability: float, seed: int = 0) -> None:
        """From now on start episodes in recorded states with this probability.

        What :meth:`reset` and the autoreset then give is the recorded observation itself. All
        other episodes start as they would have.

        Args:
            observations: of the states, (M, O).
            probability: of a recorded state instead of the task's own start; 0 for never.
            seed: of the choice.

        Raises:
            ValueError: this engine cannot, or the observations are not the task's.
        """
        raise ValueError(
            f"The {type(self).__name__} engine cannot start {self.id} in recorded states, only "
            "the native and warp engines can; start without (--expert-resets 0)."
        )

    def check(self) -> None:
        """Look whether the simulation went wrong; call it once a rollout, it may wait.

        Raises:
            SimulationError: it did, too often to go on.
        """
        return None

    def get_state(self) -> dict[str, Tensor]:
        """Everything needed to continue bit for bit, as CPU tensors.

        Raises:
            RuntimeError: if this engine cannot copy its state.
        """
        raise RuntimeError(
            f"The {type(self).__name__} engine cannot copy its simulation state; "
            "a resumed run starts new episodes there."
        )

    def set_state(self, state: dict[str, Tensor]) -> Tensor:
        """Continue from what :meth:`get_state` returned; gives the current observations (N, O)."""
        raise RuntimeError(f"The {type(self).__name__} engine cannot restore a simulation state.")

    def close(self) -> None:
        """Free threads and simulators; the engine is unusable afterwards."""
        return None

"""Environments whose sensors fail, and environments whose sensors are filled in again.

A value that is missing is NaN. Wrappers for one Gymnasium environment and for an engine of N use
the same :class:`~gail.repair.Repair`.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor

from envs import BatchedEnv, Step
from gail.errors import GailError
from gail.feature_model import FeatureModel
from gail.repair import Repair, repair_with
from gail.sensors import SensorFaults

GymEnv = gym.Env[NDArray[Any], NDArray[Any]]


class DropSensors(gym.Wrapper[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]):
    """Some sensors fail after the first observation of each episode, the same for all of it.

    Args:
        env: with a flat box of observations.
        share: of the sensors.
        seed: of the choice.

    >>> from gail.playing import make
    >>> env = DropSensors(make("toy/PointMass-v0"), 0.5)
    >>> _ = env.reset(seed=0)
    >>> int(np.isnan(env.step(env.action_space.sample())[0]).sum())
    2
    """

    def __init__(self, env: GymEnv, share: float, seed: int = 0) -> None:
        super().__init__(env)
        self.faults = SensorFaults(_width(env), share, seed)
        self._missing = np.zeros(self.faults.width, dtype=np.bool_)
        self._episode = 0

    def reset(self, **options: Any) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start an episode, with other sensors to fail."""
        self._missing = self.faults.missing(self._episode)
        self._episode += 1
        return self.env.reset(**options)

    def step(self, action: NDArray[Any]) -> tuple[NDArray[Any], Any, bool, bool, dict[str, Any]]:
        """Advance one step."""
        obs, *rest = self.env.step(action)
        return np.where(self._missing, np.nan, obs).astype(obs.dtype), *rest  # type: ignore[return-value]


class ImputeObservation(gym.Wrapper[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]):
    """Fills in the values that an observation misses (NaN) before the policy sees it.

    Args:
        env: with a flat box of observations.
        model: fitted to observations of the task, or any repair of one environment.
        noise: of the sensors that are there, in standard deviations; mixtures remove it.

    Raises:
        GailError: if the model is of another task or of other features.
    """

    def __init__(self, env: GymEnv, model: FeatureModel | Repair, noise: float = 0.0) -> None:
        super().__init__(env)
        env_id = env.spec.id if env.spec is not None else None
        self.repair = checked(model, env_id, _width(env), 1, noise)

    def reset(self, **options: Any) -> tuple[NDArray[Any], dict[str, Any]]:
        """Start an episode."""
        obs, info = self.env.reset(**options)
        self.repair.forget()
        return self._filled(obs), info

    def step(self, action: NDArray[Any]) -> tuple[NDArray[Any], Any, bool, bool, dict[str, Any]]:
        """Advance one step."""
        obs, *rest = self.env.step(action)
        return self._filled(obs), *rest  # type: ignore[return-value]

    def _filled(self, obs: NDArray[Any]) -> NDArray[Any]:
        whole = self.repair.fill(torch.tensor(obs, dtype=torch.float32)[None])[0]
        filled: NDArray[Any] = whole.numpy().astype(obs.dtype)
        return filled


class ImputeEngine(BatchedEnv):
    """The same for an engine: fills in what its observations miss, of N environments at once.

    Args:
        engine: whose observations may miss values.
        model: fitted to observations of the task, or any repair of N environments.
        noise: of the sensors that are there, in standard deviations; mixtures remove it.

    Raises:
        GailError: if the model is of another task or of other features.
    """

    def __init__(
        self, engine: BatchedEnv, model: FeatureModel | Repair, noise: float = 0.0
    ) -> None:
        self.engine = engine
        self.id, self.num_envs, self.device = engine.id, engine.num_envs, engine.device
        self.observation_space, self.action_space = engine.observation_space, engine.action_space
        width = int(engine.observation_space.shape[0])
        self.repair = checked(model, engine.id, width, engine.num_envs, noise)

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        self.repair.forget()
        return self.repair.fill(self.engine.reset(seed))

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        step = self.engine.step(action)
        final = self.repair.fill(step.final_obs)
        obs = final
        ended = (step.terminated | step.truncated).nonzero().flatten()
        if len(ended):
            self.repair.forget(ended)
            obs = final.index_copy(0, ended, self.repair.fill(step.obs[ended], ended))
        return step._replace(obs=obs, final_obs=final)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


class DropSensorsEngine(BatchedEnv):
    """Some sensors of each environment fail after the first observation of its episode.

    Args:
        engine: to read.
        share: of the sensors.
        seed: of the choice.
    """

    def __init__(self, engine: BatchedEnv, share: float, seed: int = 0) -> None:
        self.engine = engine
        self.id, self.num_envs, self.device = engine.id, engine.num_envs, engine.device
        self.observation_space, self.action_space = engine.observation_space, engine.action_space
        self.faults = SensorFaults(int(engine.observation_space.shape[0]), share, seed)
        self._episodes = 0
        self._missing = torch.zeros(engine.num_envs, self.faults.width, dtype=torch.bool)

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        self._draw(range(self.num_envs))
        return self.engine.reset(seed)

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        step = self.engine.step(action)
        final = step.final_obs.masked_fill(self._missing.to(self.device), float("nan"))
        ended = (step.terminated | step.truncated).nonzero().flatten()
        self._draw(ended.tolist())
        obs = final.index_copy(0, ended, step.obs[ended]) if len(ended) else final
        return step._replace(obs=obs, final_obs=final)

    def _draw(self, rows: Any) -> None:
        for row in rows:
            self._missing[row] = torch.from_numpy(self.faults.missing(self._episodes))
            self._episodes += 1

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def checked(
    model: FeatureModel | Repair, env_id: str | None, width: int, num_envs: int, noise: float = 0.0
) -> Repair:
    """A repair of N environments of a task.

    Raises:
        GailError: if it is one of another task, of other features or of other numbers.
    """
    if isinstance(model, FeatureModel):
        model.check_for(env_id, "s", width)
        return repair_with(model, num_envs, noise)
    if (model.num_envs, model.width) != (num_envs, width):
        raise GailError(
            f"The repair is one of {model.num_envs} environments with {model.width} sensors and "
            f"these are {num_envs} with {width}; make another."
        )
    return model


def _width(env: GymEnv) -> int:
    space = env.observation_space
    if not isinstance(space, spaces.Box) or len(space.shape) != 1:
        raise GailError(f"The observation space is {space}; sensors are those of a flat box.")
    return int(space.shape[0])

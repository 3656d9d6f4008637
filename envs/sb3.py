"""Between engines and Stable-Baselines3: an engine as a ``VecEnv``, a ``VecEnv`` as an engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn
from torch import Tensor

from envs.batched import BatchedEnv, Step
from envs.checks import check_action
from envs.gymnasium_engine import flat_box, unflatten_actions


class EngineVecEnv(VecEnv):
    """Gives SB3's algorithms, wrappers and callbacks the ``VecEnv`` they expect.

    Infos are empty but for environments whose episode ended: these have
    ``terminal_observation``, ``TimeLimit.truncated`` (the time limit ended an episode that
    had not terminated) and ``episode`` with return ``r``, length ``l`` and seconds ``t``
    since construction, as SB3's ``Monitor`` writes them.

    Args:
        engine: the environments; learners that keep tensors on the device use it directly.

    Raises:
        ValueError: it is no engine, or its actions have no bounds, which SB3 needs.
    """

    def __init__(self, engine: BatchedEnv) -> None:
        if not isinstance(engine, BatchedEnv):
            raise ValueError(
                f"The environment is a {type(engine).__name__}; give a Gymnasium id, an engine of "
                "envs.make, an SB3 VecEnv or a Gymnasium environment."
            )
        if not engine.action_space.is_bounded():
            raise ValueError(
                f"The action space of {engine.id} is {engine.action_space}, without finite bounds; "
                "give it some (gymnasium.wrappers.TransformAction): policies act in units of them."
            )
        self.engine = engine
        self.render_mode: str | None = None  # engines simulate, rendering is Gymnasium's
        super().__init__(engine.num_envs, engine.observation_space, engine.action_space)
        self._started = time.time()
        self._returns = np.zeros(engine.num_envs)
        self._lengths = np.zeros(engine.num_envs, dtype=np.int64)
        self._actions = torch.zeros(engine.num_envs, *engine.action_space.shape)

    def reset(self) -> NDArray[np.float32]:
        """Start every environment anew, with the seed of the last :meth:`seed` if there is one."""
        seed = self._seeds[0]
        self._reset_seeds()
        self._reset_options()
        self._returns[:] = 0
        self._lengths[:] = 0
        return _numpy(self.engine.reset(seed))

    def step_async(self, actions: NDArray[Any]) -> None:
        """Take the actions (N, A) of the next step."""
        self._actions = torch.as_tensor(actions, dtype=torch.float32, device=self.engine.device)

    def step_wait(self) -> VecEnvStepReturn:
        """Advance all environments; returns observations, rewards, dones and infos."""
        step = self.engine.step(self._actions)
        rewards = _numpy(step.reward)
        terminated, truncated = _numpy(step.terminated), _numpy(step.truncated)
        dones = terminated | truncated
        self._returns += rewards
        self._lengths += 1
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = dones.nonzero()[0]
        if len(ended):
            final = _numpy(step.final_obs)
            for i in ended:
                infos[i] = self._episode_info(i, final[i], bool(truncated[i] & ~terminated[i]))
            self._returns[ended] = 0
            self._lengths[ended] = 0
        return _numpy(step.obs), rewards, dones, infos

    def _episode_info(self, i: int, final: NDArray[np.float32], truncated: bool) -> dict[str, Any]:
        seconds = round(time.time() - self._started, 6)
        return {
            "terminal_observation": final,
            "TimeLimit.truncated": truncated,
            "episode": {"r": float(self._returns[i]), "l": int(self._lengths[i]), "t": seconds},
        }

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The engine's attribute, once for each of ``indices``."""
        owner = self if attr_name == "render_mode" else self.engine
        return [getattr(owner, attr_name)] * len(self._indices(indices))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Not possible: environments of an engine have no objects of their own."""
        raise AttributeError(
            f"'{attr_name}' cannot be set on single environments of the engine "
            f"{type(self.engine).__name__}; configure the engine when it is made."
        )

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Not possible: environments of an engine have no objects of their own."""
        raise AttributeError(
            f"The engine {type(self.engine).__name__} has no single environments to call "
            f"'{method_name}' on; use gymnasium.make('{self.engine.id}') for that."
        )

    def env_is_wrapped(
        self, wrapper_class: type[gym.Wrapper[Any, Any, Any, Any]], indices: VecEnvIndices = None
    ) -> list[bool]:
        """True for ``Monitor``, whose ``episode`` entries this class writes."""
        return [wrapper_class is Monitor] * len(self._indices(indices))

    def _indices(self, indices: VecEnvIndices) -> Sequence[int]:
        return list(self._get_indices(indices))


class VecEnvEngine(BatchedEnv):
    """Any SB3 ``VecEnv``, wrapped ones too, as an engine.

    Args:
        vec_env: environments with box observations and actions.
        device: where actions come from and results go.

    Raises:
        ValueError: one of the spaces is not a box.
    """

    def __init__(self, vec_env: VecEnv, device: torch.device | str = "cpu") -> None:
        self.id = _id_of(vec_env)
        self.num_envs = vec_env.num_envs
        self.device = torch.device(device)
        self.observation_space = flat_box(vec_env.observation_space, "observation", self.id)
        self.action_space = flat_box(vec_env.action_space, "action", self.id)
        assert isinstance(vec_env.action_space, spaces.Box)
        self._raw_actions = vec_env.action_space
        self.vec_env = vec_env

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        if seed is not None:
            self.vec_env.seed(seed)
        return self._flat(self.vec_env.reset())

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        actions = unflatten_actions(check_action(self, action), self._raw_actions)
        raw_obs, rewards, dones, infos = self.vec_env.step(actions)
        obs = final_obs = self._flat(raw_obs)
        truncated = np.zeros(self.num_envs, np.bool_)
        ended = dones.nonzero()[0]
        if len(ended):
            final_obs = obs.clone()
            for i in ended:
                truncated[i] = infos[i].get("TimeLimit.truncated", False)
                final_obs[i] = self._flat(infos[i]["terminal_observation"][None])[0]
        return Step(
            obs,
            self._tensor(rewards.astype(np.float32)),
            self._tensor(dones & ~truncated),
            self._tensor(truncated),
            final_obs,
        )

    def _flat(self, obs: Any) -> Tensor:
        return self._tensor(np.asarray(obs).reshape(len(obs), -1).astype(np.float32))

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def close(self) -> None:
        """Close the environments."""
        self.vec_env.close()


def as_engine(env: VecEnv, device: torch.device | str = "cpu") -> BatchedEnv:
    """The engine behind an :class:`EngineVecEnv`, or the ``VecEnv`` itself as an engine.

    A wrapped adapter (``VecNormalize``, ``VecMonitor``) keeps its wrapper: what the learner
    then sees is what the wrapper returns.
    """
    return env.engine if isinstance(env, EngineVecEnv) else VecEnvEngine(env, device)


def _id_of(vec_env: VecEnv) -> str:
    """The Gymnasium id of the environments, or the class of the ``VecEnv``."""
    inner = vec_env.unwrapped
    if isinstance(inner, EngineVecEnv):
        return inner.engine.id
    try:
        return str(vec_env.get_attr("spec", 0)[0].id)
    except AttributeError:
        return type(inner).__name__


def _numpy(x: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = x.cpu().numpy()
    return array

"""The GPU engine: thousands of worlds in MuJoCo Warp, from actions to observations on one device.

It computes in float32 and is within its rounding of MuJoCo after one environment step; over an
episode trajectories part, as chaotic ones do, while returns stay the same within their error. Warp
adds up in no fixed order on a GPU, so two runs with one seed differ there; on a processor they do
not.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor

from envs.batched import BatchedEnv, SimulationError, Step
from envs.checks import check_action, check_num_envs, check_seed
from envs.native import load_model
from envs.recorded import Recorded
from envs.specs import Task
from envs.streams import Streams, normal
from envs.warp_checks import check_memory, memory_may_run_out, require_warp

_log = logging.getLogger("envs")


class WarpEnv(BatchedEnv):
    """N environments of one MuJoCo task, simulated together on a device.

    Episodes start with the noise of Gymnasium's, from one stream of random numbers for each
    environment; they are not the numbers that Gymnasium draws.

    A world whose state is no longer finite ends its episode: it is terminated, its reward and its
    final observation are 0, and it starts anew. :meth:`check` counts them.

    Args:
        task: what to simulate, one of ``envs.specs.TASKS`` or a variant of it.
        num_envs: N.
        device: where everything lives and happens, a GPU or the processor.
        seed: environment i draws its resets from ``seed + i``.

    Raises:
        ValueError: Warp, a driver or memory for so many worlds is missing, there is less than one
            environment, or a negative seed.
    """

    def __init__(
        self, task: Task, num_envs: int = 4096, device: torch.device | str = "cpu", seed: int = 0
    ) -> None:
        check_num_envs(num_envs)
        check_seed(seed)
        self.id, self.num_envs, self.task = task.id, num_envs, task
        self.device = require_warp(torch.device(device))
        from envs.worlds import Worlds  # brings Warp, which not every machine has

        model = load_model(task)
        check_memory(task.id, model, num_envs, self.device)
        self.streams = Streams(num_envs, self.device, seed)
        with memory_may_run_out(task.id, num_envs, self.device):
            self.worlds = Worlds(model, task, num_envs, self.device)
        low, high = model.actuator_ctrlrange.astype(np.float32).T
        self._low, self._high = (torch.tensor(bound, device=self.device) for bound in (low, high))
        self._qpos0 = torch.tensor(model.qpos0, dtype=torch.float32, device=self.device)  # (nq,)
        width = task.observe(self.worlds.physics).shape[-1]
        self.observation_space = spaces.Box(-np.inf, np.inf, (width,), np.float32)
        self.action_space = spaces.Box(low, high, dtype=np.float32)
        self._position = torch.zeros(num_envs, device=self.device)
        self._elapsed = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._broken = torch.zeros((), dtype=torch.int64, device=self.device)
        self._recorded: Recorded | None = None

    def start_from(self, observations: Tensor, probability: float, seed: int = 0) -> None:
        """Start episodes in recorded states; see :meth:`BatchedEnv.start_from`."""
        self._recorded = None
        if probability:
            n = self.num_envs
            observations = observations.to(self.device)
            self._recorded = Recorded(self.task, observations, probability, n, seed)

    def reset(self, seed: int | None = None) -> Tensor:
        """Start every environment anew; see :meth:`BatchedEnv.reset`."""
        if seed is not None:
            self.streams.seed(seed)
        everywhere = torch.ones_like(self._elapsed, dtype=torch.bool)
        return self._restart(everywhere, self.task.observe(self.worlds.physics))

    def step(self, action: Tensor) -> Step:
        """Advance every environment by one step; see :meth:`BatchedEnv.step`."""
        action = check_action(self, action).to(self.device)
        action = torch.minimum(torch.maximum(action, self._low), self._high)
        # As in MuJoCo, which ignores all controls beside one that is not a number.
        known = action.isfinite().all(-1, keepdim=True)
        self.worlds.advance(torch.where(known, action, 0.0))
        physics, task = self.worlds.physics, self.task
        final_obs = task.observe(physics)
        state = torch.cat([physics.qpos, physics.qvel, final_obs], -1)
        broken = ~state.isfinite().all(-1)
        healthy = task.healthy(physics) & ~broken
        position = task.position(physics)
        reward = task.reward(physics, action, (position - self._position) / task.dt, healthy)
        self._position = position.clone()
        self._elapsed = self._elapsed + 1
        self._broken = self._broken + broken.sum()
        truncated = self._elapsed >= task.time_limit
        final_obs = final_obs.masked_fill(broken[:, None], 0.0)
        obs = self._restart(~healthy | truncated, final_obs)
        return Step(obs, reward.masked_fill(broken, 0.0), ~healthy, truncated, final_obs)

    def _restart(self, ended: Tensor, obs: Tensor) -> Tensor:
        """Start episodes where others ended (N,); gives observations (N, O), else ``obs``."""
        physics, task, scale = self.worlds.physics, self.task, self.task.reset_noise
        nq, nv = physics.qpos.shape[1], physics.qvel.shape[1]
        draws = self.streams.uniform(nq + nv, ended)
        qpos = self._qpos0 + scale * (2.0 * draws[:, :nq] - 1.0)
        noise = draws[:, nq:]
        qvel = scale * (normal(noise) if task.normal_velocities else 2.0 * noise - 1.0)
        if self._recorded is None:
            self.worlds.place(ended, qpos, qvel)
            first = task.observe(physics)
        else:
            chosen, rows = self._recorded.draw(ended)
            recorded = self._recorded.states(rows, self._qpos0, nv)
            pairs = zip(recorded, (qpos, qvel), strict=True)
            self.worlds.place(ended, *(torch.where(chosen, mine, own) for mine, own in pairs))
            first = torch.where(chosen, rows, task.observe(physics))
        self._position = torch.where(ended, task.position(physics), self._position)
        self._elapsed = self._elapsed.masked_fill(ended, 0)
        return torch.where(ended[:, None], first, obs)

    def check(self) -> None:
        """Look whether the simulation went wrong since the last look; waits for the device.

        Some broken or crowded worlds are told in a warning, many stop the run.

        Raises:
            SimulationError: of more than one world in a hundred (and more than ten) the state was
                not finite, or contacts were left out for want of room.
        """
        from envs.worlds import SHORTAGES

        short = self.worlds.shortages & SHORTAGES
        counts = torch.stack([self._broken, (short != 0).sum()]).tolist()
        self._broken = torch.zeros_like(self._broken)
        self.worlds.shortages.zero_()
        what = (
            "states that were not finite and started anew",
            "more contacts than it has room for, of which some were left out",
        )
        for count, found in zip(counts, what, strict=True):
            sentence = f"{count} of {self.num_envs} simulated worlds of {self.id} had {found}"
            if count > max(10, self.num_envs // 100):
                raise SimulationError(
                    f"{sentence}, so the run stopped; start a new one with smaller or smoother "
                    "actions, or on the processor (--backend native)."
                )
            if count:
                _log.warning("%s.", sentence)

    def copy_world(self, world: int, data: Any) -> None:
        """Copy one world's state into MuJoCo's data, to draw it or to go on with it there.

        Args:
            world: which environment.
            data: an ``MjData`` of the task's model; all that derives from the state is computed.
        """
        self.worlds.copy_world(world, data)

    def close(self) -> None:
        """Free the simulation's memory; the engine is unusable afterwards."""
        del self.worlds

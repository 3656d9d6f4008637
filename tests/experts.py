"""Demonstrations of the toy task, made on the spot by its analytic expert."""

from __future__ import annotations

import torch

from envs.toy import ID, PointMass, expert_action
from gail.demonstrations import Demonstrations, Episode


def point_mass_demonstrations(episodes: int = 8, seed: int = 1000) -> Demonstrations:
    """Whole episodes of the expert, one environment each."""
    env = PointMass(episodes, seed=seed)
    observations, actions, rewards = [env.reset()], [], []
    for _ in range(env.time_limit):
        actions.append(expert_action(observations[-1]))
        step = env.step(actions[-1])
        rewards.append(step.reward)
        observations.append(step.final_obs)
    return Demonstrations.from_episodes(
        [
            Episode(
                torch.stack(observations)[:, i].numpy(),
                torch.stack(actions)[:, i].numpy(),
                torch.stack(rewards)[:, i].numpy(),
                terminated=False,
            )
            for i in range(episodes)
        ],
        env_id=ID,
    )

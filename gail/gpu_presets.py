"""Settings for thousands of environments on a GPU: short rollouts, large minibatches.

They follow from the measured presets of few environments: as many updates in a run, each on more
rows. No figures of them exist yet; ``scripts/gpu_check.py`` measures them.
"""

from __future__ import annotations

from dataclasses import replace

from gail.presets import PPOSettings, Settings, preset, reward_preset


def gpu_preset(env_id: str | None) -> Settings:
    """Settings of GAIL on a GPU.

    Args:
        env_id: Gymnasium id, or None where it is not known.

    >>> settings = gpu_preset("Ant-v5")
    >>> settings.ppo.num_envs * settings.ppo.n_steps
    131072
    """
    settings = preset(env_id)
    rows = replace(settings.discriminator, batch_size=4096, replay_rollouts=4)
    return replace(
        settings, steps=30_000_000, ppo=_many_environments(settings.ppo), discriminator=rows
    )


def gpu_reward_preset(env_id: str | None) -> PPOSettings:
    """Settings of TorchPPO on the environment's own reward, on a GPU.

    Args:
        env_id: Gymnasium id, or None where it is not known.

    >>> gpu_reward_preset("Humanoid-v5").batch_size
    16384
    """
    return _many_environments(reward_preset(env_id))


def _many_environments(settings: PPOSettings) -> PPOSettings:
    return replace(settings, num_envs=4096, n_steps=32, batch_size=16_384)

"""Policies as the zips of Stable-Baselines3; :mod:`gail.sb3_import` is the way in.

The network here speaks in half-ranges of the action box, which is folded into the last layer, and
sees observations normalised and clipped, which becomes SB3's features extractor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor

from gail.errors import GailError
from gail.network import plain_policy
from gail.persistence import ALIASES
from gail.playing import make
from gail.policy import NormalisedPolicy
from gail.ppo import TorchPPO
from generative.files import replacing_file

EXTRACTOR = "features_extractor."


def to_sb3(model: TorchPPO, path: str | Path | None = None) -> PPO:
    """The policy as Stable-Baselines3's own PPO, whose ``predict`` gives the same actions.

    Args:
        model: trained or loaded here.
        path: also write it to this zip, which ``stable_baselines3.PPO.load`` opens, whether this
            project is installed there or not, under the same minor version of Python.

    Raises:
        GailError: if the policy's class is not this project's, or the file cannot be written.

    >>> from gail import pretrained
    >>> type(to_sb3(pretrained("Humanoid-v5", device="cpu"))).__module__
    'stable_baselines3.ppo.ppo'
    """
    policy = plain_policy(model)
    twin = _untrained(model)
    twin.policy.load_state_dict(_their_tensors(policy))
    twin.num_timesteps = model.num_timesteps
    if path is not None:
        with replacing_file(path) as handle:
            twin.save(handle)  # type: ignore[arg-type]  # a BufferedIOBase, as SB3 asks
    return twin


def _untrained(model: TorchPPO) -> PPO:
    """SB3's PPO with networks of the same shape and the same settings, where SB3 has them."""
    settings, normaliser = model.ppo_settings, model.policy.normaliser
    twin = PPO(
        "MlpPolicy",
        None,  # type: ignore[arg-type]
        learning_rate=settings.learning_rate,
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        clip_range=settings.clip_range,
        ent_coef=settings.ent_coef,
        vf_coef=settings.vf_coef,
        max_grad_norm=settings.max_grad_norm,
        policy_kwargs={
            "net_arch": list(settings.net_arch),
            "activation_fn": model.policy.activation_fn,
            "features_extractor_class": _portable_extractor(),
            "features_extractor_kwargs": {"clip": normaliser.clip},
        },
        device=model.device,
        _init_setup_model=False,
    )
    twin.observation_space, twin.action_space, twin.n_envs = *_spaces(model), 1
    with torch.random.fork_rng(devices=[]):  # its weights are drawn only to be replaced
        twin._setup_model()
    return twin


def _spaces(model: TorchPPO) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """The task's own spaces, which SB3 compares with an environment's, where they are known."""
    own = model.observation_space, model.action_space
    if model.env_id is None:
        return own
    try:
        env = make(model.env_id)
    except GailError:  # it is not registered here
        return own
    env.close()
    return env.observation_space, env.action_space


def _portable_extractor() -> type[BaseFeaturesExtractor]:
    """The normaliser as SB3's features extractor.

    A class made inside a function is written into the zip with its code, so that SB3 can open it
    where this project is not installed; one at the top of a module would be named only.
    """

    class NormalisedObservations(BaseFeaturesExtractor):
        def __init__(self, observation_space: Any, clip: float) -> None:
            width = observation_space.shape[0]
            super().__init__(observation_space, features_dim=width)
            self.clip = clip
            self.register_buffer("mean", torch.zeros(width))
            self.register_buffer("scale", torch.ones(width))

        def forward(self, observations: Any) -> Any:
            centred = observations.flatten(1) - self.mean
            return (centred * self.scale).clamp(-self.clip, self.clip)

    return NormalisedObservations


def _their_tensors(policy: NormalisedPolicy) -> dict[str, Tensor]:
    """The policy's tensors by SB3's names, for actions in the environment's units."""
    tensors = {k: v for k, v in policy.state_dict().items() if EXTRACTOR not in k}
    centre, half = policy.action_centre, policy.action_half_range
    tensors["action_net.weight"] = half[:, None] * tensors["action_net.weight"]
    tensors["action_net.bias"] = centre + half * tensors["action_net.bias"]
    tensors["log_std"] = tensors["log_std"] + half.log()
    normaliser = policy.normaliser
    for name, value in (("mean", normaliser.mean.clone()), ("scale", normaliser.scale)):
        tensors |= {alias + name: value for alias in (EXTRACTOR, *ALIASES)}
    return tensors

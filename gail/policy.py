"""The policy: an SB3 actor-critic that carries its own normaliser and thinks in half-ranges.

Two things differ from SB3's ``MlpPolicy``. Observations pass a running normaliser whose
statistics are buffers of the policy, so a saved policy is complete. The network's outputs are
multiples of the action box's half-range, so a log standard deviation means the same on Ant
(box +-1) and on Humanoid (+-0.4); everything outside the policy speaks the environment's units.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.distributions import DiagGaussianDistribution, Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import PyTorchObs, Schedule
from torch import Tensor, nn

from gail.errors import GailError
from gail.presets import PPOSettings
from generative.normaliser import RunningNorm

ACTIVATIONS = {"elu": nn.ELU, "relu": nn.ReLU, "tanh": nn.Tanh}


class NormalisedObservations(BaseFeaturesExtractor):
    """SB3 features extractor: the flat observation (B, O), normalised by running statistics."""

    def __init__(self, observation_space: spaces.Box) -> None:
        width = int(np.prod(observation_space.shape))
        super().__init__(observation_space, features_dim=width)
        self.normaliser = RunningNorm(width)

    def forward(self, observations: Tensor) -> Tensor:
        """Normalise observations (B, O)."""
        normalised: Tensor = self.normaliser(observations.flatten(1))
        return normalised


class NormalisedPolicy(ActorCriticPolicy):
    """Diagonal Gaussian actor and a critic on normalised observations.

    Use it through ``TorchPPO("MlpPolicy", ...)`` or ``GAIL("MlpPolicy", ...)``.
    """

    action_centre: Tensor  # (A,)
    action_half_range: Tensor  # (A,)

    def _build(self, lr_schedule: Schedule) -> None:
        assert isinstance(self.action_space, spaces.Box)
        centre, half_range = action_units(self.action_space)
        self.register_buffer("action_centre", centre, persistent=False)
        self.register_buffer("action_half_range", half_range, persistent=False)
        super()._build(lr_schedule)

    @property
    def normaliser(self) -> RunningNorm:
        """The running statistics of observations."""
        extractor = self.features_extractor
        assert isinstance(extractor, NormalisedObservations)
        return extractor.normaliser

    def gaussian(self, latent_pi: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (B, A) and log standard deviation (A,) of the action, in the environment's units."""
        mean = self.action_centre + self.action_half_range * self.action_net(latent_pi)
        return mean, self.log_std + self.action_half_range.log()

    def act(self, obs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Sample actions for a rollout.

        Args:
            obs: observations (N, O).
            generator: where the noise is drawn from.

        Returns:
            Unclipped actions (N, A), values (N,) and log-probabilities (N,).
        """
        latent_pi, latent_vf = self.mlp_extractor(self.extract_features(obs))
        mean, log_std = self.gaussian(latent_pi)
        noise = torch.empty_like(mean).normal_(generator=generator)
        action = mean + log_std.exp() * noise
        return action, self.value_net(latent_vf).squeeze(-1), log_prob(action, mean, log_std)

    def evaluate_actions(self, obs: PyTorchObs, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values (B,), log-probabilities (B,) and entropies (B,) of given actions."""
        assert isinstance(obs, Tensor)
        features = self.normaliser(obs.flatten(1))
        return self.evaluate_features(features, actions)

    def evaluate_features(self, features: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same for normalised observations (B, O), as :attr:`normaliser` makes them."""
        latent_pi, latent_vf = self.mlp_extractor(features)
        mean, log_std = self.gaussian(latent_pi)
        entropy = (log_std + 0.5 * math.log(2 * math.pi * math.e)).sum().expand(len(mean))
        return self.value_net(latent_vf).squeeze(-1), log_prob(actions, mean, log_std), entropy

    def _get_action_dist_from_latent(self, latent_pi: Tensor) -> Distribution:
        mean, log_std = self.gaussian(latent_pi)
        assert isinstance(self.action_dist, DiagGaussianDistribution)
        # SB3 would let torch validate the arguments, which costs a device synchronisation.
        self.action_dist.distribution = torch.distributions.Normal(
            mean, log_std.exp().expand_as(mean), validate_args=False
        )
        return self.action_dist


def check_policy(policy: str | type[NormalisedPolicy]) -> None:
    """Refuse SB3's own policies, which lack what the tensor path needs.

    Raises:
        GailError: it is neither ``"MlpPolicy"`` nor a subclass of :class:`NormalisedPolicy`.
    """
    is_ours = isinstance(policy, type) and issubclass(policy, NormalisedPolicy)
    if policy != "MlpPolicy" and not is_ours:
        raise GailError(
            f"policy is {policy!r}; give 'MlpPolicy' or a subclass of NormalisedPolicy."
        )


def networks(settings: PPOSettings) -> dict[str, Any]:
    """SB3's ``policy_kwargs`` for the policy's networks and optimiser."""
    return {
        "features_extractor_class": NormalisedObservations,
        "net_arch": list(settings.net_arch),
        "activation_fn": ACTIVATIONS[settings.activation],
        "log_std_init": settings.log_std_init,
    }


def adam(policy: NormalisedPolicy, settings: PPOSettings, device: torch.device) -> torch.optim.Adam:
    """The optimiser of a policy; its first group's step size is the one that may change.

    Args:
        policy: actor and critic.
        settings: the step size, and the critic's where it has its own.
        device: where the policy is.
    """
    critics = [*policy.mlp_extractor.value_net.parameters(), *policy.value_net.parameters()]
    own = settings.critic_learning_rate
    apart = {id(parameter) for parameter in critics} if own is not None else set()
    rest = [parameter for parameter in policy.parameters() if id(parameter) not in apart]
    # Fused Adam takes its step size as a tensor, so adapting it needs no host copy.
    rate = torch.tensor(settings.learning_rate, device=device)
    groups: list[dict[str, Any]] = [{"params": rest, "lr": rate}]
    if own is not None:
        groups.append({"params": critics, "lr": torch.tensor(own, device=device)})
    return torch.optim.Adam(groups, eps=1e-5, fused=True)


def action_units(space: spaces.Box) -> tuple[Tensor, Tensor]:
    """Centre (A,) and half-range (A,) of an action box; 0 and 1 where a bound is infinite."""
    low, high = torch.as_tensor(space.low).flatten(), torch.as_tensor(space.high).flatten()
    finite = torch.isfinite(low) & torch.isfinite(high)
    centre = torch.where(finite, (low + high) / 2, 0.0)
    return centre.float(), torch.where(finite, (high - low) / 2, 1.0).float()


def log_prob(action: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log-density (B,) of a diagonal Gaussian at actions (B, A)."""
    z = (action - mean) * torch.exp(-log_std)
    return -(0.5 * z.square() + log_std + 0.5 * math.log(2 * math.pi)).sum(-1)

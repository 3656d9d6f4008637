"""What a rollout is: T steps of N environments as tensors on one device, and their advantages.

Next values are kept apart from rewards (SB3 adds them to the rewards), because an imitation
learner replaces the rewards after the rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from gymnasium import spaces
from torch import Tensor

from envs import Step
from gail.errors import GailError
from gail.presets import PPOSettings
from generative.normaliser import RunningNorm


class Batch(NamedTuple):
    """Rows of a rollout that a PPO minibatch needs."""

    features: Tensor  # (B, O), normalised observations
    actions: Tensor  # (B, A), unclipped
    log_probs: Tensor  # (B,)
    advantages: Tensor  # (B,)
    returns: Tensor  # (B,)


class Rollout:
    """Storage for one rollout, allocated once; takes SB3's rollout-buffer arguments.

    Args:
        buffer_size: T.
        observation_space: flat box (O,).
        action_space: flat box (A,).
        device: where the tensors live.
        gae_lambda: decay of the advantage estimator.
        gamma: discount.
        n_envs: N.
    """

    def __init__(
        self,
        buffer_size: int,
        observation_space: spaces.Box,
        action_space: spaces.Box,
        device: torch.device | str = "cpu",
        gae_lambda: float = 0.95,
        gamma: float = 0.99,
        n_envs: int = 1,
    ) -> None:
        steps, envs = buffer_size, n_envs
        width, action_width = observation_space.shape[0], action_space.shape[0]
        self.gamma, self.gae_lambda = gamma, gae_lambda
        self.observations = torch.zeros(steps, envs, width, device=device)  # (T, N, O)
        self.next_observations = torch.zeros(steps, envs, width, device=device)  # (T, N, O)
        self.actions = torch.zeros(steps, envs, action_width, device=device)  # (T, N, A)
        self.rewards, self.values, self.next_values, self.log_probs, self.advantages = torch.zeros(
            5, steps, envs, device=device
        )  # (T, N) each
        self.terminated, self.truncated = torch.zeros(
            2, steps, envs, dtype=torch.bool, device=device
        )  # (T, N) each

    def reset(self) -> None:
        """Nothing to do: every rollout overwrites the last (SB3 calls this)."""

    @property
    def dones(self) -> Tensor:
        """Where an episode ended, (T, N)."""
        return torch.logical_or(self.terminated, self.truncated)

    @property
    def returns(self) -> Tensor:
        """Targets of the value function: advantages + values, (T, N)."""
        return torch.add(self.advantages, self.values)

    def transitions(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (T * N, ...) of observation, action and next observation."""
        columns = (self.observations, self.actions, self.next_observations)
        return tuple(column.flatten(0, 1) for column in columns)  # type: ignore[return-value]

    def store(self, t: int, obs: Tensor, acted: tuple[Tensor, Tensor, Tensor], step: Step) -> None:
        """Write step t: what was seen, what the policy did (see ``act``) and what followed."""
        self.observations[t].copy_(obs)
        for row, value in zip((self.actions, self.values, self.log_probs), acted, strict=True):
            row[t].copy_(value)
        self.rewards[t].copy_(step.reward)
        self.terminated[t].copy_(step.terminated)
        self.truncated[t].copy_(step.truncated)
        self.next_observations[t].copy_(step.final_obs)

    def collected(self) -> dict[str, Tensor]:
        """What was stored and has to be finite, by name.

        Next observations may not be: a simulation that blows up ends its episode with NaN.
        """
        return {
            "rollout's observations": self.observations,
            "rollout's actions": self.actions,
            "rollout's log-probabilities": self.log_probs,
            "rollout's values": self.values,
        }

    def compute_advantages(self, rewards: Tensor, value: Callable[[Tensor], Tensor]) -> None:
        """Fill advantages from rewards (T, N) and a value function of observations (B, O)."""
        next_values = value(self.next_observations.flatten(0, 1)).view_as(rewards)
        self.next_values.copy_(next_values.masked_fill(self.terminated, 0.0))
        self.advantages.copy_(
            gae(rewards, self.values, self.next_values, self.dones, self.gamma, self.gae_lambda)
        )

    def minibatches(
        self, features: Tensor, batch_size: int, generator: torch.Generator
    ) -> Iterator[Batch]:
        """One pass over all rows in random order; advantages normalised over the whole rollout.

        Args:
            features: normalised observations (T, N, O).
            batch_size: B.
            generator: of the order.
        """
        advantages = self.advantages.flatten()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        rows = Batch(
            features.flatten(0, 1),
            self.actions.flatten(0, 1),
            self.log_probs.flatten(),
            advantages,
            self.returns.flatten(),
        )
        device = advantages.device
        order = torch.randperm(len(advantages), generator=generator, device=device)
        for chosen in torch.split(order, batch_size):
            yield Batch(*(column[chosen] for column in rows))


def minibatch_rows(settings: PPOSettings, num_envs: int | None) -> int:
    """Rows of a minibatch: as set, but no more than a rollout has.

    Args:
        settings: steps of a rollout and the size asked for.
        num_envs: N, None where nothing is simulated.

    Raises:
        GailError: if a rollout has one row only, whose advantage cannot be normalised.
    """
    if num_envs is None:
        return settings.batch_size
    rows = settings.n_steps * num_envs
    if rows < 2:
        raise GailError(
            "A rollout of one step of one environment is too little to learn from; "
            "give more environments or steps (--ppo.num-envs, --ppo.n-steps)."
        )
    return min(settings.batch_size, rows)


def gae(
    rewards: Tensor, values: Tensor, next_values: Tensor, dones: Tensor, gamma: float, lam: float
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, Eq. 16), all tensors (T, N).

    ``next_values`` is V of the state that followed: of the final observation where the episode
    was truncated and 0 where it terminated. ``dones`` only stops the sum.

    >>> one = torch.ones(2, 1)
    >>> gae(one, 0 * one, 0 * one, torch.zeros(2, 1, dtype=torch.bool), 0.5, 1.0).flatten()
    tensor([1.5000, 1.0000])
    """
    deltas = rewards + gamma * next_values - values
    decay = gamma * lam * (~dones).to(rewards.dtype)
    advantages = torch.empty_like(rewards)
    following = torch.zeros_like(rewards[0])
    for t in reversed(range(len(rewards))):
        following = deltas[t] + decay[t] * following
        advantages[t] = following
    return advantages


class StepInfos(Sequence[dict[str, Any]]):
    """What SB3 callbacks read as ``infos``, built only for the environments they look at.

    A finished episode has ``terminal_observation``, ``TimeLimit.truncated`` and ``episode``.

    Args:
        step: what the engine returned.
        returns: return so far of every environment's episode, (N,).
        lengths: its length, (N,).
    """

    def __init__(self, step: Step, returns: Tensor, lengths: Tensor) -> None:
        self.step, self.returns, self.lengths = step, returns, lengths
        self.dones = step.terminated | step.truncated

    def __len__(self) -> int:
        return len(self.dones)

    def __getitem__(self, i: Any) -> Any:
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        if not self.dones[i]:
            return {}
        return {
            "terminal_observation": self.step.final_obs[i].cpu().numpy(),
            "TimeLimit.truncated": not self.step.terminated[i].item(),
            "episode": {"r": self.returns[i].item(), "l": self.lengths[i].item()},
        }


class EpisodeMeter:
    """Return and length of every episode, with one host copy a rollout.

    Args:
        num_envs: N.
        device: where rewards come from.
    """

    def __init__(self, num_envs: int, device: torch.device) -> None:
        self.returns = torch.zeros(num_envs, dtype=torch.float64, device=device)  # (N,)
        self.lengths = torch.zeros(num_envs, dtype=torch.int64, device=device)  # (N,)
        self._steps: list[StepInfos] = []

    def add(self, step: Step) -> StepInfos:
        """Count one step of all environments."""
        infos = StepInfos(step, self.returns + step.reward, self.lengths + 1)
        self.returns = infos.returns.masked_fill(infos.dones, 0.0)
        self.lengths = infos.lengths.masked_fill(infos.dones, 0)
        self._steps.append(infos)
        return infos

    def finished(self) -> list[tuple[float, int]]:
        """Return and length of the episodes that ended since the last call, oldest first."""
        rows = [
            torch.stack([infos.returns, infos.lengths.double(), infos.dones.double()])
            for infos in self._steps
        ]
        returns, lengths, dones = torch.stack(rows, dim=1).cpu().numpy()  # (T, N) each
        ended = dones.astype(bool)
        self._steps.clear()
        return list(zip(returns[ended].tolist(), lengths[ended].astype(int).tolist(), strict=True))


class RewardScale:
    """Divides rewards by the running standard deviation of their discounted sum.

    The scale follows the rewards as they grow, so that the value network's targets stay near
    one (Engstrom et al. 2020, Section 3, "reward scaling"). The mean is left alone.

    Args:
        num_envs: N.
        gamma: discount of the sum.
        device: where rewards live.
    """

    def __init__(self, num_envs: int, gamma: float, device: torch.device) -> None:
        self.gamma = gamma
        self.sums = torch.zeros(num_envs, device=device)  # (N,)
        self.statistics = RunningNorm(1).to(device)

    def __call__(self, rewards: Tensor, dones: Tensor) -> Tensor:
        """Take rewards (T, N) into the statistics and return them scaled, (T, N)."""
        sums = torch.empty_like(rewards)
        for t in range(len(rewards)):
            self.sums = self.gamma * self.sums + rewards[t]
            sums[t] = self.sums
            self.sums = self.sums.masked_fill(dones[t], 0.0)
        self.statistics.update(sums.view(-1, 1))
        return (rewards / torch.sqrt(self.statistics.var + 1e-8)).clamp(-10.0, 10.0)


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch on one thread for a while: idle ones would spin where the physics wants to run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)

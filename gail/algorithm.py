"""GAIL: generative adversarial imitation learning (Ho & Ermon 2016, arXiv 1606.03476).

One iteration of the paper's Algorithm 1 is :meth:`GAIL.train`, on the trajectories that
:meth:`gail.ppo.TorchPPO.collect_rollouts` has collected; the loop over both is Stable-Baselines3's
``learn``.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Self

import torch
from gymnasium import spaces
from stable_baselines3.common.type_aliases import MaybeCallback
from torch import Tensor

import envs
from gail import checkpoint
from gail.cloning import clone, cloning_loss, cloning_weight, start_statistics
from gail.demonstrations import Demonstrations, Transitions
from gail.discriminator import Discriminator, Replay, adversarial_loss, random_rows
from gail.errors import CheckpointError
from gail.losses import mean_of
from gail.persistence import Sections
from gail.policy import NormalisedPolicy
from gail.ppo import Environment, TorchPPO, environment_id
from gail.presets import Settings, from_json, preset
from gail.ranges import expect
from gail.rewards import REWARDS
from gail.rollout import Batch, Rollout


class GAIL(TorchPPO):
    """A policy that learns from demonstrations: the reward is a discriminator's verdict.

    Args:
        policy: ``"MlpPolicy"``, or a subclass of :class:`gail.policy.NormalisedPolicy`.
        env: a Gymnasium id, an engine of :mod:`envs`, an SB3 ``VecEnv`` or a Gymnasium
            environment; None only while loading.
        demonstrations: the expert; None only while loading.
        settings: how to learn; by default the preset of the environment.
        every: keep every k-th step of each trajectory, from a random offset, as in the paper.
        seed: of weights, noise, environments and the offset.
        device: of everything learned, ``"auto"`` for a GPU if there is one.
        backend: which engine simulates when ``env`` is an id.
        tensorboard_log: folder for TensorBoard events, as in SB3.
        verbose: as in SB3.

    Raises:
        ValueError: if the demonstrations do not fit the environment, or the environment is
            unknown or its spaces are not flat boxes.

    >>> from gail.presets import CloningSettings, PPOSettings
    >>> demos = Demonstrations.shipped("Ant-v5", trajectories=1)
    >>> ppo = PPOSettings(num_envs=2, n_steps=8, batch_size=16)
    >>> settings = Settings(ppo=ppo, cloning=CloningSettings(steps=1))
    >>> GAIL("MlpPolicy", "Ant-v5", demos, settings).learn(16).num_timesteps
    16
    """

    discriminator: Discriminator

    def __init__(
        self,
        policy: str | type[NormalisedPolicy],
        env: Environment | None,
        demonstrations: Demonstrations | None,
        settings: Settings | None = None,
        *,
        every: int = 1,
        seed: int = 0,
        device: torch.device | str = "auto",
        backend: envs.Backend = "auto",
        tensorboard_log: str | None = None,
        verbose: int = 0,
    ) -> None:
        self.settings = settings or preset(environment_id(env))
        expect("settings", self.settings, Settings)
        if demonstrations is not None:
            expect("demonstrations", demonstrations, Demonstrations)
        super().__init__(
            policy,
            env,
            self.settings.ppo,
            seed=seed,
            device=device,
            backend=backend,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
        )
        self.demonstrations, self.every = demonstrations, every
        if demonstrations is not None:
            self._take_expert(demonstrations, every, seed)

    def _setup_model(self) -> None:
        super()._setup_model()
        assert isinstance(self.action_space, spaces.Box)
        width = self.rollout_buffer.observations.shape[-1]
        settings = self.settings.discriminator
        self.discriminator = Discriminator(width, self.action_space, settings).to(self.device)
        # A tensor, because a checkpoint would round a Python float to one.
        rate = torch.tensor(settings.learning_rate, device=self.device)
        parameters = self.discriminator.parameters()
        self.discriminator_optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
        self.replay = Replay(settings.replay_rollouts)
        self.reward = REWARDS[settings.reward]
        self.cloned = False

    def _take_expert(self, demonstrations: Demonstrations, every: int, seed: int) -> None:
        """Check the demonstrations, put them on the device, and start all statistics there."""
        demonstrations.check_for(self.env_id, self.observation_space, self.action_space)
        expert = demonstrations.transitions(every=every, seed=seed)
        if self.settings.expert_resets:
            self.engine.start_from(expert.obs, self.settings.expert_resets, seed)
        self.expert = Transitions(*(column.to(self.device) for column in expert))
        start_statistics(self.policy, self.expert, self.settings.cloning)
        self.discriminator.normaliser.update(self.expert.obs)

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 1,
        tb_log_name: str = "GAIL",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Clone the expert, then imitate it for ``total_timesteps``; 0 is cloning alone.

        Arguments are SB3's.

        Raises:
            DivergenceError: if actions, rewards, losses or gradients are not finite.
        """
        if self.demonstrations is None:
            raise ValueError("This model has no demonstrations; build it with some to train it.")
        if not self.cloned:
            clone(self.policy, self.expert, self.settings.cloning, self.generator)
            self.cloned = True
        return super().learn(
            total_timesteps, callback, log_interval, tb_log_name, reset_num_timesteps, progress_bar
        )

    def train(self) -> None:
        """One iteration of Algorithm 1, on the trajectories just collected.

        1. The discriminator ascends E_expert[log D] + E_policy[log(1 - D)] (Eq. 17).
        2. Its verdict is the reward, -log(1 - D) unless the settings say otherwise.
        3. The policy improves on that reward, by PPO where the paper has TRPO.
        """
        rollout = self.rollout_buffer
        self.improve_discriminator(rollout)
        rewards = self.reward(self.judge(rollout))
        self.improve_policy(rollout, rewards)

    def improve_discriminator(self, rollout: Rollout) -> None:
        """k minibatches of expert rows against rows of the last rollouts."""
        started, settings = time.perf_counter(), self.settings.discriminator
        transitions = rollout.transitions()
        self.replay.add(*self.discriminator.seen(*transitions))
        self.discriminator.normaliser.update(transitions[0])
        self.discriminator.train()
        statistics = [self._discriminator_step() for _ in range(settings.updates)]
        self.discriminator.eval()
        self.seconds["discriminator"] = time.perf_counter() - started
        self._record("discriminator", mean_of(statistics))

    def _discriminator_step(self) -> dict[str, Tensor]:
        settings, generator = self.settings.discriminator, self.generator
        rows = random_rows(len(self.expert.obs), settings.batch_size, generator)
        expert = (self.expert.obs[rows], self.expert.action[rows], self.expert.next_obs[rows])
        policy = self.replay.sample(settings.batch_size, generator)
        features = self.discriminator.features
        loss, statistics = adversarial_loss(
            self.discriminator, features(*expert), features(*policy), settings, generator
        )
        self.discriminator_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        return statistics

    def minibatch_loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """PPO's loss, and the expert's likelihood with a weight that fades."""
        loss, statistics = super().minibatch_loss(batch)
        settings = self.settings.cloning
        weight = cloning_weight(settings, 1.0 - self._current_progress_remaining)
        if weight == 0 or self.critic_only:
            return loss, statistics
        rows = random_rows(len(self.expert.obs), settings.batch_size, self.generator)
        cloning = cloning_loss(self.policy, self.expert.obs[rows], self.expert.action[rows])
        return loss + weight * cloning, statistics | {"cloning_loss": cloning.detach()}

    @torch.no_grad()
    def judge(self, rollout: Rollout) -> Tensor:
        """Logits (T, N) of a rollout's transitions, in one batched call."""
        logits: Tensor = self.discriminator(*rollout.transitions())
        return logits.view_as(rollout.rewards)

    def metadata(self) -> dict[str, Any]:
        """What a saved file says of the model, as JSON."""
        demonstrations = self.demonstrations
        return super().metadata() | {
            "settings": asdict(self.settings),
            "cloned": self.cloned,
            "every": self.every,
            "demonstrations": demonstrations.hash if demonstrations is not None else None,
            "replayed": self.replay.seen,
        }

    @classmethod
    def for_prediction(cls, metadata: dict[str, Any], device: torch.device | str) -> Self:
        """An untrained model without an environment, of the shape that ``metadata`` says."""
        settings = from_json(Settings, metadata["settings"])
        model = cls("MlpPolicy", None, None, settings, device=device)
        model.set_up_without_env(metadata)
        return model

    def weights(self) -> Sections:
        """The policy's tensors and the discriminator's."""
        return super().weights() | {"discriminator": self.discriminator.state_dict()}

    def training_state(self) -> Sections:
        """Everything exact continuation needs beside the weights."""
        return super().training_state() | {
            "discriminator_optimizer": checkpoint.optimizer_state(self.discriminator_optimizer),
            "replay": {str(i): ring for i, ring in enumerate(self.replay.rollouts)},
        }

    def restore_weights(self, sections: Sections) -> None:
        """Undo :meth:`weights`."""
        super().restore_weights(sections)
        self.discriminator.load_state_dict(sections["discriminator"])

    def restore_training(self, metadata: dict[str, Any], sections: Sections) -> None:
        """Undo :meth:`training_state`."""
        mine = self.metadata()
        for field, what in (("demonstrations", "content hash"), ("every", "subsampling")):
            if metadata[field] != mine[field]:
                raise CheckpointError(
                    f"The checkpoint was trained on demonstrations with {what} {metadata[field]} "
                    f"and these have {mine[field]}; give the ones it was trained on."
                )
        super().restore_training(metadata, sections)
        optimizer = sections["discriminator_optimizer"]
        checkpoint.restore_optimizer(self.discriminator_optimizer, optimizer)
        rings = sections["replay"]
        self.replay.rollouts = tuple(rings[str(i)].to(self.device) for i in range(len(rings)))
        self.replay.seen, self.cloned = metadata["replayed"], metadata["cloned"]

"""PPO whose rollout stays on the device: SB3's algorithm around a batched engine.

Everything that SB3 users know works (callbacks, logger, ``learn``, ``predict``,
``evaluate_policy``). What differs is that observations, actions and rewards are tensors from
the engine to the last gradient, and that the step size follows the KL divergence of updates.
"""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

import torch
from gymnasium import Env
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv
from torch import Tensor, nn

import envs
from envs import BatchedEnv
from envs.checks import check_seed, usable_device
from envs.sb3 import EngineVecEnv, as_engine
from gail.errors import DivergenceError
from gail.losses import adapted_rate, mean_of, ppo_loss, require_finite, require_sound
from gail.persistence import SavedPPO
from gail.policy import NormalisedPolicy, adam, check_policy, networks
from gail.presets import PPOSettings, reward_preset
from gail.progress import RichProgress
from gail.ranges import expect
from gail.rollout import Batch, EpisodeMeter, RewardScale, Rollout, minibatch_rows, one_thread

Environment = str | BatchedEnv | VecEnv | Env[Any, Any]


class TorchPPO(SavedPPO):
    """Proximal policy optimisation (Schulman et al. 2017) on a batched engine.

    Args:
        policy: ``"MlpPolicy"``, or a subclass of :class:`gail.policy.NormalisedPolicy`.
        env: a Gymnasium id, an engine of :mod:`envs`, an SB3 ``VecEnv`` or a Gymnasium
            environment; None only while loading.
        settings: how to learn; by default the preset of the environment.
        seed: of weights, noise and environments.
        device: of policy and rollout, ``"auto"`` for a GPU if there is one.
        backend: which engine simulates when ``env`` is an id.
        tensorboard_log: folder for TensorBoard events, as in SB3.
        verbose: as in SB3.

    Raises:
        ValueError: if the environment is unknown or its spaces are not flat boxes.

    >>> model = TorchPPO("MlpPolicy", "toy/PointMass-v0", PPOSettings(num_envs=8, n_steps=16))
    >>> model.learn(256).num_timesteps
    256
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"MlpPolicy": NormalisedPolicy}
    policy: NormalisedPolicy
    rollout_buffer: Rollout  # type: ignore[assignment]

    def __init__(
        self,
        policy: str | type[NormalisedPolicy],
        env: Environment | None,
        settings: PPOSettings | None = None,
        *,
        seed: int = 0,
        device: torch.device | str = "auto",
        backend: envs.Backend = "auto",
        tensorboard_log: str | None = None,
        verbose: int = 0,
    ) -> None:
        if settings is None:
            settings = reward_preset(environment_id(env))
        expect("settings", settings, PPOSettings)
        check_policy(policy)
        check_seed(seed)
        device = usable_device(device)
        if isinstance(env, str):
            env = envs.make(env, settings.num_envs, backend=backend, device=device, seed=seed)
        self.ppo_settings = settings
        self.env_id = environment_id(env)
        num_envs = None if env is None else getattr(env, "num_envs", 1)
        super().__init__(
            policy,
            env,  # type: ignore[arg-type]  # our _wrap_env takes engines too
            learning_rate=settings.learning_rate,
            n_steps=settings.n_steps,
            batch_size=minibatch_rows(settings, num_envs),
            n_epochs=settings.n_epochs,
            gamma=settings.gamma,
            gae_lambda=settings.gae_lambda,
            clip_range=settings.clip_range,
            ent_coef=settings.ent_coef,
            vf_coef=settings.vf_coef,
            max_grad_norm=settings.max_grad_norm,
            rollout_buffer_class=Rollout,  # type: ignore[arg-type]
            tensorboard_log=tensorboard_log,
            policy_kwargs=networks(settings),
            verbose=verbose,
            seed=seed,
            device=device,
            _init_setup_model=False,
        )
        self.generator = torch.Generator(device=self.device).manual_seed(seed)
        if env is not None:
            self._setup_model()

    def _wrap_env(  # type: ignore[override]  # SB3's is static; ours puts engines on the device
        self,
        env: BatchedEnv | VecEnv | Env[Any, Any],
        verbose: int = 0,
        monitor_wrapper: bool = True,
    ) -> EngineVecEnv:
        if isinstance(env, EngineVecEnv):
            return env
        if isinstance(env, Env):
            single = env
            env = DummyVecEnv([lambda: single])
        return EngineVecEnv(as_engine(env, self.device) if isinstance(env, VecEnv) else env)

    def _setup_model(self) -> None:
        super()._setup_model()
        self.policy.optimizer = adam(self.policy, self.ppo_settings, self.device)
        self.reward_scale = RewardScale(self.n_envs, self.gamma, self.device)
        where = self.device if self.env is None else self.engine.device  # rewards come from there
        self.episodes = EpisodeMeter(self.n_envs, where)
        self.seconds = {"physics": 0.0, "policy": 0.0}

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        """SB3's progress bar counts steps; ours also tells how learning goes."""
        if progress_bar:
            given = callback if isinstance(callback, list) else [callback] if callback else []
            callback = [*given, RichProgress()]
        return super()._init_callback(callback)

    @property
    def engine(self) -> BatchedEnv:
        """The engine behind the SB3 adapter."""
        assert isinstance(self.env, EngineVecEnv)
        return self.env.engine

    @torch.no_grad()
    @one_thread()
    def collect_rollouts(  # type: ignore[override]
        self,
        env: EngineVecEnv,
        callback: BaseCallback,
        rollout_buffer: Rollout,
        n_rollout_steps: int,
    ) -> bool:
        """Fill the rollout with T steps of N environments; False if a callback stops training.

        Raises:
            DivergenceError: if observations, actions or values are not finite, or the simulation
                went wrong.
        """
        self.policy.set_training_mode(False)
        callback.on_rollout_start()
        started, physics = time.perf_counter(), 0.0
        obs = torch.as_tensor(self._last_obs, dtype=torch.float32, device=self.device)
        for t in range(n_rollout_steps):
            acted = self.policy.act(obs, self.generator)
            before = time.perf_counter()
            step = env.engine.step(acted[0])
            physics += time.perf_counter() - before
            rollout_buffer.store(t, obs, acted, step)
            obs = self._last_obs = step.obs.to(self.device)  # type: ignore[assignment]
            self.num_timesteps += env.num_envs
            infos = self.episodes.add(step)
            dones, rewards = on_host(infos.dones), on_host(step.reward)  # for callbacks
            callback.update_locals(locals())
            if not callback.on_step():
                return False
        require_finite(rollout_buffer.collected())
        require_sound(env.engine)
        self.seconds = {"physics": physics, "policy": time.perf_counter() - started - physics}
        assert self.ep_info_buffer is not None
        self.ep_info_buffer.extend({"r": r, "l": length} for r, length in self.episodes.finished())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Improve the policy on the environment's own reward."""
        self.improve_policy(self.rollout_buffer, self.rollout_buffer.rewards)

    def improve_policy(self, rollout: Rollout, rewards: Tensor) -> None:
        """PPO's update on a rollout whose rewards are given, whoever gave them.

        The observation statistics move only at the very end: within an iteration every
        probability is computed under the same ones, so the first ratio is exactly 1.

        Args:
            rollout: transitions of the current policy.
            rewards: rewards to learn from, (T, N).

        Raises:
            DivergenceError: if rewards, values, losses or gradients are not finite.
        """
        started = time.perf_counter()
        if self.ppo_settings.scale_rewards:
            rewards = self.reward_scale(rewards, rollout.dones)
        with torch.no_grad():
            rollout.compute_advantages(rewards, self.value)
        require_finite({"rewards": rewards, "values of next steps": rollout.next_values})
        self.policy.set_training_mode(True)
        features = self.policy.normaliser(rollout.observations)  # once for all passes
        statistics = [
            [
                self._minibatch_step(batch)
                for batch in rollout.minibatches(features, self.batch_size, self.generator)
            ]
            for _ in range(self.n_epochs)
        ]
        self._adapt_learning_rate(mean_of(statistics[-1])["approx_kl"])
        self.policy.normaliser.update(rollout.observations)
        self.seconds["ppo"] = time.perf_counter() - started
        self._record_update(rollout, mean_of(row for epoch in statistics for row in epoch))
        self._n_updates += self.n_epochs

    def value(self, obs: Tensor) -> Tensor:
        """Values (B,) of observations (B, O)."""
        return self.policy.predict_values(obs).squeeze(-1)

    @property
    def critic_only(self) -> bool:
        """Whether this iteration trains the value function alone, because it is untrained."""
        return self._n_updates < self.ppo_settings.critic_rollouts * self.n_epochs

    def minibatch_loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """What a minibatch minimises, and scalars to log."""
        values, log_probs, entropy = self.policy.evaluate_features(batch.features, batch.actions)
        settings = self.ppo_settings
        return ppo_loss(values, log_probs, entropy, batch, settings, self.critic_only)

    def _minibatch_step(self, batch: Batch) -> dict[str, Tensor]:
        loss, statistics = self.minibatch_loss(batch)
        self.policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        return statistics | {"gradient_norm": norm}

    @torch.no_grad()
    def _adapt_learning_rate(self, kl: Tensor) -> None:
        """Hold an update's KL near its target, without a host copy."""
        settings = self.ppo_settings
        if settings.kl_target is None or self.critic_only:
            return
        left = self._current_progress_remaining  # of learn()'s steps, 1 to 0
        target = settings.kl_target * (settings.kl_final + (1 - settings.kl_final) * left)
        rate = self.policy.optimizer.param_groups[0]["lr"]
        rate.copy_(adapted_rate(rate, kl, target))

    def _record_update(self, rollout: Rollout, statistics: dict[str, Tensor]) -> None:
        variance = rollout.returns.var().clamp(min=1e-12)  # returns can be constant
        self._record(
            "train",
            statistics
            | {
                "explained_variance": 1 - (rollout.returns - rollout.values).var() / variance,
                "std": self.policy.log_std.detach().exp().mean(),
                "learning_rate": self.policy.optimizer.param_groups[0]["lr"],
            },
        )
        for phase, seconds in self.seconds.items():
            self.logger.record(f"time/seconds_{phase}", seconds)

    def _record(self, group: str, statistics: dict[str, Tensor]) -> None:
        """Log scalars with one host copy, and stop the run if one of them is not finite."""
        row = torch.stack([value.detach().float().reshape(()) for value in statistics.values()])
        for name, value in zip(statistics, row.tolist(), strict=True):
            if not math.isfinite(value):
                raise DivergenceError(
                    f"The {name.replace('_', ' ')} of the {group} step became {value} at "
                    f"{self.num_timesteps} steps, so training stopped; start a new run with a "
                    "smaller learning rate."
                )
            self.logger.record(f"{group}/{name}", value)


def environment_id(env: Environment | None) -> str | None:
    """The Gymnasium id of an environment, where it has one."""
    if isinstance(env, EngineVecEnv):
        env = env.engine
    if isinstance(env, str):
        return env
    if isinstance(env, BatchedEnv):
        return env.id
    spec = getattr(env, "spec", None)
    return spec.id if spec is not None else None


def on_host(tensor: Tensor) -> Any:
    """What callbacks read as an array: free on a CPU, left alone on a GPU, where it would wait."""
    return tensor.numpy() if tensor.device.type == "cpu" else tensor

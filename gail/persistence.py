"""Saving, loading and exact continuation of the algorithms here.

SB3's own ``save`` writes in place and its ``load`` unpickles; these do neither.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.type_aliases import MaybeCallback
from torch import Tensor

from envs.sb3 import EngineVecEnv
from gail import checkpoint
from gail.errors import CheckpointError, GailError
from gail.policy import NormalisedPolicy
from gail.presets import PPOSettings, from_json
from gail.rollout import EpisodeMeter, RewardScale

Sections = dict[str, dict[str, Tensor]]
logger = logging.getLogger("gail")

_PREDICTS = (
    "A loaded model is for prediction and has no environment to train in; to go on with a "
    "training, build the model as it was built then and call its restore with a checkpoint (of "
    "save_checkpoint, or in a run's checkpoints folder), or use gail train --resume."
)
ALIASES = ("pi_features_extractor.", "vf_features_extractor.")


class SavedPPO(PPO):
    """SB3's PPO with files of our own; :class:`gail.ppo.TorchPPO` adds the learning.

    A file holds what ``predict`` needs (:meth:`weights`) and, as a checkpoint, what exact
    continuation needs beside that (:meth:`training_state`). An algorithm with more state
    extends these, and what takes them back.
    """

    policy: NormalisedPolicy
    ppo_settings: PPOSettings
    env_id: str | None
    generator: torch.Generator
    reward_scale: RewardScale
    episodes: EpisodeMeter

    def save(self, path: str | Path, exclude: Any = None, include: Any = None) -> None:  # type: ignore[override]
        """Write the weights to one file, whole or not at all.

        Args:
            path: the file; ``.zip`` is added where there is no suffix.
            exclude: taken for compatibility with SB3, unused.
            include: likewise.
        """
        checkpoint.write(with_suffix(path), self.metadata(), self.weights())

    def save_checkpoint(self, path: str | Path) -> None:
        """Write weights and training state, so that :meth:`restore` continues exactly.

        Call it between two iterations: before ``learn``, after it, or in a callback's
        ``on_rollout_start``.
        """
        sections = self.weights() | self.training_state()
        assert isinstance(self.env, EngineVecEnv)
        try:
            sections["simulation"] = self.env.engine.get_state()
        except RuntimeError as error:
            logger.info("%s", error)
        checkpoint.write(with_suffix(path), self.metadata(), sections)

    @classmethod
    def load(  # type: ignore[override]
        cls, path: str | Path, device: torch.device | str = "auto", *, env: object = None
    ) -> Self:
        """Load a saved model for prediction; a training goes on with :meth:`restore`.

        Args:
            path: the file; ``.zip`` is added where there is no suffix.
            device: where to put it.
            env: SB3's, always None: a loaded model has no environment to train in.

        Raises:
            GailError: if an environment is given.
            CheckpointError: if the file is missing, damaged or another algorithm's.
        """
        if env is not None or not isinstance(device, str | int | torch.device):
            raise GailError(_PREDICTS)
        metadata, sections = checkpoint.read(with_suffix(path))
        require_algorithm(path, metadata, cls.__name__)
        model = cls.for_prediction(metadata, device)
        model.restore_weights(sections)
        model.num_timesteps = metadata["num_timesteps"]
        return model

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Train in another environment, with as many of them side by side; see SB3's.

        Raises:
            GailError: if the model was loaded, or has another number of environments.
        """
        if self.env is None:
            raise GailError(_PREDICTS)
        env = self._wrap_env(env)
        if env.num_envs != self.n_envs:
            raise GailError(
                f"The new environment is {env.num_envs} side by side, and the model was built for "
                f"{self.n_envs}; give as many."
            )
        super().set_env(env, force_reset)

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        if self.env is None:
            raise GailError(_PREDICTS)
        return super()._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )

    def restore(self, path: str | Path) -> Self:
        """Continue exactly where a checkpoint was written.

        The model must have been built with the arguments of the one that wrote it. On the
        native engine and CPU what follows is the same bit for bit.

        Raises:
            CheckpointError: if the file is missing, damaged, another algorithm's, made with
                other settings, or holds weights only.
        """
        metadata, sections = checkpoint.read(with_suffix(path))
        require_algorithm(path, metadata, type(self).__name__)
        mine = checkpoint.as_json(self.metadata())
        for field in ("env_id", "settings", "observation_width", "num_envs"):
            if metadata[field] != mine[field]:
                raise CheckpointError(
                    f"{path} was written with {field} {metadata[field]} and this model has "
                    f"{mine[field]}; build the model with the checkpoint's."
                )
        if "loop" not in sections:
            raise CheckpointError(
                f"{path} holds a policy's weights and no training state; "
                "give a file from a run's checkpoints folder."
            )
        self.restore_weights(sections)
        self.restore_training(metadata, sections)
        self._restore_simulation(sections.get("simulation"))
        return self

    def _restore_simulation(self, state: dict[str, Tensor] | None) -> None:
        assert isinstance(self.env, EngineVecEnv)
        if state is not None:
            self._last_obs = self.env.engine.set_state(state)  # type: ignore[assignment]
            return
        self._last_obs = None  # makes SB3's ``learn`` start new episodes
        self.episodes = EpisodeMeter(self.n_envs, self.env.engine.device)
        self.reward_scale.sums.zero_()

    # --- what a file holds; an algorithm with more state extends these ---

    def metadata(self) -> dict[str, Any]:
        """What a file says of the model, as JSON."""
        assert isinstance(self.action_space, spaces.Box)
        return {
            "algorithm": type(self).__name__,
            "env_id": self.env_id,
            "num_envs": self.n_envs,
            "observation_width": int(np.prod(self.observation_space.shape or ())),
            "action_low": self.action_space.low.tolist(),
            "action_high": self.action_space.high.tolist(),
            "seed": self.seed,
            "settings": asdict(self.ppo_settings),
            "num_timesteps": self.num_timesteps,
            "updates": self._n_updates,
            "recent_episodes": list(self.ep_info_buffer or ()),
        }

    @classmethod
    def for_prediction(cls, metadata: dict[str, Any], device: torch.device | str) -> Self:
        """An untrained model without an environment, of the shape that ``metadata`` says."""
        settings: Any = from_json(PPOSettings, metadata["settings"])
        model = cls("MlpPolicy", None, settings, device=device)  # type: ignore[arg-type]
        model.set_up_without_env(metadata)
        return model

    def set_up_without_env(self, metadata: dict[str, Any]) -> None:
        """Build the networks for the spaces that a file names."""
        self.env_id, self.n_envs = metadata["env_id"], 1
        self.observation_space = spaces.Box(-np.inf, np.inf, (metadata["observation_width"],))
        low, high = (np.array(metadata[k], np.float32) for k in ("action_low", "action_high"))
        self.action_space = spaces.Box(low, high)
        self._setup_model()

    def weights(self) -> Sections:
        """Everything ``predict`` needs."""
        # SB3 names a shared features extractor three times; safetensors stores no tensor twice.
        tensors = self.policy.state_dict()
        return {"policy": {k: v for k, v in tensors.items() if not k.startswith(ALIASES)}}

    def training_state(self) -> Sections:
        """Everything exact continuation needs beside the weights."""
        scale, episodes = self.reward_scale, self.episodes
        return {
            "policy_optimizer": checkpoint.optimizer_state(self.policy.optimizer),
            "loop": {
                "generator": self.generator.get_state(),
                "reward_sums": scale.sums,
                "episode_returns": episodes.returns,
                "episode_lengths": episodes.lengths,
            },
            "reward_statistics": scale.statistics.state_dict(),
        }

    def restore_weights(self, sections: Sections) -> None:
        """Undo :meth:`weights`."""
        tensors = sections["policy"]
        shared = checkpoint.subsection(tensors, "features_extractor")
        aliases = {alias + name: value for alias in ALIASES for name, value in shared.items()}
        self.policy.load_state_dict(tensors | aliases)

    def restore_training(self, metadata: dict[str, Any], sections: Sections) -> None:
        """Undo :meth:`training_state`."""
        checkpoint.restore_optimizer(self.policy.optimizer, sections["policy_optimizer"])
        loop = sections["loop"]
        self.generator.set_state(loop["generator"])
        self.reward_scale.sums = loop["reward_sums"].to(self.device)
        self.reward_scale.statistics.load_state_dict(sections["reward_statistics"])
        self.episodes.returns.copy_(loop["episode_returns"])
        self.episodes.lengths.copy_(loop["episode_lengths"])
        self.num_timesteps, self._n_updates = metadata["num_timesteps"], metadata["updates"]
        self.ep_info_buffer = deque(metadata["recent_episodes"], maxlen=self._stats_window_size)
        self.ep_success_buffer = deque(maxlen=self._stats_window_size)


def with_suffix(path: str | Path) -> Path:
    """The path, with ``.zip`` where it has no suffix."""
    path = Path(path)
    return path if path.suffix else path.with_name(path.name + ".zip")


def require_algorithm(path: str | Path, metadata: dict[str, Any], name: str) -> None:
    """Refuse a file of another algorithm in a sentence."""
    if metadata["algorithm"] != name:
        raise CheckpointError(
            f"{path} was saved by {metadata['algorithm']} and {name} was asked to read it; "
            "load it with gail.load, which takes either."
        )

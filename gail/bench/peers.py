"""Learners of other projects, in the same race."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure

from gail.bench.folders import RETURN
from gail.bench.methods import Job, Trained, points_every, seconds_since, start_folder
from gail.curves import STEP
from gail.errors import DivergenceError
from gail.scorekeeper import ScoreKeeper

IMITATION_ENVS = 8
IMITATION_ROUND = 16384  # environment steps
IMITATION_STEPS = 10_000_000  # of the runs that its settings were found for
# What imitation published for seals/Ant-v0, found by its authors' search:
# benchmarking/example_gail_seals_ant_best_hp_eval.json of HumanCompatibleAI/imitation, 2023.
IMITATION_PPO: dict[str, Any] = {
    "batch_size": 16,
    "clip_range": 0.3,
    "ent_coef": 0.008871887607426377,
    "gae_lambda": 0.8,
    "gamma": 0.995,
    "learning_rate": 2.428297806883194e-5,
    "max_grad_norm": 0.9,
    "n_epochs": 10,
    "vf_coef": 0.4351450387648799,
}
IMITATION_GAIL: dict[str, Any] = {
    "demo_batch_size": 32,
    "gen_replay_buffer_capacity": 16384,
    "n_disc_updates_per_round": 8,
}


def sb3_ppo(job: Job) -> Trained:
    """Stable-Baselines3's PPO with its defaults, one environment included.

    Raises:
        DivergenceError: its policy became non-finite.
    """
    run, started = start_folder(job), time.perf_counter()
    with _divergence():
        model = PPO("MlpPolicy", job.run.environment, seed=job.run.seed, device="cpu")
        model.set_logger(configure(str(run.path), ["csv"]))
        model.learn(job.run.steps, callback=_scorekeepers(job))
        model.logger.close()
    return Trained(model.policy, seconds_since(started, job.folder))


def imitation_gail(job: Job) -> Trained:
    """imitation's GAIL with the settings its authors tuned for seals/Ant-v0; never cloned.

    Eight environments in this process, which is faster here than their eight processes. Runs
    shorter than one of its rounds have one round of their length.

    Raises:
        DivergenceError: its policy became non-finite.
    """
    whole = job.run.steps // IMITATION_ENVS * IMITATION_ENVS
    rows = min(IMITATION_ROUND, max(whole, 2 * IMITATION_ENVS))
    settings = {"ppo": IMITATION_PPO, "gail": IMITATION_GAIL, "envs": IMITATION_ENVS, "round": rows}
    run, started = start_folder(job, settings), time.perf_counter()
    with _divergence():
        trainer = imitation_trainer(job, rows)
        curve, keepers = Curve(run.path / "progress.csv"), _scorekeepers(job)
        for keeper in keepers:
            keeper.init_callback(trainer.gen_algo)
            keeper.on_training_start({}, {})
            keeper.on_rollout_start()

        def after_a_round(_: int) -> None:
            curve.write(trainer.gen_algo)
            for keeper in keepers:
                keeper.on_rollout_start()

        trainer.train(max(job.run.steps, rows), after_a_round)
        trainer.venv.close()
    return Trained(trainer.gen_algo.policy, seconds_since(started, job.folder))


def imitation_trainer(job: Job, rows: int) -> Any:
    """imitation's trainer on this run's demonstrations and environment.

    Args:
        job: whose folder takes the logs.
        rows: environment steps of one round.
    """
    assert job.expert is not None
    from imitation.algorithms.adversarial.gail import GAIL
    from imitation.data.types import Transitions
    from imitation.data.wrappers import RolloutInfoWrapper
    from imitation.policies.base import FeedForward32Policy, NormalizeFeaturesExtractor
    from imitation.rewards.reward_nets import BasicRewardNet, NormalizedRewardNet
    from imitation.util import logger
    from imitation.util.networks import RunningNorm
    from imitation.util.util import make_vec_env

    venv = make_vec_env(
        job.run.environment,
        rng=np.random.default_rng(job.run.seed),
        n_envs=IMITATION_ENVS,
        post_wrappers=[lambda env, _: RolloutInfoWrapper(env)],
    )
    features = {"normalize_class": RunningNorm}
    generator = PPO(
        FeedForward32Policy,
        venv,
        n_steps=rows // IMITATION_ENVS,
        policy_kwargs={
            "features_extractor_class": NormalizeFeaturesExtractor,
            "features_extractor_kwargs": features,
        },
        seed=job.run.seed,
        device="cpu",
        **IMITATION_PPO,
    )
    spaces = venv.observation_space, venv.action_space
    reward = NormalizedRewardNet(
        BasicRewardNet(*spaces, normalize_input_layer=RunningNorm), RunningNorm
    )
    obs, action, next_obs, terminated = job.expert.transitions(job.run.every, seed=job.run.seed)
    demonstrations = Transitions(
        obs=obs.numpy(),
        acts=action.numpy(),
        infos=np.array([{}] * len(obs)),
        next_obs=next_obs.numpy(),
        dones=terminated.numpy(),
    )
    return GAIL(
        demonstrations=demonstrations,
        venv=venv,
        gen_algo=generator,
        reward_net=reward,
        log_dir=job.folder,
        custom_logger=logger.configure(job.folder / "log", []),
        allow_variable_horizon=True,
        **IMITATION_GAIL,
    )


class Curve:
    """The columns of ``progress.csv`` that every learner here has.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.started, self.rows = path, time.perf_counter(), 0
        path.write_text(",".join((STEP, "time/iterations", "time/time_elapsed", RETURN)) + "\n")

    def write(self, model: PPO) -> None:
        """Add a row for what the model did so far."""
        self.rows += 1
        ended = [episode["r"] for episode in model.ep_info_buffer or ()]
        mean = float(np.mean(ended)) if ended else ""
        seconds = time.perf_counter() - self.started
        with self.path.open("a", newline="") as file:
            csv.writer(file).writerow([model.num_timesteps, self.rows, seconds, mean])


def _scorekeepers(job: Job) -> list[BaseCallback]:
    if not job.run.points:
        return []
    path = job.folder / "scores.csv"
    return [ScoreKeeper(path, job.run.environment, points_every(job.run))]


@contextmanager
def _divergence() -> Iterator[None]:
    """Take PyTorch's complaint about a distribution of NaNs for what it is."""
    try:
        yield
    except ValueError as error:
        if "nan" not in str(error):
            raise
        raise DivergenceError(f"The policy became non-finite: {str(error)[:120]} ...") from error

"""How fast the whole GAIL loop is, as a share of the simulation alone and beside other projects.

One run alternates between these on the same machine, and reports medians: raw MuJoCo on one
thread, the native engine alone with random actions, whole iterations of GAIL (rollout,
discriminator, rewards, PPO), and with --peers Stable-Baselines3's PPO with its defaults and
imitation's GAIL as its authors tuned it. Run it on a quiet machine:

    python scripts/throughput.py --peers --out benchmarks/throughput-ant.json
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import mujoco
import torch
import tyro
from stable_baselines3 import PPO

import envs
from gail import GAIL, Demonstrations
from gail.bench.methods import Job
from gail.bench.peers import IMITATION_ROUND, imitation_trainer
from gail.bench.record import head, write
from gail.bench.suite import Run
from gail.presets import preset

Speed = Callable[[], float]  # measures once: environment steps per second


@dataclass(frozen=True)
class Throughput:
    """Measure steps per second."""

    env: str = "Ant-v5"
    """Task; the native engine must know it."""
    demonstrations: str | None = None
    """Demonstrations to imitate; by default the shipped ones."""
    threads: int = 2
    """Threads of the simulation."""
    learner_threads: int = 1
    """Threads of PyTorch."""
    rounds: int = 5
    """Rounds of all."""
    peers: bool = False
    """Also other projects' learners; minutes instead of seconds."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Measure, print one table, and write the figures."""
        torch.set_num_threads(self.learner_threads)
        settings = preset(self.env)
        steps = settings.ppo.n_steps
        engine = envs.make(self.env, settings.ppo.num_envs, "native", "cpu", 0, self.threads)
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        model = GAIL("MlpPolicy", engine, demos, settings, device="cpu")
        rows = steps * engine.num_envs
        random = envs.make(self.env, settings.ppo.num_envs, "native", "cpu", 1, self.threads)
        random.reset()
        phases: list[dict[str, float]] = []

        def loop() -> float:
            started = time.perf_counter()
            model.learn(rows, reset_num_timesteps=False)
            phases.append(dict(model.seconds))
            return rows / (time.perf_counter() - started)

        speeds: dict[str, Speed] = {
            "raw": lambda: raw_speed(self.env),
            "engine": lambda: engine_speed(random, steps),
            "loop": loop,
        }
        if self.peers:
            speeds |= {"sb3-ppo": sb3_ppo(self.env), "imitation-gail": imitation(self.env, demos)}
        model.learn(rows)  # cloning and the first touch of everything are not measured
        rounds = [{name: speed() for name, speed in speeds.items()} for _ in range(self.rounds)]
        self.report({name: [each[name] for each in rounds] for name in speeds}, phases, rows)

    def report(
        self, figures: dict[str, list[float]], phases: list[dict[str, float]], rows: int
    ) -> None:
        """Print medians; write everything."""
        median = {name: statistics.median(values) for name, values in figures.items()}
        ratios = {
            name: [a / b for a, b in zip(figures["loop"], values, strict=True)]
            for name, values in figures.items()
            if name not in ("raw", "loop")
        }
        for name, value in median.items():
            print(f"{name:15}{value:8.0f} steps/s")
        for name, values in ratios.items():
            print(f"loop / {name}, pair by pair: {statistics.median(values):.3f}")
        record = {
            **head("throughput"),
            "environment": self.env,
            "num_envs": preset(self.env).ppo.num_envs,
            "threads": self.threads,
            "learner_threads": self.learner_threads,
            "steps_a_round": rows,
            "steps_per_second": figures,
            "median": median,
            "loop_over": ratios,
            "seconds_by_phase": phases,
        }
        if self.out is not None:
            write(self.out, record)


def raw_speed(env_id: str, steps: int = 2000) -> float:
    """Environment steps per second of ``mj_step`` alone on one thread, random controls."""
    env = gymnasium.make(env_id)
    env.reset(seed=0)
    simulator = env.unwrapped
    model, data, skip = simulator.model, simulator.data, simulator.frame_skip  # type: ignore[attr-defined]
    low, high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
    controls = low + (high - low) * torch.rand(steps, len(low)).numpy()
    started = time.perf_counter()
    for control in controls:
        data.ctrl[:] = control
        mujoco.mj_step(model, data, nstep=skip)
    seconds = time.perf_counter() - started
    env.close()
    return steps / seconds


def engine_speed(engine: envs.BatchedEnv, steps: int) -> float:
    """Environment steps per second of an engine with uniformly random actions."""
    low, high = (
        torch.as_tensor(bound) for bound in (engine.action_space.low, engine.action_space.high)
    )
    actions = low + (high - low) * torch.rand(steps, engine.num_envs, len(low))
    started = time.perf_counter()
    for action in actions:
        engine.step(action)
    return steps * engine.num_envs / (time.perf_counter() - started)


def sb3_ppo(env_id: str) -> Speed:
    """Stable-Baselines3's PPO with its defaults: one environment, 2,048 steps an update."""
    model = PPO("MlpPolicy", env_id, seed=0, device="cpu")

    def speed() -> float:
        started = time.perf_counter()
        model.learn(2 * model.n_steps, reset_num_timesteps=False)
        return 2 * model.n_steps / (time.perf_counter() - started)

    return speed


def imitation(env_id: str, demos: Demonstrations) -> Speed:
    """imitation's GAIL as its authors tuned it for Ant, one round of it."""
    run = Run("imitation-gail", env_id, trajectories=demos.num_episodes, steps=IMITATION_ROUND)
    trainer = imitation_trainer(Job(run, Path(tempfile.mkdtemp()), demos), IMITATION_ROUND)

    def speed() -> float:
        started = time.perf_counter()
        trainer.train(IMITATION_ROUND)
        return IMITATION_ROUND / (time.perf_counter() - started)

    return speed


if __name__ == "__main__":
    tyro.cli(Throughput).run()

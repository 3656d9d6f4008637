"""How fast the whole GAIL loop is, as a share of the simulation alone.

One run alternates between three things on the same machine and settings, and reports medians:
raw MuJoCo on one thread, the native engine alone with random actions, and whole iterations of
GAIL (rollout, discriminator, rewards, PPO). Run it on a quiet machine:

    python scripts/throughput.py --out benchmarks/throughput-ant.json
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import gymnasium
import mujoco
import torch
import tyro

import envs
from gail import GAIL, Demonstrations
from gail.bench.record import head, write
from gail.presets import preset


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
    """Rounds of all three."""
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
        model.learn(rows)  # cloning and the first touch of everything are not measured
        random = envs.make(self.env, settings.ppo.num_envs, "native", "cpu", 1, self.threads)
        random.reset()
        figures: dict[str, list[float]] = {"raw": [], "engine": [], "loop": []}
        phases: list[dict[str, float]] = []
        for _ in range(self.rounds):
            figures["raw"].append(raw_speed(self.env))
            figures["engine"].append(engine_speed(random, steps))
            started = time.perf_counter()
            model.learn(rows, reset_num_timesteps=False)
            figures["loop"].append(rows / (time.perf_counter() - started))
            phases.append(dict(model.seconds))
        self.report(figures, phases, rows)

    def report(
        self, figures: dict[str, list[float]], phases: list[dict[str, float]], rows: int
    ) -> None:
        """Print medians; write everything."""
        median = {name: statistics.median(values) for name, values in figures.items()}
        ratios = [a / b for a, b in zip(figures["loop"], figures["engine"], strict=True)]
        for name, value in median.items():
            print(f"{name:7}{value:8.0f} steps/s")
        print(f"loop / engine, pair by pair: {statistics.median(ratios):.3f}")
        record = {
            **head("throughput"),
            "environment": self.env,
            "num_envs": preset(self.env).ppo.num_envs,
            "threads": self.threads,
            "learner_threads": self.learner_threads,
            "steps_a_round": rows,
            "steps_per_second": figures,
            "median": median,
            "loop_over_engine": ratios,
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


if __name__ == "__main__":
    tyro.cli(Throughput).run()

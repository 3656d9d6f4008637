"""How fast MuJoCo's own batch of simulations is beside the threads of the native engine.

    python scripts/batch_engine_speed.py --out benchmarks/engines/batch-ant.json

On Ant it was 1.04 and 1.07 times as fast on one and two threads: not enough to change engines for.

Both simulate the same task with the same actions, in turns and in one run; neither resets, so this
is physics and what the task reads of it, without rewards. Contact forces, which Gymnasium asks for
after a step, the batch computes only where a sensor needs them; so its model has one.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import mujoco
import numpy as np
import tyro
from mujoco.batch import Batch

from envs.native import NativeEnv
from envs.specs import TASKS
from gail.bench.record import head, write
from generative.files import require_writable


@dataclass(frozen=True)
class BatchEngineSpeed:
    """Measure steps per second of both."""

    env: str = "Ant-v5"
    """Task."""
    num_envs: int = 64
    """Simulations side by side."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads to measure with."""
    steps: int = 64
    """In a round, of each simulation."""
    rounds: int = 7
    """Rounds of both, in turns."""
    out: Path | None = None
    """Write the raw figures to this file."""

    def run(self) -> None:
        """Measure, print, write."""
        if self.out is not None:
            require_writable(self.out)
        record = head("batch-engine") | {
            "environment": self.env,
            "num_envs": self.num_envs,
            "results": [self.measure(threads) for threads in self.threads],
        }
        if self.out is not None:
            write(self.out, record)

    def measure(self, threads: int) -> dict[str, object]:
        """Steps per second in each round, and the median of the ratios."""
        task = TASKS[self.env]
        engine = NativeEnv(task, self.num_envs, threads=threads)
        engine.reset()
        asset = files("gymnasium.envs.mujoco").joinpath("assets", task.xml)
        spec = mujoco.MjSpec.from_file(str(asset))
        site = spec.bodies[1].add_site(name="felt")
        spec.add_sensor(
            type=mujoco.mjtSensor.mjSENS_ACCELEROMETER,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname=site.name,
        )
        batch = Batch(spec.compile(), self.num_envs, threads)
        batch.reset()
        controls = batch.bind("ctrl")
        for name in task.reads:
            batch.bind(name)
        low, high = engine.action_space.low, engine.action_space.high
        size = (self.steps, self.num_envs, len(low))
        actions = np.random.default_rng(0).uniform(low, high, size)
        rates: dict[str, list[float]] = {"threads": [], "batch": []}
        for _ in range(self.rounds):
            began = time.perf_counter()
            for action in actions:
                engine._simulate(action)
            middle = time.perf_counter()
            for action in actions:
                controls[:] = action
                batch.step(nstep=task.frame_skip)
            ended = time.perf_counter()
            total = self.steps * self.num_envs
            rates["threads"].append(round(total / (middle - began), 1))
            rates["batch"].append(round(total / (ended - middle), 1))
        ratios = [b / a for a, b in zip(rates["threads"], rates["batch"], strict=True)]
        ratio = round(statistics.median(ratios), 3)
        print(f"{threads} threads: the batch is {ratio} times as fast")
        return {"threads": threads, "steps_per_second": rates, "batch_over_threads": ratio}


if __name__ == "__main__":
    tyro.cli(BatchEngineSpeed).run()

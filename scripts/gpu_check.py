"""Everything about the warp engine that needs a GPU: is it right, how fast is it, does it learn.

    python scripts/gpu_check.py --out benchmarks/gpu --minutes 9

Goes through its parts for each task and writes a file of raw figures for each, with the device's
name. What is there already is not done again, so the same command goes on where it stopped; after
``--minutes`` no new part begins, and training saves a checkpoint. Scores are Gymnasium's and need
no GPU: ``--parts score`` plays the saved policies, anywhere.

On a processor, to try it: add --device cpu --tiny.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from gpu_tools import Clock, device_name, memory, timed, wait
from warp_parity import measure

import envs
import gail
from envs import TASKS, BatchedEnv
from envs.native import NativeEnv
from envs.warp import WarpEnv
from gail import GAIL, Demonstrations
from gail.bench.record import head, write
from gail.gpu_presets import gpu_preset
from gail.presets import Settings

Part = Literal["parity", "random", "speed", "profile", "gail", "score"]
TRAJECTORIES = {"Ant-v5": 4, "Humanoid-v5": 10}


@dataclass(frozen=True)
class GpuCheck:
    """Check and measure the warp engine."""

    out: Path
    """Folder of the files; training keeps its checkpoints and policies there, too."""
    parts: tuple[Part, ...] = ("parity", "speed", "profile", "gail", "random")
    """What to do, in this order."""
    envs: tuple[str, ...] = ("Ant-v5", "Humanoid-v5")
    """Tasks."""
    device: str = "cuda"
    """Of simulation and learner."""
    minutes: float = 9.0
    """Begin nothing new after so long."""
    train_seconds: float = 300.0
    """Of training, all calls together and compilation not counted."""
    snapshot_seconds: float = 15.0
    """A policy is kept to be scored after every so many seconds of training."""
    seed: int = 0
    """Of training."""
    episodes: int = 50
    """Of a score."""
    random_episodes: int = 256
    """Episodes of random actions of each engine."""
    tiny: bool = False
    """Sizes that try the script and measure nothing."""
    started: float = field(default_factory=time.monotonic, init=False)

    def run(self) -> None:
        """Do what is not done yet."""
        self.out.mkdir(parents=True, exist_ok=True)
        for part in self.parts:
            for env in self.envs:
                path = self.out / f"{part}-{env.lower()}.json"
                if path.exists():
                    print(f"{path.name} is there already")
                    continue
                if self.left() <= 0:
                    print(f"{path.name} is left for the next call")
                    continue
                found = getattr(self, part)(env)
                if found is None:
                    continue
                known = head(f"gpu-{part}", ("mujoco-warp", "warp-lang"))
                known["hardware"] |= {"device": device_name(self.device)}
                write(path, known | {"environment": env, "tiny": self.tiny} | found)
                print(f"{path.name}: {json.dumps(found)[:600]}", flush=True)

    def left(self) -> float:
        """Seconds until nothing new may begin."""
        return 60 * self.minutes - (time.monotonic() - self.started)

    def settings(self, env: str) -> Settings:
        """Of the learner."""
        found = gpu_preset(env)
        if not self.tiny:
            return found
        ppo = replace(found.ppo, num_envs=8, n_steps=4, batch_size=16, n_epochs=1)
        rows = replace(found.discriminator, batch_size=16, updates=1)
        cloning = replace(found.cloning, steps=5)
        return replace(found, steps=320, ppo=ppo, discriminator=rows, cloning=cloning)

    def model(self, env: str, cloning: bool = False) -> GAIL:
        """An untrained learner on the warp engine."""
        settings = self.settings(env)
        if not cloning:
            settings = replace(settings, cloning=replace(settings.cloning, steps=0))
        demos = Demonstrations.shipped(env, trajectories=TRAJECTORIES[env])
        n = settings.ppo.num_envs
        engine = envs.make(env, n, "warp", self.device, self.seed)
        return GAIL("MlpPolicy", engine, demos, settings, seed=self.seed, device=self.device)

    # --- the parts ---

    def parity(self, env: str) -> dict[str, Any]:
        """One step beside MuJoCo's, from hundreds of states with contacts."""
        states = 16 if self.tiny else 1024
        return {"states": states} | measure(env, states, seed=0, device=self.device)

    def first_episodes(self, engine: BatchedEnv, count: int) -> dict[str, list[float]]:
        """Return and length of every environment's first episode under random actions."""
        low, high = (
            torch.as_tensor(x) for x in (engine.action_space.low, engine.action_space.high)
        )
        generator = torch.Generator().manual_seed(self.seed)
        engine.reset()
        returns, lengths = torch.zeros(2, count, dtype=torch.float64, device=engine.device)
        running = torch.ones(count, dtype=torch.bool, device=engine.device)
        for t in range(1000):
            if t % 50 == 0 and not running.any():
                break
            noise = torch.rand(count, len(low), generator=generator)
            step = engine.step((low + noise * (high - low)).to(engine.device))
            returns += torch.where(running, step.reward.double(), 0.0)
            lengths += running
            running &= ~(step.terminated | step.truncated)
        engine.check()
        engine.close()
        return {"returns": returns.tolist(), "lengths": lengths.tolist()}

    def random(self, env: str) -> dict[str, Any]:
        """Episodes of random actions beside as many of the engine that equals Gymnasium."""
        count, task = (8 if self.tiny else self.random_episodes), TASKS[env]
        task = replace(task, time_limit=20) if self.tiny else task
        ours = self.first_episodes(WarpEnv(task, count, self.device, seed=1), count)
        theirs = self.first_episodes(NativeEnv(task, count, seed=1), count)
        errors = {name: apart(ours[name], theirs[name]) for name in ours}
        return {"standard_errors_apart": errors, "warp": ours, "gymnasium": theirs}

    def speed(self, env: str) -> dict[str, Any]:
        """Steps per second: physics, physics and policy, the whole loop, the loop with TF32."""
        model, rounds = self.model(env), (1 if self.tiny else 5)
        rows = model.n_steps * model.n_envs
        random = [self.random_actions(model.engine) for _ in range(model.n_steps)]

        def physics() -> None:
            for action in random:
                model.engine.step(action)

        def acting() -> None:
            obs = model.engine.reset()
            with torch.no_grad():
                for _ in range(model.n_steps):
                    obs = model.engine.step(model.policy.act(obs, model.generator)[0]).obs

        loop = partial(model.learn, rows, reset_num_timesteps=False)
        model.learn(rows)
        work: dict[str, Callable[[], Any]] = {"physics": physics, "with_policy": acting}
        found = {}
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            for name, each in (work | {"loop": loop}).items():
                each()
                seconds = [self.seconds(each) for _ in range(rounds)]
                found[f"{name}_{precision}"] = [rows / second for second in seconds]
        torch.set_float32_matmul_precision("highest")
        median = {name: statistics.median(values) for name, values in found.items()}
        share = median["loop_highest"] / median["with_policy_highest"]
        return {
            "num_envs": model.n_envs,
            "n_steps": model.n_steps,
            "steps_per_second": found,
            "median": median,
            "loop_over_with_policy": share,
        }

    def random_actions(self, engine: BatchedEnv) -> torch.Tensor:
        """Uniformly random actions (N, A) on the device."""
        low, high = (
            torch.as_tensor(x, device=engine.device)
            for x in (engine.action_space.low, engine.action_space.high)
        )
        return low + torch.rand(engine.num_envs, len(low), device=engine.device) * (high - low)

    def seconds(self, work: Callable[[], Any]) -> float:
        """How long something takes until the device is done with it."""
        wait(self.device)
        started = time.perf_counter()
        work()
        wait(self.device)
        return time.perf_counter() - started

    def profile(self, env: str) -> dict[str, Any]:
        """Where an iteration's time goes, waiting for the device at each boundary."""
        model = self.model(env)
        rows = model.n_steps * model.n_envs
        model.learn(rows)
        plain = [self.seconds(partial(model.learn, rows, reset_num_timesteps=False))]
        worlds = model.engine.worlds  # type: ignore[attr-defined]
        inner = {"physics graph": (worlds, "advance"), "reset graph": (worlds, "place")}
        outer = {
            "engine, graphs included": (model.engine, "step"),
            "policy": (model.policy, "act"),
            "discriminator": (model, "improve_discriminator"),
            "reward": (model, "judge"),
            "value of next steps": (model, "value"),
            "ppo, that value included": (model, "improve_policy"),
        }
        with timed(inner | outer, self.device) as spent:
            total = self.seconds(partial(model.learn, rows, reset_num_timesteps=False))
        parts = {name: sum(seconds) for name, seconds in spent.items()}
        whole = ("engine, graphs included", "policy", "discriminator", "reward")
        rest = total - sum(parts[name] for name in whole) - parts["ppo, that value included"]
        return {
            "num_envs": model.n_envs,
            "n_steps": model.n_steps,
            "seconds": parts | {"rest": rest},
            "iteration_with_waits": total,
            "iteration_without": plain[0],
            "calls": {name: len(seconds) for name, seconds in spent.items()},
            "gpu_memory_bytes": memory(self.device),
        }

    def gail(self, env: str) -> dict[str, Any] | None:
        """Train by the clock; keeps policies to score. None where another call has to go on."""
        folder = self.out / f"gail-{env.lower()}"
        folder.mkdir(exist_ok=True)
        begun = time.perf_counter()
        model = self.model(env, cloning=True)
        clock = Clock(model, folder, self.snapshot_seconds, self.train_seconds, self.left)
        checkpoint = folder / "checkpoint.zip"
        if checkpoint.exists():
            clock.recall()
            model.restore(checkpoint)
        clock.built = time.perf_counter() - begun
        left = max(self.settings(env).steps - model.num_timesteps, 0)
        clock.start()
        model.learn(left, callback=clock, reset_num_timesteps=not checkpoint.exists())
        clock.snapshot()
        model.save_checkpoint(checkpoint)
        clock.remember()
        if clock.out_of_time:
            print(f"{folder.name} goes on at {model.num_timesteps:,} steps in the next call")
            return None
        return clock.figures() | {"settings": model.metadata()["settings"]}

    def score(self, env: str) -> dict[str, Any] | None:
        """Gymnasium's returns of the policies that training kept."""
        folder = self.out / f"gail-{env.lower()}"
        demos = Demonstrations.shipped(env, trajectories=TRAJECTORIES[env])
        expert = float(demos.returns.mean())
        scores = []
        for path in sorted(folder.glob("policy-*.zip")):
            policy = gail.load(path, device="cpu")
            found = gail.evaluate(policy, env, self.episodes, expert_return=expert)
            scores.append({"policy": path.stem} | found.to_json())
            print(path.stem, found.normalised_score, found.fall_rate, flush=True)
        return {"scores": scores} if scores else None


def apart(ours: list[float], theirs: list[float]) -> float:
    """The difference of two means in its standard errors."""
    variance = statistics.variance(ours) / len(ours) + statistics.variance(theirs) / len(theirs)
    difference = statistics.mean(ours) - statistics.mean(theirs)
    return difference / variance**0.5 if variance else difference


if __name__ == "__main__":
    tyro.cli(GpuCheck).run()

"""Batched simulation: one contract, several engines.

>>> import envs
>>> env = envs.make("Hopper-v5", num_envs=2, device="cpu")
>>> env.reset().shape
torch.Size([2, 11])
"""

from __future__ import annotations

import logging
from typing import Literal, get_args

import torch

from envs import toy, warp_checks
from envs.batched import BatchedEnv, SimulationError, Step
from envs.checks import EngineUnavailable, usable_device
from envs.specs import TASKS, Physics, Task

Backend = Literal["auto", "native", "warp", "gymnasium", "toy"]
_log = logging.getLogger("envs")

__all__ = [
    "TASKS",
    "Backend",
    "BatchedEnv",
    "EngineUnavailable",
    "Physics",
    "SimulationError",
    "Step",
    "Task",
    "choose_backend",
    "make",
]


def make(
    id: str,
    num_envs: int = 64,
    backend: Backend = "auto",
    device: str | torch.device = "auto",
    seed: int = 0,
    threads: int | None = None,
) -> BatchedEnv:
    """Make N environments of a task.

    With ``"auto"`` on a GPU it is the warp engine for the tasks that it knows. Where that cannot
    run, the processor simulates and a warning says why; tensors are on the GPU all the same.

    Args:
        id: Gymnasium id of a task with continuous observations and actions.
        num_envs: N.
        backend: the engine; ``"auto"`` takes the fastest one that knows the task.
        device: where tensors live; ``"auto"`` is the GPU if there is one.
        seed: environment i is seeded with ``seed + i``.
        threads: CPU threads of the native engine, by default the usable cores; other
            engines do not use any.

    Raises:
        EngineUnavailable: the engine that was asked for cannot run here, or not with so many
            environments.
        ValueError: unknown task, backend or device, or numbers the engine cannot take.
    """
    place = usable_device(device)
    chosen = choose_backend(id, backend, place)
    if chosen == "warp":
        try:
            return _warp(id, num_envs, place, seed)
        except EngineUnavailable as error:
            if backend != "auto":
                raise
            _log.warning("%s is simulated on the processor instead: %s", id, error)
            chosen = choose_backend(id, backend, "cpu")
    if chosen == "native":
        from envs.native import NativeEnv  # mujoco is imported only where it is needed

        return NativeEnv(TASKS[id], num_envs, place, seed, threads)
    if chosen == "toy":
        return toy.PointMass(num_envs, place, seed)
    from envs.gymnasium_engine import GymnasiumEnv

    return GymnasiumEnv(id, num_envs, place, seed)


def _warp(id: str, num_envs: int, device: torch.device, seed: int) -> BatchedEnv:
    from envs.warp import WarpEnv

    env = WarpEnv(TASKS[id], num_envs, device, seed)
    _log.info("%s is simulated by MuJoCo Warp on %s.", id, env.device)
    return env


def choose_backend(
    id: str, backend: Backend = "auto", device: str | torch.device = "cpu"
) -> Backend:
    """The engine that :func:`make` would try first, never ``"auto"``.

    Args:
        id: Gymnasium id.
        backend: what was asked for.
        device: where tensors live.

    Raises:
        ValueError: unknown backend, or one that does not know the task.

    >>> choose_backend("Ant-v5"), choose_backend("Pendulum-v1")
    ('native', 'gymnasium')
    >>> choose_backend("Ant-v5", device="cuda"), choose_backend("Hopper-v5", device="cuda")
    ('warp', 'native')
    """
    if backend not in get_args(Backend):
        known = ", ".join(get_args(Backend))
        raise ValueError(f"backend is {backend!r}; choose one of {known}.")
    tasks = {"native": tuple(TASKS), "warp": warp_checks.KNOWN, "toy": (toy.ID,)}
    if backend in tasks and id not in tasks[backend]:
        raise ValueError(
            f"The {backend} engine does not know '{id}', only {', '.join(tasks[backend])}; "
            "choose backend='auto' for other tasks."
        )
    if backend != "auto":
        return backend
    if torch.device(device).type == "cuda" and id in warp_checks.KNOWN:
        return "warp"
    return "native" if id in TASKS else "toy" if id == toy.ID else "gymnasium"

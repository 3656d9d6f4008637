"""Batched simulation: one contract, several engines.

>>> import envs
>>> env = envs.make("Hopper-v5", num_envs=2, device="cpu")
>>> env.reset().shape
torch.Size([2, 11])
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from envs import toy
from envs.batched import BatchedEnv, Step
from envs.checks import usable_device
from envs.specs import TASKS, Physics, Task

Backend = Literal["auto", "native", "gymnasium", "toy"]

__all__ = ["TASKS", "Backend", "BatchedEnv", "Physics", "Step", "Task", "choose_backend", "make"]


def make(
    id: str,
    num_envs: int = 64,
    backend: Backend = "auto",
    device: str | torch.device = "auto",
    seed: int = 0,
    threads: int | None = None,
) -> BatchedEnv:
    """Make N environments of a task.

    Args:
        id: Gymnasium id of a task with continuous observations and actions.
        num_envs: N.
        backend: the engine; ``"auto"`` takes the fastest one that knows the task.
        device: where tensors live; ``"auto"`` is the GPU if there is one.
        seed: environment i is seeded with ``seed + i``.
        threads: CPU threads of the native engine, by default the usable cores; other
            engines do not use any.

    Raises:
        ValueError: unknown task, backend or device, or numbers the engine cannot take.
    """
    chosen = choose_backend(id, backend)
    place = usable_device(device)
    if chosen == "native":
        from envs.native import NativeEnv  # mujoco is imported only where it is needed

        return NativeEnv(TASKS[id], num_envs, place, seed, threads)
    if chosen == "toy":
        return toy.PointMass(num_envs, place, seed)
    from envs.gymnasium_engine import GymnasiumEnv

    return GymnasiumEnv(id, num_envs, place, seed)


def choose_backend(id: str, backend: Backend = "auto") -> Backend:
    """The engine that :func:`make` would use, never ``"auto"``.

    Raises:
        ValueError: unknown backend, or one that does not know the task.

    >>> choose_backend("Ant-v5"), choose_backend("Pendulum-v1")
    ('native', 'gymnasium')
    """
    if backend not in get_args(Backend):
        known = ", ".join(get_args(Backend))
        raise ValueError(f"backend is {backend!r}; choose one of {known}.")
    tasks = {"native": tuple(TASKS), "toy": (toy.ID,)}
    if backend in tasks and id not in tasks[backend]:
        raise ValueError(
            f"The {backend} engine does not know '{id}', only {', '.join(tasks[backend])}; "
            "choose backend='auto' for other tasks."
        )
    if backend != "auto":
        return backend
    return "native" if id in TASKS else "toy" if id == toy.ID else "gymnasium"

"""Batched simulation: one contract, several engines.

>>> import envs
>>> env = envs.make("Hopper-v5", num_envs=2, device="cpu")
>>> env.reset().shape
torch.Size([2, 11])
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from envs.batched import BatchedEnv, Step
from envs.specs import TASKS, Task

Backend = Literal["auto", "native"]

__all__ = ["TASKS", "Backend", "BatchedEnv", "Step", "Task", "make"]


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
        threads: CPU threads of the native engine; by default the usable cores.

    Raises:
        ValueError: unknown task or backend, or settings the engine does not take.
    """
    if backend not in get_args(Backend):
        known = ", ".join(get_args(Backend))
        raise ValueError(f"backend is {backend!r}; choose one of {known}.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    from envs.native import NativeEnv

    return NativeEnv(id, num_envs, torch.device(device), seed, threads)

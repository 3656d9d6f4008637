"""What the GPU engine needs of a machine, each as one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from envs.checks import EngineUnavailable

KNOWN = ("Ant-v5", "Humanoid-v5")  # the tasks whose physics is compared with MuJoCo's in tests
SCRATCH = 1.5  # what a step allocates beside what is kept, as a factor on that


def require_warp(device: torch.device) -> torch.device:
    """The device with its index, if MuJoCo Warp is installed and can compute there.

    Raises:
        EngineUnavailable: the packages or a driver are missing.
    """
    try:
        import warp

        warp.config.log_level = warp.LOG_WARNING  # a library does not greet
        import mujoco_warp  # noqa: F401
    except ImportError as error:
        raise EngineUnavailable(
            f"The warp engine needs the packages mujoco-warp and warp-lang ({error}); install "
            "them (pip install mujoco-warp), or choose another engine (--backend native)."
        ) from error
    if device.type == "cpu":
        return device
    if device.type != "cuda":
        raise EngineUnavailable(
            f"The warp engine computes on cuda and cpu devices and was asked for {device}; "
            "choose one of them, or another engine (--backend native)."
        )
    index = torch.cuda.current_device() if device.index is None else device.index
    if not warp.is_cuda_available() or not warp.is_conditional_graph_supported():
        raise EngineUnavailable(
            "The warp engine needs an NVIDIA driver for CUDA 12.4 or newer, which this machine "
            "does not have; update the driver, or choose another engine (--backend native)."
        )
    return torch.device("cuda", index)


def check_memory(id: str, model: Any, num_envs: int, device: torch.device) -> None:
    """Refuse more worlds than the device has memory for, before anything is allocated.

    Args:
        id: of the task.
        model: its ``MjModel``.
        num_envs: N.
        device: where the worlds will be.

    Raises:
        EngineUnavailable: there are too many.
    """
    from envs.worlds import bytes_per_world

    need, there = SCRATCH * num_envs * bytes_per_world(model), memory_of(device)
    if need > there:
        raise EngineUnavailable(
            f"{num_envs} worlds of {id} need about {need / 2**30:.1f} GiB and {device} has "
            f"{there / 2**30:.1f} GiB; give fewer environments (--ppo.num-envs), or make room."
        )


@contextmanager
def memory_may_run_out(id: str, num_envs: int, device: torch.device) -> Iterator[None]:
    """Meanwhile an allocation that fails is told in a sentence.

    Raises:
        EngineUnavailable: one failed.
    """
    try:
        yield
    except RuntimeError as error:
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        raise EngineUnavailable(
            f"{num_envs} worlds of {id} did not fit into the memory of {device}; give fewer "
            "environments (--ppo.num-envs), or make room."
        ) from error


def memory_of(device: torch.device) -> int:
    """Bytes that are free on a GPU, all bytes of the processor's memory."""
    if device.type == "cuda":
        # What torch holds in reserve counts as taken, though it would give some of it back.
        return int(torch.cuda.mem_get_info(device)[0])
    if not hasattr(os, "sysconf"):  # Windows
        return sys.maxsize
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

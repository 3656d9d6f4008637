"""What the GPU engine needs of a machine, each as one sentence."""

from __future__ import annotations

import os
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

    need, free = SCRATCH * num_envs * bytes_per_world(model), free_bytes(device)
    if need > free:
        raise EngineUnavailable(
            f"{num_envs} worlds of {id} need about {need / 2**30:.1f} GiB and {device} has "
            f"{free / 2**30:.1f} GiB free; give fewer environments (--ppo.num-envs), or make room."
        )


def free_bytes(device: torch.device) -> int:
    """Memory that is free on a device."""
    if device.type == "cuda":
        # What torch holds in reserve counts as taken, though it would give some of it back.
        return int(torch.cuda.mem_get_info(device)[0])
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")

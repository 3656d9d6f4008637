"""What every engine checks before it works, each as one sentence."""

from __future__ import annotations

from numbers import Integral

import torch
from torch import Tensor

from envs.batched import BatchedEnv


class EngineUnavailable(ValueError):
    """An engine that this machine cannot run, or not with so many environments."""


def check_num_envs(num_envs: int) -> None:
    """Refuse fewer than one environment.

    Raises:
        ValueError: it is no positive whole number.
    """
    if not isinstance(num_envs, Integral) or num_envs < 1:
        raise ValueError(f"num_envs is {num_envs!r}; give a whole number of at least 1.")


def check_seed(seed: int) -> None:
    """Refuse a seed that not every random stream takes.

    Raises:
        ValueError: it is no whole number, negative or has more than 32 bits.
    """
    if not isinstance(seed, Integral) or not 0 <= seed < 2**32:
        raise ValueError(f"seed is {seed!r}; give a whole number of at least 0 and below 2**32.")


def usable_device(device: str | torch.device) -> torch.device:
    """The device, where torch can compute on it; ``"auto"`` is the GPU if there is one.

    Raises:
        ValueError: it cannot.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device is {device!r}; choose auto, cpu or cuda.") from error
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch sees no GPU here; choose cpu or auto.")
    try:
        torch.Generator(device=place)
        torch.zeros(1, device=place)
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        raise ValueError(
            f"device is {device!r}, which torch cannot use here; choose auto, cpu or cuda."
        ) from error
    return place


def check_action(env: BatchedEnv, action: Tensor) -> Tensor:
    """The action as detached float32 on its own device, if its shape is (N, A).

    Raises:
        ValueError: it has another shape.
    """
    expected = (env.num_envs, *env.action_space.shape)
    if tuple(action.shape) != expected:
        raise ValueError(
            f"The actions for {env.num_envs} environments of {env.id} have shape "
            f"{tuple(action.shape)}; give {expected}."
        )
    return action.detach().float()


def check_state(env: BatchedEnv, state: dict[str, Tensor]) -> None:
    """Refuse a state whose tensors differ in name, shape or type from what ``env`` would save.

    Raises:
        ValueError: a tensor is missing or differs.
    """
    for name, own in env.get_state().items():
        found = state.get(name, torch.empty(0))
        if found.shape != own.shape or found.dtype != own.dtype:
            what = f"{tuple(found.shape)} {found.dtype}" if name in state else "nothing"
            raise ValueError(
                f"The saved simulation state has {what} as '{name}', but {env.num_envs} "
                f"environments of {env.id} need {tuple(own.shape)} {own.dtype}; restore it "
                "into the same task, number of environments and MuJoCo version."
            )

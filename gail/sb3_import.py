"""Policies from the zips of Stable-Baselines3; :mod:`gail.sb3_export` is the way out.

What differs between SB3's ``MlpPolicy`` and the one here is linear but for a clamp: the network
here speaks in half-ranges of the action box, and sees observations normalised and clipped. The
first is taken out of the last layer; for the second the policy gets statistics, and first layers
to match. Deterministic actions agree to rounding.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch
from gymnasium import spaces
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from gail.errors import CheckpointError, GailError
from gail.persistence import ALIASES
from gail.playing import make
from gail.policy import action_units
from gail.ppo import TorchPPO
from gail.presets import Activation, PPOSettings
from gail.sb3_zip import known_activation, read_zip
from generative.normaliser import RunningNorm

Tensors = dict[str, Tensor]

ACTOR, CRITIC = "mlp_extractor.policy_net", "mlp_extractor.value_net"
EXTRACTOR = "features_extractor."
# Where SB3 does not clip observations, ours are clipped this many units further away from zero; as
# a power of two it changes no digit of an observation or a weight.
FAR = 2.0**40

_log = logging.getLogger("gail")


def from_sb3(
    path: str | Path,
    env_id: str,
    *,
    activation: Activation | None = None,
    normaliser: VecNormalize | None = None,
    device: torch.device | str = "auto",
) -> TorchPPO:
    """Load the policy in a zip of Stable-Baselines3's PPO or A2C, to predict, score or record.

    Nothing in the zip is unpickled: only its numbers are read, and their shapes tell the network.

    Args:
        path: the zip that SB3's ``save`` wrote.
        env_id: Gymnasium id of the task, which tells the action box.
        activation: of the network; needed only where the zip does not tell.
        normaliser: the ``VecNormalize`` that the policy was trained behind, if it was. Its file is
            a pickle, so it is for you to open.
        device: where to put the policy.

    Raises:
        GailError: if the file is missing, damaged, of another kind of policy or another task.

    >>> import tempfile
    >>> from gail import pretrained, to_sb3
    >>> path = Path(tempfile.mkdtemp()) / "sb3.zip"
    >>> _ = to_sb3(pretrained("Humanoid-v5", device="cpu"), path)
    >>> from_sb3(path, "Humanoid-v5", device="cpu").ppo_settings.net_arch
    (256, 128)
    """
    path = Path(path)
    zipped = read_zip(path)
    shape = _shape(path, zipped.tensors)
    box = _action_box(path, env_id, shape)
    told = activation or known_activation(path, zipped.activation)
    settings = PPOSettings(net_arch=shape.hidden, activation=told)
    model = TorchPPO.for_prediction(
        {
            "settings": asdict(settings),
            "env_id": env_id,
            "observation_width": shape.observation,
            "action_low": box.low.tolist(),
            "action_high": box.high.tolist(),
        },
        device,
    )
    statistics = _statistics(path, zipped.tensors, shape.observation, normaliser)
    given = _our_tensors(zipped.tensors, statistics, box)
    model.restore_weights({"policy": _completed(path, given, model.weights()["policy"])})
    model.num_timesteps = zipped.steps
    return model


class _Shape(NamedTuple):
    """The widths of a policy's network."""

    observation: int
    hidden: tuple[int, ...]
    action: int


def _shape(path: Path, tensors: Tensors) -> _Shape:
    """Read the network's widths off its weights, if it is a plain one.

    Raises:
        CheckpointError: it is not.
    """
    layers = [*_layers(tensors, ACTOR), "action_net"]
    known = {"log_std", *_parameters([*layers, *_layers(tensors, CRITIC), "value_net"])}
    known |= {alias + name for alias in (EXTRACTOR, *ALIASES) for name in ("mean", "scale")}
    missing = {"log_std", *_parameters(layers)} - tensors.keys()
    foreign = tensors.keys() - known
    if missing or foreign:
        found = f"no {min(missing)}" if missing else f"{min(foreign)}"
        raise CheckpointError(
            f"{path} holds {found}, so it is no MlpPolicy of PPO or A2C with continuous actions; "
            "give one that is."
        )
    shapes = [tuple(tensors[f"{layer}.weight"].shape) for layer in layers]
    biases = [tuple(tensors[f"{layer}.bias"].shape) for layer in layers]
    fits = all(len(shape) == 2 for shape in shapes) and biases == [shape[:1] for shape in shapes]
    fits = fits and all(before[0] == after[1] for before, after in pairwise(shapes))
    if not fits or tensors["log_std"].shape != shapes[-1][:1]:
        raise CheckpointError(
            f"{path} has layers that do not fit one another, or noise that depends on the state "
            "(use_sde); give a plain MlpPolicy."
        )
    return _Shape(shapes[0][1], tuple(shape[0] for shape in shapes[:-1]), shapes[-1][0])


def _layers(tensors: Tensors, net: str) -> list[str]:
    """The names of a net's layers, from the first to the last."""
    found = (re.fullmatch(rf"{re.escape(net)}\.(\d+)\.weight", name) for name in tensors)
    return [f"{net}.{index}" for index in sorted(int(match[1]) for match in found if match)]


def _parameters(layers: list[str]) -> Iterator[str]:
    for layer in layers:
        yield from (f"{layer}.weight", f"{layer}.bias")


def _action_box(path: Path, env_id: str, shape: _Shape) -> spaces.Box:
    """The task's action space.

    Raises:
        CheckpointError: if the policy's widths are not the task's.
    """
    env = make(env_id)
    env.close()
    box, observations = env.action_space, env.observation_space
    assert isinstance(box, spaces.Box)
    assert isinstance(observations, spaces.Box)
    widths = observations.shape[0], box.shape[0]
    if widths != (shape.observation, shape.action):
        raise CheckpointError(
            f"{path} holds a policy with observations and actions of widths "
            f"{(shape.observation, shape.action)}, and {env_id} has {widths}; name its task."
        )
    return box


class _Statistics(NamedTuple):
    """How observations are normalised: (x - mean) / std, clipped at ``clip``."""

    mean: Tensor
    std: Tensor  # infinite where an observation is ignored
    clip: float


def _statistics(
    path: Path, tensors: Tensors, width: int, normaliser: VecNormalize | None
) -> _Statistics:
    if f"{EXTRACTOR}mean" in tensors:  # written by to_sb3
        mean, scale = (tensors[EXTRACTOR + name] for name in ("mean", "scale"))
        return _Statistics(mean, 1 / scale, RunningNorm(width).clip)
    if normaliser is None or not normaliser.norm_obs:
        return _Statistics(torch.zeros(width), torch.ones(width), FAR * RunningNorm(width).clip)
    known = normaliser.obs_rms
    if not isinstance(known, RunningMeanStd) or known.mean.shape != (width,):
        raise GailError(
            f"The normaliser is of other observations than {path}, which has {width} of them; "
            "give the VecNormalize that the policy was trained behind."
        )
    std = torch.as_tensor(known.var + normaliser.epsilon).sqrt()
    return _Statistics(torch.as_tensor(known.mean), std, float(normaliser.clip_obs))


def _our_tensors(tensors: Tensors, statistics: _Statistics, box: spaces.Box) -> Tensors:
    """SB3's tensors by our names: statistics beside them, and actions in half-ranges.

    Ours are clipped at another number of deviations; the deviation and the first layer's weights
    change by that factor.
    """
    norm = RunningNorm(len(statistics.mean))
    factor = statistics.clip / norm.clip
    made = {name: value.float() for name, value in tensors.items() if EXTRACTOR not in name}
    for net, head in ((ACTOR, "action_net"), (CRITIC, "value_net")):
        first = f"{[*_layers(tensors, net), head][0]}.weight"
        made |= {first: made[first] * factor} if first in made else {}
    centre, half = action_units(box)
    made["action_net.weight"] = made["action_net.weight"] / half[:, None]
    made["action_net.bias"] = (made["action_net.bias"] - centre) / half
    made["log_std"] = made["log_std"] - half.log()
    variance = (statistics.std.double() * factor).square() - norm.eps
    norm.mean.copy_(statistics.mean)
    norm.var.copy_(torch.where(variance.isfinite(), variance.clamp(min=0), 0.0))
    norm.count.fill_(1)
    return made | {f"{EXTRACTOR}normaliser.{k}": v for k, v in norm.state_dict().items()}


def _completed(path: Path, given: Tensors, own: Tensors) -> Tensors:
    """The given tensors, with our untrained value network where theirs has another shape."""
    critic = {name for name in given.keys() | own.keys() if name.startswith((CRITIC, "value_net"))}
    theirs, ours = (
        {name: tensors[name].shape for name in critic & tensors.keys()} for tensors in (given, own)
    )
    if theirs == ours:
        return given
    _log.warning("%s: the value network has other widths than the policy; it is left out.", path)
    return {k: v for k, v in given.items() if k not in critic} | {k: own[k] for k in ours}

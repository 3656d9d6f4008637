"""Policies as files for other programs: ONNX, and zips of Stable-Baselines3."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path

import torch
from gymnasium import spaces
from torch import Tensor, nn

from gail.checkpoint import versions
from gail.errors import GailError
from gail.network import plain_policy
from gail.onnx_file import Chain
from gail.policy import NormalisedPolicy
from gail.ppo import TorchPPO
from gail.sb3_export import to_sb3
from generative.files import replacing_file

SUFFIXES = (".onnx", ".zip")
_OPERATORS: dict[type[nn.Module], str] = {nn.ELU: "Elu", nn.ReLU: "Relu", nn.Tanh: "Tanh"}


def export(model: TorchPPO, path: str | Path) -> None:
    """Write the policy to one file, whole or not at all; its suffix decides what is written.

    ``.onnx`` is a graph from observations (N, O) to the deterministic actions (N, A) of
    ``predict``, both float32 in the environment's units: the normaliser, the network, and the
    clipping to the action box. ``.zip`` is what ``stable_baselines3.PPO.load`` opens.

    Args:
        model: trained or loaded here.
        path: the file; replaced if it exists.

    Raises:
        GailError: if the suffix is another, or the policy's class is not this project's.

    >>> import tempfile
    >>> from gail import pretrained
    >>> export(pretrained("Humanoid-v5", device="cpu"), Path(tempfile.mkdtemp()) / "policy.onnx")
    """
    path = Path(path)
    check_suffix(path)
    if path.suffix == ".zip":
        to_sb3(model, path)
        return
    with replacing_file(path) as handle:
        handle.write(onnx_content(model))


def check_suffix(path: Path) -> None:
    """Make sure that a path says what to write.

    Raises:
        GailError: its suffix is unknown.
    """
    if path.suffix not in SUFFIXES:
        raise GailError(
            f"{path} does not end in .onnx (ONNX) or .zip (Stable-Baselines3); the suffix decides "
            "what is written."
        )


def onnx_content(model: TorchPPO) -> bytes:
    """The ONNX file of a policy; input ``observation``, output ``action``.

    Raises:
        GailError: the policy's class is not this project's.
    """
    policy, box = plain_policy(model), model.action_space
    assert isinstance(box, spaces.Box)
    width = prod(model.observation_space.shape or ())
    graph = Chain("policy", "observation", width)
    _normalise(graph, policy)
    for layer in [*policy.mlp_extractor.policy_net, policy.action_net]:
        _add_layer(graph, layer)
    graph.add("Mul", policy.action_half_range)
    graph.add("Add", policy.action_centre)
    graph.add("Max", torch.as_tensor(box.low))
    graph.add("Min", torch.as_tensor(box.high))
    about = {"env_id": model.env_id or "", "versions": json.dumps(versions())}
    return graph.content("action", prod(box.shape), about)


def _normalise(graph: Chain, policy: NormalisedPolicy) -> None:
    normaliser = policy.normaliser
    clip: Tensor = torch.tensor(normaliser.clip)
    graph.add("Sub", normaliser.mean)
    graph.add("Mul", normaliser.scale)
    graph.add("Clip", -clip, clip)


def _add_layer(graph: Chain, layer: nn.Module) -> None:
    """A linear layer or an activation."""
    if isinstance(layer, nn.Linear):
        graph.add("Gemm", layer.weight, layer.bias, transB=1)
    else:
        graph.add(_OPERATORS[type(layer)])

"""Exported policies compute what ``predict`` does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx_reading
import pytest
import torch
from gymnasium import spaces

from gail import TorchPPO, pretrained
from gail.errors import GailError
from gail.export import export, onnx_content
from gail.policy import NormalisedPolicy
from gail.presets import Activation, PPOSettings

TOLERANCE = {"rtol": 0.0, "atol": 2e-6}


def untrained(
    activation: Activation, box: spaces.Box, widths: tuple[int, ...] = (8, 4)
) -> TorchPPO:
    """A policy on six observations, the first of them constant, whose actions fill the box."""
    settings = PPOSettings(net_arch=widths, activation=activation)
    model = TorchPPO.for_prediction(
        {
            "settings": vars(settings),
            "env_id": None,
            "observation_width": 6,
            "action_low": box.low.tolist(),
            "action_high": box.high.tolist(),
        },
        "cpu",
    )
    rows = torch.randn(100, 6) * 0.1
    rows[:, 0] = 3.0
    model.policy.normaliser.update(rows)
    with torch.no_grad():
        model.policy.action_net.weight.mul_(100)
    return model


BOXES = {
    "even": spaces.Box(-0.4, 0.4, (3,)),
    "uneven": spaces.Box(np.array([-1, 0, -5], np.float32), np.array([2, 1, 5], np.float32)),
    "endless": spaces.Box(-np.inf, np.inf, (3,)),
}


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("activation", ["elu", "relu", "tanh"])
def test_the_graph_gives_the_actions_of_predict(activation: Activation, box: str) -> None:
    model = untrained(activation, BOXES[box])
    obs = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    actions, _ = model.predict(obs, deterministic=True)
    assert (model.policy.normaliser(torch.as_tensor(obs)).abs() == 10).any()
    read = onnx_reading.read(onnx_content(model))
    np.testing.assert_allclose(onnx_reading.compute(read, obs), actions, rtol=2e-6, atol=2e-6)
    if BOXES[box].is_bounded():
        assert np.isin(actions, [BOXES[box].low, BOXES[box].high]).any()


def test_a_network_without_hidden_layers_is_exported() -> None:
    model = untrained("tanh", BOXES["even"], widths=())
    obs = np.ones((1, 6), np.float32)
    found = onnx_reading.compute(onnx_reading.read(onnx_content(model)), obs)
    np.testing.assert_allclose(found, model.predict(obs, deterministic=True)[0], **TOLERANCE)


def test_the_file_says_what_it_is() -> None:
    read = onnx_reading.read(onnx_content(pretrained("Humanoid-v5", device="cpu")))
    shapes = {
        value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
        for value in (*read.graph.input, *read.graph.output)
    }
    assert shapes == {"observation": ["N", 348], "action": ["N", 17]}
    about = {entry.key: entry.value for entry in read.metadata_props}
    assert about["env_id"] == "Humanoid-v5"
    assert "torch" in json.loads(about["versions"])
    assert (read.ir_version, read.opset_import[0].version) == (8, 17)


def test_policies_of_the_users_own_are_refused() -> None:
    class Mine(NormalisedPolicy):
        pass

    model = TorchPPO(Mine, "toy/PointMass-v0", PPOSettings(num_envs=1, n_steps=2, net_arch=(2,)))
    with pytest.raises(GailError, match="only 'MlpPolicy' can be exported"):
        onnx_content(model)


def test_the_suffix_decides(tmp_path: Path) -> None:
    with pytest.raises(GailError, match=r"does not end in \.onnx"):
        export(untrained("elu", BOXES["even"]), tmp_path / "policy.pt")
    assert not list(tmp_path.iterdir())

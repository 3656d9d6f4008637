"""Between the first reset and the last update nothing leaves the device but statistics."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from crossings import Crossings

import gail.ppo
from envs.specs import TASKS
from gail import GAIL, Demonstrations, TorchPPO
from gail.presets import CloningSettings, DiscriminatorSettings, PPOSettings, Settings

pytest.importorskip("mujoco_warp")

from envs.warp import WarpEnv

N = 4
SMALL = Settings(
    ppo=PPOSettings(num_envs=N, n_steps=4, batch_size=8, n_epochs=1, net_arch=(8,)),
    discriminator=DiscriminatorSettings(hidden=(8,), updates=1, batch_size=8),
    cloning=CloningSettings(steps=2, weight=0.1),
)
LONG = replace(
    SMALL,
    ppo=replace(SMALL.ppo, n_steps=12, n_epochs=3),
    discriminator=replace(SMALL.discriminator, updates=5),
)


@pytest.fixture(scope="module")
def engine() -> WarpEnv:
    return WarpEnv(replace(TASKS["Ant-v5"], time_limit=6), N, "cpu")


def crossings(model: TorchPPO, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Of one iteration, the second, as they would be on a GPU."""
    rows = model.n_steps * model.n_envs
    model.learn(rows)
    monkeypatch.setattr(gail.ppo, "on_host", lambda tensor: tensor)
    with monkeypatch.context() as patch, Crossings(patch) as counted:
        model.learn(rows, reset_num_timesteps=False)
    return counted.found


@pytest.mark.parametrize("method", ["gail", "ppo"])
def test_crossings_do_not_grow_with_steps_or_minibatches(
    method: str, engine: WarpEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    demos = Demonstrations.shipped("Ant-v5", trajectories=1)
    found = []
    for settings in (SMALL, LONG):
        model: TorchPPO = (
            GAIL("MlpPolicy", engine, demos, settings, device="cpu")
            if method == "gail"
            else TorchPPO("MlpPolicy", engine, settings.ppo, device="cpu")
        )
        found.append(crossings(model, monkeypatch))
    assert found[0] == found[1]
    # One array of episodes; the rollout finite, the simulation sound, the rewards finite, losses.
    reads = 5 if method == "gail" else 4  # and the discriminator's losses
    assert found[0] == Counter(cpu=1, numpy=1, tolist=reads)


def test_the_engine_keeps_to_its_device(engine: WarpEnv, monkeypatch: pytest.MonkeyPatch) -> None:
    actions = torch.rand(8, N, 8)
    with monkeypatch.context() as patch, Crossings(patch) as counted:
        engine.reset(seed=1)
        for action in actions:
            engine.step(action)
    assert not counted.found


def test_the_counter_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.tensor([1.0, -1.0])
    with monkeypatch.context() as patch, Crossings(patch) as counted:
        _ = x[x > 0], x.nonzero(), x.tolist(), float(x[0]), bool(x[0] > 0), x.numpy()
        x[x > 0] = 0.0
    found = counted.found
    assert found["tolist"] == found["numpy"] == found["__bool__"] == found["__float__"] == 1
    assert sum(found.values()) >= 7

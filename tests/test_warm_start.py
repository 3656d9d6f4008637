"""PPO on the environment's own reward that starts from a clone, with a critic that learns first."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from experts import point_mass_demonstrations
from torch import Tensor

import gail
from envs.toy import ID
from gail import GAIL, TorchPPO
from gail.cli import main, parse
from gail.cli.training import warm_start
from gail.demonstrations import Demonstrations
from gail.presets import CloningSettings, PPOSettings, Settings, preset, warm_reward_preset

SMALL = PPOSettings(num_envs=8, n_steps=16, batch_size=32, n_epochs=2, net_arch=(16,))
PATIENT = replace(SMALL, critic_rollouts=2)
CLONING = CloningSettings(steps=50, batch_size=64)
ROLLOUT = 8 * 16
QUICK = [
    *("--env", ID, "--method", "ppo", "--steps", "256", "--episodes", "2", "--no-video"),
    *("--ppo.num-envs", "4", "--ppo.n-steps", "32", "--ppo.net-arch", "16", "--cloning.steps", "9"),
]


def small_model(settings: PPOSettings = PATIENT) -> TorchPPO:
    return TorchPPO("MlpPolicy", ID, settings, device="cpu")


def parameters(model: TorchPPO) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.policy.named_parameters()}


def is_critics(name: str) -> bool:
    return "value" in name


def test_the_critic_can_have_a_step_size_of_its_own(tmp_path: Path) -> None:
    """Adam's first step is the step size, whatever the gradient, where there is one."""
    settings = replace(
        SMALL, learning_rate=1e-4, critic_learning_rate=1e-2, n_epochs=1, batch_size=ROLLOUT
    )
    model = small_model(settings)
    before = parameters(model)
    model.learn(ROLLOUT)
    for name, tensor in parameters(model).items():
        step = (tensor - before[name]).abs().max().item()
        assert step == pytest.approx(1e-2 if is_critics(name) else 1e-4, rel=0.05), name
    model.save_checkpoint(tmp_path / "c.zip")
    whole, resumed = model, small_model(settings).restore(tmp_path / "c.zip")
    for each in (whole, resumed):
        each.learn(2 * ROLLOUT, reset_num_timesteps=False)
        rates = [float(group["lr"]) for group in each.policy.optimizer.param_groups]
        assert rates[1] == pytest.approx(1e-2)
    ours, theirs = parameters(whole), parameters(resumed)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("algorithm", ["ppo", "gail"])
def test_the_first_rollouts_train_the_value_function_and_nothing_else(algorithm: str) -> None:
    model = small_model()
    if algorithm == "gail":
        cloning = replace(CLONING, weight=1.0)
        settings = Settings(ppo=PATIENT, cloning=cloning)
        model = GAIL("MlpPolicy", ID, point_mass_demonstrations(), settings, device="cpu").learn(0)
    before, rate = parameters(model), model.policy.optimizer.param_groups[0]["lr"].clone()
    model.learn(2 * ROLLOUT)
    after = parameters(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if is_critics(name)}
    assert model.policy.optimizer.param_groups[0]["lr"] == rate
    model.learn(ROLLOUT, reset_num_timesteps=False)
    assert not any(torch.equal(tensor, after[name]) for name, tensor in parameters(model).items())


def test_a_run_resumed_while_only_the_critic_learns_is_the_whole_one(tmp_path: Path) -> None:
    whole = small_model().learn(4 * ROLLOUT)
    small_model().learn(ROLLOUT).save_checkpoint(tmp_path / "c.zip")
    resumed = small_model().restore(tmp_path / "c.zip")
    resumed.learn(3 * ROLLOUT, reset_num_timesteps=False)
    ours, theirs = parameters(whole), parameters(resumed)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_warm_start_is_what_cloning_alone_gives() -> None:
    demonstrations = point_mass_demonstrations()
    warm = small_model()
    warm_start(warm, demonstrations, CLONING, every=2)
    settings = Settings(ppo=PATIENT, cloning=CLONING)
    alone = GAIL("MlpPolicy", ID, demonstrations, settings, every=2, device="cpu").learn(0)
    ours, theirs = warm.policy.state_dict(), alone.policy.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_the_run_names_the_file_it_started_from(tmp_path: Path) -> None:
    path, out = tmp_path / "expert.npz", tmp_path / "run"
    point_mass_demonstrations(2).save(path)
    assert main(["train", *QUICK, "--demonstrations", str(path), "--out", str(out)]) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["demonstrations"]["name"] == "expert.npz"
    assert config["demonstrations"]["hash"] == Demonstrations.load(path).hash
    assert json.loads((out / "evaluation.json").read_text())["normalised_score"] is not None
    assert main(["train", "--resume", str(out), "--steps", "512"]) == 0


def test_demonstrations_of_another_task_are_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "expert.npz", tmp_path / "run"
    point_mass_demonstrations(2).save(path)
    wrong = ["train", "--env", "Pendulum-v1", "--method", "ppo", "--demonstrations", str(path)]
    assert main([*wrong, "--out", str(out)]) == 2
    assert "Pendulum-v1" in capsys.readouterr().err
    assert not out.exists()


def test_a_clone_is_handled_with_care() -> None:
    plain = parse(["train", "--env", "Humanoid-v5", "--method", "ppo"])
    warm = parse(["train", "--env", "Humanoid-v5", "--method", "ppo", "--demonstrations", "x.npz"])
    assert warm.ppo == warm_reward_preset("Humanoid-v5")
    assert warm.ppo.log_std_init < plain.ppo.log_std_init
    assert warm.cloning == preset("Humanoid-v5").cloning


def test_a_run_starts_from_another_runs_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(["train", *QUICK, "--out", str(first)]) == 0
    more = ["--start-from", str(first), "--ppo.log-std-init", "-2.5"]
    assert main(["train", *QUICK, *more, "--steps", "0", "--out", str(second)]) == 0
    old, new = (gail.load(each / "policy.zip", "cpu").policy for each in (first, second))
    theirs, ours = old.state_dict(), new.state_dict()
    assert (ours.pop("log_std") == -2.5).all()
    theirs.pop("log_std")
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    capsys.readouterr()
    for words, said in (
        (["--ppo.net-arch", "8"], "net-arch 16"),
        (["--ppo.activation", "tanh"], "activation elu"),
        (["--method", "gail"], "for --method ppo"),
        (["--start-from", "nowhere"], "nowhere"),
    ):
        wrong = ["train", *QUICK, *more, *words, "--out", str(tmp_path / "third")]
        assert main(wrong) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "third").exists()

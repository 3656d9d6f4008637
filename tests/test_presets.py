"""Settings are checked where they are made, in one sentence that names field and flag."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from gail.cli import main
from gail.errors import GailError
from gail.presets import (
    CloningSettings,
    DiscriminatorSettings,
    PPOSettings,
    Settings,
    from_json,
    preset,
    reward_preset,
)

GROUPS: dict[str, type] = {
    "ppo": PPOSettings,
    "discriminator": DiscriminatorSettings,
    "cloning": CloningSettings,
}
NAN, INFINITE = float("nan"), float("inf")
WRONG: dict[str, dict[str, list[Any]]] = {
    "ppo": {
        "num_envs": [0, -1, 2.5, "8", None],
        "n_steps": [0],
        "batch_size": [1, 0],
        "n_epochs": [0],
        "learning_rate": [0.0, -1e-3, NAN, INFINITE],
        "kl_target": [0.0, -0.01, NAN],
        "clip_range": [0.0],
        "gamma": [-0.1, 1.1, NAN],
        "gae_lambda": [-0.1, 1.1],
        "ent_coef": [-0.1],
        "vf_coef": [-0.1],
        "max_grad_norm": [0.0],
        "net_arch": [(64, 0), (-1,), 64, "64"],
        "activation": ["gelu", None],
        "log_std_init": [NAN, INFINITE],
        "critic_learning_rate": [0.0, -1.0, NAN],
        "kl_final": [0.0, 1.5, NAN],
        "critic_rollouts": [-1, 0.5],
    },
    "discriminator": {
        "reward": ["logit"],
        "inputs": ["a", "sass"],
        "hidden": [(0,)],
        "loss": ["mse"],
        "learning_rate": [0.0],
        "updates": [0],
        "batch_size": [0],
        "replay_rollouts": [0],
        "gradient_penalty": [-1.0, INFINITE],
        "gradient_target": [-1.0],
        "r1_penalty": [-1.0],
        "logit_penalty": [-1.0],
        "entropy_bonus": [-1.0],
        "label_smoothing": [-0.1, 0.5, 0.9],
    },
    "cloning": {
        "steps": [-1],
        "learning_rate": [0.0],
        "batch_size": [0],
        "statistics_rows": [-1],
        "weight": [-1.0, NAN],
        "fade": [0.0, 1.1, NAN],
    },
}
CASES = [
    (group, name, value)
    for group, fields in WRONG.items()
    for name, values in fields.items()
    for value in values
]


@pytest.mark.parametrize(("group", "name", "value"), CASES)
def test_a_setting_out_of_range_is_named_with_its_flag(group: str, name: str, value: Any) -> None:
    with pytest.raises(GailError) as refused:
        GROUPS[group](**{name: value})
    told = str(refused.value)
    assert told.startswith(f"{group}.{name} is {value!r}; give ")
    assert f"--{group}.{name}".replace("_", "-") in told


@pytest.mark.parametrize("probability", [-0.1, 1.1, NAN])
def test_the_probability_of_expert_resets_is_one(probability: float) -> None:
    with pytest.raises(GailError, match=r"expert_resets is .*\(--expert-resets\)"):
        Settings(expert_resets=probability)


@pytest.mark.parametrize("group", GROUPS)
def test_every_number_and_word_has_a_range(group: str) -> None:
    kind = GROUPS[group]
    free = {field.name for field in dataclasses.fields(kind) if field.type == "bool"}
    assert {field.name for field in dataclasses.fields(kind)} - free == WRONG[group].keys()


@pytest.mark.parametrize(
    "settings",
    [
        PPOSettings(kl_target=None, gamma=1.0, gae_lambda=0.0, max_grad_norm=0.5, net_arch=()),
        PPOSettings(num_envs=np.int64(4), learning_rate=np.float32(1e-3), n_steps=1),  # type: ignore[arg-type]
        DiscriminatorSettings(gradient_penalty=0.0, label_smoothing=0.1),
        CloningSettings(steps=0),
        preset("Ant-v5"),
        preset("Humanoid-v5"),
        reward_preset("Ant-v5"),
    ],
)
def test_limits_and_presets_are_in_range(settings: Any) -> None:
    assert dataclasses.replace(settings) == settings


def test_only_losses_with_labels_can_smooth_them() -> None:
    with pytest.raises(GailError, match=r"label_smoothing is 0.1 and .*loss is 'hinge'"):
        DiscriminatorSettings(loss="hinge", label_smoothing=0.1)


def test_settings_of_another_kind_are_refused() -> None:
    with pytest.raises(GailError, match=r"ppo is a DiscriminatorSettings; give a .*PPOSettings"):
        Settings(ppo=DiscriminatorSettings())  # type: ignore[arg-type]


def test_settings_survive_json() -> None:
    settings = Settings(ppo=PPOSettings(net_arch=(8,), kl_target=None))
    stored = json.loads(json.dumps(dataclasses.asdict(settings)))
    assert from_json(Settings, stored) == settings


def test_json_is_checked_too() -> None:
    with pytest.raises(GailError, match=r"ppo\.num_envs is 0"):
        from_json(Settings, {"ppo": {"num_envs": 0}})


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--ppo.num-envs 0", "--ppo.num-envs"),
        ("--ppo.kl-target -1", "--ppo.kl-target"),
        ("--ppo.net-arch 8 0", "--ppo.net-arch"),
        ("--discriminator.label-smoothing 0.7", "--discriminator.label-smoothing"),
        ("--cloning.steps -1", "--cloning.steps"),
    ],
)
def test_the_command_line_tells_it_in_one_line(
    flags: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *flags.split()]) == 2
    output = capsys.readouterr()
    assert output.err.startswith("gail: ")
    assert output.err.count("\n") == 1
    assert told in output.err
    assert not output.out


def test_the_parsers_own_complaints_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["train", "--ppo.num-envs", "many"])
    assert stop.value.code == 2
    assert "--ppo.num-envs" in capsys.readouterr().err

"""The cloning loss beside PPO's, whose weight fades."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from experts import point_mass_demonstrations
from stable_baselines3.common.callbacks import BaseCallback
from torch.distributions import Normal

from envs.toy import ID
from gail import GAIL
from gail.cloning import cloning_loss, cloning_weight
from gail.presets import CloningSettings, PPOSettings, Settings
from gail.rollout import Rollout

PLAIN = Settings(
    ppo=PPOSettings(num_envs=8, n_steps=16, batch_size=64, n_epochs=2, net_arch=(16,)),
    cloning=CloningSettings(steps=5, batch_size=32),
)
FADING = replace(PLAIN, cloning=replace(PLAIN.cloning, weight=1.0, fade=0.5))
ROLLOUT = 8 * 16


class RecordsWeights(GAIL):
    """Keeps whether each update's log tells of the cloning loss."""

    losses: list[float | None]

    def improve_policy(self, rollout: Rollout, rewards: torch.Tensor) -> None:
        super().improve_policy(rollout, rewards)
        self.losses.append(self.logger.name_to_value.get("train/cloning_loss"))


def small_gail(settings: Settings, kind: type[GAIL] = GAIL) -> GAIL:
    return kind("MlpPolicy", ID, point_mass_demonstrations(), settings, device="cpu")


def parameters(model: GAIL) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(model.policy.parameters()).detach()


@pytest.mark.parametrize("fade", [0.1, 0.5, 1.0])
def test_the_weight_falls_in_a_line_and_stays_at_zero(fade: float) -> None:
    settings = CloningSettings(weight=3.0, fade=fade)
    assert cloning_weight(settings, 0.0) == 3.0
    assert cloning_weight(settings, fade / 2) == pytest.approx(1.5)
    assert [cloning_weight(settings, done) for done in (fade, 1.0)] == [0.0, 0.0]


def test_the_loss_is_the_experts_negative_log_likelihood() -> None:
    policy = small_gail(PLAIN).policy
    obs, action = torch.randn(6, 4), torch.randn(6, 2)
    distribution = policy.get_distribution(obs).distribution
    assert isinstance(distribution, Normal)
    expected = -distribution.log_prob(action).sum(-1).mean()
    torch.testing.assert_close(cloning_loss(policy, obs, action), expected)


def test_it_leaves_the_deviation_and_the_critic_alone() -> None:
    policy = small_gail(PLAIN).policy
    cloning_loss(policy, torch.randn(6, 4), torch.randn(6, 2)).backward()  # type: ignore[no-untyped-call]
    moved = {name for name, parameter in policy.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in moved} == {"mlp_extractor", "action_net"}
    assert not any("value" in name for name in moved)


def test_nothing_of_it_is_left_after_its_share_of_the_steps() -> None:
    model = small_gail(FADING, RecordsWeights)
    assert isinstance(model, RecordsWeights)
    model.losses = []
    model.learn(8 * ROLLOUT)
    assert [loss is not None for loss in model.losses] == 3 * [True] + 5 * [False]


def test_a_heavy_weight_holds_the_policy_at_the_expert() -> None:
    ppo = replace(PLAIN.ppo, learning_rate=3e-3, kl_target=None)
    errors = []
    for weight in (0.0, 100.0):
        cloning = replace(PLAIN.cloning, weight=weight, fade=1.0)
        model = small_gail(replace(PLAIN, ppo=ppo, cloning=cloning)).learn(8 * ROLLOUT)
        with torch.no_grad():
            mean = model.policy.get_distribution(model.expert.obs).distribution.mean
        errors.append((mean - model.expert.action).square().mean().item())
    assert errors[1] < 0.5 * errors[0]


class SavesHalfway(BaseCallback):
    """Writes a checkpoint before the third rollout."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def _on_rollout_start(self) -> None:
        if self.num_timesteps == 2 * ROLLOUT:
            self.model.save_checkpoint(self.path)  # type: ignore[attr-defined]

    def _on_step(self) -> bool:
        return True


def test_a_resumed_run_fades_as_the_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.zip"
    whole = small_gail(FADING).learn(8 * ROLLOUT, callback=SavesHalfway(path))
    resumed = small_gail(FADING).restore(path)
    resumed.learn(8 * ROLLOUT - resumed.num_timesteps, reset_num_timesteps=False)
    assert torch.equal(parameters(resumed), parameters(whole))

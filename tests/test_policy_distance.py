"""The distance between rollouts and demonstrations, and what training does with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from experts import point_mass_demonstrations
from oscillators import oscillations
from stable_baselines3.common.callbacks import BaseCallback
from toy_runs import same_weights, sentence, train

from envs import toy
from gail.algorithm import GAIL
from gail.demonstrations import Demonstrations
from gail.errors import DemonstrationError, GailError
from gail.features import episode_rows
from gail.policy_distance import (
    DistanceSettings,
    Divergence,
    PolicyDistance,
    read_distances,
)
from gail.ppo import TorchPPO
from gail.presets import CloningSettings, PPOSettings, Settings

SMALL = PPOSettings(num_envs=8, n_steps=32, batch_size=64, net_arch=(16,))


def rows(count: int, **options: float) -> list[torch.Tensor]:
    return [episode_rows(each, "s") for each in oscillations(count, **options)]  # type: ignore[arg-type]


def test_it_is_small_for_the_same_and_grows_with_noise() -> None:
    divergence = Divergence(rows(8), DistanceSettings(components=4))
    found = [sum(divergence(rows(6, first=50, noise=s))) for s in (0.02, 0.04, 0.08, 0.3)]
    assert found == sorted(found)
    assert abs(found[0]) < 0.2 * found[1]


def test_what_is_left_out_shows_in_coverage_and_what_is_new_in_strangeness() -> None:
    """An expert of three gaits; a policy with one of them, and one with a fourth."""
    gaits = [place + each for place in (0, 5, 10) for each in rows(6, first=20 + place)]
    divergence = Divergence(gaits, DistanceSettings(components=8))
    strange, covered = divergence(rows(6, first=50))
    assert covered > 3 * abs(strange)
    new_strange, _ = divergence([15 + each for each in rows(6, first=50)])
    assert new_strange > 5 * abs(strange)


def test_the_expert_is_nearer_than_a_beginner() -> None:
    """On the rollouts of a clone and of an untrained policy; the reward agrees."""
    demos = point_mass_demonstrations(16)
    watch = PolicyDistance(demos, DistanceSettings(components=4))
    TorchPPO("MlpPolicy", toy.ID, SMALL).learn(256, callback=watch)
    beginner = watch.nearest[1]
    settings = Settings(ppo=SMALL, cloning=CloningSettings(steps=800))
    GAIL("MlpPolicy", toy.ID, demos, settings).learn(256, callback=watch)
    assert watch.nearest[1] < 0.7 * beginner


def test_training_is_not_touched_and_files_tell(tmp_path: Path, expert: Path) -> None:
    words = ("--demonstrations", expert, "--steps", 512, "--episodes", 0, "--no-video")
    for name, flags in (("plain", ()), ("watched", ("--policy-distance",))):
        assert train(*words, *flags, "--out", tmp_path / name) == 0
    plain, watched = tmp_path / "plain", tmp_path / "watched"
    assert same_weights(plain / "policy.zip", watched / "policy.zip")
    found = read_distances(watched / "policy_distance.csv")
    assert [step for step, _ in found] == [128, 256, 384, 512]
    assert (watched / "nearest.zip").is_file()
    assert "expert/distance" in (watched / "progress.csv").read_text().splitlines()[0]
    assert not (plain / "policy_distance.csv").exists()


def test_a_resumed_run_remembers_the_nearest(tmp_path: Path, expert: Path) -> None:
    words = ("--demonstrations", expert, "--episodes", 0, "--no-video", "--policy-distance")
    words = (*words, "--checkpoint-seconds", 0)
    assert train(*words, "--steps", 512, "--out", tmp_path / "whole") == 0
    assert train(*words, "--steps", 256, "--out", tmp_path / "halves") == 0
    assert train("--resume", tmp_path / "halves", "--steps", 512) == 0
    whole, halves = (tmp_path / name / "policy_distance.csv" for name in ("whole", "halves"))
    assert whole.read_text() == halves.read_text()
    nearest = [tmp_path / name / "nearest.zip" for name in ("whole", "halves")]
    assert same_weights(*nearest)


class Scripted(PolicyDistance):
    """Distances from a list."""

    def __init__(self, distances: list[float], settings: DistanceSettings) -> None:
        super().__init__(point_mass_demonstrations(2), settings)
        self.given = iter(distances)

    def _on_rollout_end(self) -> None:
        self._divergence = lambda rows: (next(self.given), 0.0)  # type: ignore[assignment,return-value]
        super()._on_rollout_end()


def test_it_stops_once_patience_is_over() -> None:
    watch = Scripted([3, 2, 1, 5, 6, 7, 8], DistanceSettings(smoothing=0, patience=512))
    model = TorchPPO("MlpPolicy", toy.ID, SMALL).learn(256 * 7, callback=watch)
    assert watch.nearest == (3 * 256, 1.0)
    assert model.num_timesteps == 5 * 256 + 8  # the step at which SB3 asks


def test_the_nearest_is_that_of_the_running_mean() -> None:
    watch = Scripted([4, 0, 4, 4], DistanceSettings(smoothing=0.5))
    TorchPPO("MlpPolicy", toy.ID, SMALL).learn(256 * 4, callback=watch)
    assert watch.nearest == (512, 2.0)


def test_wrong_input_is_told(expert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demos = point_mass_demonstrations(2)
    for wrong in ({"smoothing": 1.0}, {"patience": 0}, {"smoothing": math.nan}):
        with pytest.raises(GailError, match="give"):
            PolicyDistance(demos, DistanceSettings(**wrong))  # type: ignore[arg-type]
    other = Demonstrations.from_episodes(oscillations(2))
    with pytest.raises(DemonstrationError, match="6 wide"):
        TorchPPO("MlpPolicy", toy.ID, SMALL).learn(256, callback=PolicyDistance(other))
    assert train("--demonstrations", expert, "--patience", "5") == 2
    assert "add --policy-distance" in sentence(capsys.readouterr().err)
    assert train("--method", "ppo", "--policy-distance") == 2
    assert "needs demonstrations" in sentence(capsys.readouterr().err)


def test_rollouts_of_one_environment_are_enough() -> None:
    watch: BaseCallback = PolicyDistance(point_mass_demonstrations(1), DistanceSettings(rows=64))
    settings = PPOSettings(num_envs=1, n_steps=40, batch_size=20, net_arch=(8,))
    TorchPPO("MlpPolicy", toy.ID, settings).learn(40, callback=watch)
    assert np.isfinite(watch.nearest[1])  # type: ignore[attr-defined]

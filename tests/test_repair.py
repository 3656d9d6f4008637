"""Repairs: exact conditionals, baselines, windows, and the environments around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from experts import point_mass_demonstrations
from oscillators import WIDTH, demonstrations, oscillation
from torch import Tensor

import envs
from envs import toy
from gail import Demonstrations
from gail.cli import main
from gail.errors import GailError
from gail.feature_model import FeatureModel
from gail.fitting import FitSettings, fit_model
from gail.impute import DropSensors, DropSensorsEngine, ImputeEngine, ImputeObservation
from gail.playing import ROWS, make, play
from gail.regression import prepare
from gail.repair import FillValues, LastValue, MixtureRepair, Repair, WindowRepair, named
from gail.sensors import FaultyPolicy, SensorFaults
from generative import GaussianMixture, Mixture

NAN = float("nan")


def mixture(kind: str) -> Mixture:
    """Three components over five dimensions, in float64."""
    g = torch.Generator().manual_seed(0)
    roots = torch.randn(3, 5, 5, generator=g).double()
    covariances = roots @ roots.mT + 0.1 * torch.eye(5)
    means = 2 * torch.randn(3, 5, generator=g).double()
    weights = torch.tensor([0.2, 0.3, 0.5]).double()
    return Mixture.of(weights, means, covariances[0] if kind == "tied" else covariances, kind)  # type: ignore[arg-type]


def some_masks(n: int = 7) -> Tensor:
    masks = torch.rand(n, 5, generator=torch.Generator().manual_seed(1)) < 0.6
    masks[:, 0] |= ~masks.any(1)
    return masks


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_a_regression_gives_the_conditional_mean(kind: str) -> None:
    joint, masks = mixture(kind), some_masks()
    x = joint.sample(7, torch.Generator().manual_seed(2))
    filled = prepare(joint.gaussians, masks)(torch.where(masks, x, 9.0))
    assert torch.allclose(filled, joint.impute(x, masks))


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_rows_can_be_replaced_by_others_of_any_mask(kind: str) -> None:
    joint, masks = mixture(kind), some_masks(4)
    x = joint.sample(4, torch.Generator().manual_seed(2))
    regression = prepare(joint.gaussians, masks)
    for few in (torch.tensor([[False, False, False, False, True]]), torch.ones(1, 5).bool()):
        regression = regression.put(torch.tensor([2]), prepare(joint.gaussians, few))
        masks = masks.index_copy(0, torch.tensor([2]), few)
        assert torch.allclose(regression(x), joint.impute(x, masks))
        assert torch.allclose(
            regression.some(torch.tensor([2, 0]))(x[[2, 0]]), regression(x)[[2, 0]]
        )


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_noise_is_removed_as_by_the_joint_density(kind: str) -> None:
    """E[x | x + e] from the Gaussian of (x, x + e), whose second half is observed."""
    joint, noise = mixture(kind), torch.tensor([0.5, 0.1, 1.0, 2.0, 0.3]).double()
    covariances = joint.covariances()
    both = torch.cat(
        [
            torch.cat([covariances, covariances], 2),
            torch.cat([covariances, covariances + torch.diag(noise.square())], 2),
        ],
        1,
    )
    wide = Mixture.of(joint.weights, joint.means.repeat(1, 2), both)
    y = 3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(3)).double()
    seen = torch.arange(10).repeat(6, 1) >= 5
    told = wide.impute(torch.cat([y, y], 1), seen)[:, :5]
    found = prepare(joint.gaussians, torch.ones(6, 5).bool(), torch.ones(6, 5).bool(), noise)(y)
    assert torch.allclose(found, told, atol=1e-6)


@pytest.fixture(scope="module")
def fitted() -> FeatureModel:
    return fit_model(demonstrations(6), FitSettings(components=8))


def faulty(count: int, seed: int = 60) -> tuple[Tensor, Tensor]:
    """Observations of ``count`` episodes side by side (T, N, O), whole and with holes."""
    whole = torch.stack([torch.tensor(oscillation(seed + i).observations) for i in range(count)], 1)
    missing = torch.zeros(count, WIDTH, dtype=torch.bool)
    missing[torch.arange(count), torch.arange(count) % 4] = True
    missing[:, 4] = True  # a sensor that never varies
    return whole, whole.masked_fill(missing, NAN)


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_the_mixture_fills_in_what_it_would_impute(kind: str) -> None:
    model = fit_model(demonstrations(3), FitSettings(components=3, window=1))
    x = model.features.stacked([torch.tensor(oscillation(0).observations)])
    model = FeatureModel(model.features, GaussianMixture(3, kind, regularisation=0.01).fit(x), None)  # type: ignore[arg-type]
    repair = MixtureRepair(4, model)
    whole, holes = faulty(4)
    for obs, seen in zip(whole[:5], holes[:5], strict=True):
        filled = repair.fill(seen)
        live = model.features.live
        told = model.model.impute(model.features.scaled(obs), ~seen.isnan()[:, live])  # type: ignore[operator]
        expected = torch.where(seen.isnan(), model.features.transform.inverse(told), seen)
        assert torch.allclose(filled, expected, atol=1e-4)
        assert (filled[:, 4] == 3.0).all()


def test_some_environments_can_be_filled_alone(fitted: FeatureModel) -> None:
    together, apart = MixtureRepair(3, fitted), MixtureRepair(3, fitted)
    _, holes = faulty(3)
    for obs in holes[:4]:
        whole = together.fill(obs)
        assert torch.allclose(apart.fill(obs[[2]], torch.tensor([2])), whole[[2]], atol=1e-5)
        assert torch.allclose(apart.fill(obs[:2], torch.tensor([0, 1])), whole[:2], atol=1e-5)


def test_a_mixture_of_windows_is_given_the_past(fitted: FeatureModel) -> None:
    """Its last step is what the mixture imputes from the sensors seen through the window."""
    repair, live = MixtureRepair(2, fitted), fitted.features.live
    whole, holes = faulty(2)
    filled = [repair.fill(obs) for obs in (whole[0], *holes[1:6])]
    window = fitted.features.scaled(whole[2:6, 0])  # (4, live)
    mask = (~holes[5, 0].isnan())[live].repeat(4)
    told = fitted.model.impute(window.flatten()[None], mask[None])  # type: ignore[operator]
    last = fitted.features.transform.inverse(told[:, -int(live.sum()) :])[0]
    hidden = holes[5, 0].isnan()
    assert torch.allclose(filled[5][0][hidden], last[hidden], atol=1e-4)
    assert torch.equal(filled[0], whole[0])


def error(repair: Repair) -> float:
    whole, holes = faulty(4)
    filled = torch.stack([repair.fill(obs) for obs in holes])
    assert filled.isfinite().all()
    assert torch.equal(filled[~holes.isnan()], whole[~holes.isnan()])
    return float((filled - whole)[..., :4][holes[..., :4].isnan()].square().mean())


def test_the_mixture_knows_more_than_a_mean_and_takes_noise_away(fitted: FeatureModel) -> None:
    mean = torch.tensor(demonstrations(6).observations).mean(0)
    assert error(MixtureRepair(4, fitted)) < 0.1 * error(FillValues(4, mean))
    whole, _ = faulty(4)
    noisy = whole + 0.2 * torch.randn(whole.shape, generator=torch.Generator().manual_seed(0))
    repair = MixtureRepair(4, fitted, noise=0.28)
    cleaned = torch.stack([repair.fill(obs) for obs in noisy])[..., :4]
    assert (cleaned - whole[..., :4]).square().mean() < 0.6 * (noisy - whole).square().mean()


@pytest.mark.parametrize("kind", ["seqvae", "diffusion"])
def test_models_of_windows_fill_in_and_remember(kind: str) -> None:
    settings = FitSettings(kind=kind, window=6, epochs=2, width=16)  # type: ignore[arg-type]
    fitted = fit_model(demonstrations(2), settings)
    repair = WindowRepair(3, fitted)
    whole, holes = faulty(3)
    first = [repair.fill(obs) for obs in holes[:8]]
    assert all(obs.isfinite().all() for obs in first)
    assert torch.equal(first[0][~holes[0].isnan()], whole[0][~holes[0].isnan()])
    repair.forget()
    assert torch.allclose(repair.fill(holes[0]), first[0])  # nothing is left of the first episode
    again = repair.fill(holes[1][[1]], torch.tensor([1]))
    assert torch.allclose(again, first[1][[1]], atol=0.1)  # diffusion's noise is another


def test_the_last_value_stays_until_the_episode_ends() -> None:
    repair = LastValue(2, torch.tensor([7.0, 8.0]))
    repair.fill(torch.tensor([[1.0, 2.0], [3.0, NAN]]))
    found = repair.fill(torch.tensor([[NAN, 5.0], [NAN, NAN]]))
    assert found.tolist() == [[1.0, 5.0], [3.0, 8.0]]
    repair.forget(torch.tensor([0]))
    assert repair.fill(torch.full((2, 2), NAN)).tolist() == [[7.0, 8.0], [3.0, 8.0]]


@pytest.fixture(scope="module")
def point_model() -> FeatureModel:
    return fit_model(point_mass_demonstrations(8), FitSettings(components=4))


def test_a_gymnasium_environment_is_repaired(point_model: FeatureModel) -> None:
    bare: Any = make(toy.ID)
    env = ImputeObservation(DropSensors(make(toy.ID), 0.5), point_model)  # type: ignore[arg-type]
    start, first = env.reset(seed=3)[0], bare.reset(seed=3)[0]
    assert (start == first).all()  # sensors fail after the first observation
    action = np.ones(2, np.float32)
    seen, true = env.step(action)[0], bare.step(action)[0]
    assert np.isfinite(seen).all()
    assert (seen == true).sum() == 2
    assert seen.dtype == true.dtype


def test_an_engine_is_repaired_as_single_environments_are(point_model: FeatureModel) -> None:
    """Through the end of episodes, where final observations have the old mask."""
    env = ImputeEngine(DropSensorsEngine(envs.make(toy.ID, 3, device="cpu"), 0.5), point_model)
    true = envs.make(toy.ID, 3, device="cpu")
    assert torch.equal(env.reset(0), true.reset(0))
    for _ in range(toy.TIME_LIMIT):
        step, whole = env.step(torch.zeros(3, 2)), true.step(torch.zeros(3, 2))
        assert step.obs.isfinite().all()
        assert ((step.final_obs == whole.final_obs).sum(1) >= 2).all()
        ended = whole.terminated | whole.truncated
        assert torch.equal(step.obs[ended], whole.obs[ended])  # the first of an episode is whole
    assert ended.any()


class Blind:
    """Notes what it sees."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def predict(self, observation: np.ndarray, *_: Any, **__: Any) -> tuple[np.ndarray, None]:
        self.seen.append(np.array(observation))
        return np.zeros((len(observation), 2), np.float32), None


def test_failing_sensors_belong_to_episodes_however_many_are_played() -> None:
    def seen(episodes: int) -> np.ndarray:
        policy = Blind()
        repair = FillValues(ROWS, torch.full((4,), 99.0))
        faulty_policy = FaultyPolicy(policy, SensorFaults(4, 0.5), repair)
        list(play(faulty_policy, toy.ID, episodes, seed=0))
        return np.stack(policy.seen)

    few, many = seen(2), seen(ROWS + 2)
    assert (few[0, :2] != 99).all()
    assert ((few[1:6, :2] == 99).sum(2) == 2).all()
    assert (few[:6, :2] == many[:6, :2]).all()
    one, two = SensorFaults(4, 0.5).missing(0), SensorFaults(4, 0.5).missing(ROWS)
    assert ((few[1, 0] == 99) == one).all()
    later = next(i for i in range(1, len(many)) if (many[i, :2] != 99).all())
    assert ((many[later + 1, 0] == 99) == two).all()


def test_what_cannot_be_repaired_is_told(fitted: FeatureModel, tmp_path: Path) -> None:
    with pytest.raises(GailError, match="All sensors are missing in environment 1"):
        MixtureRepair(2, fitted).fill(torch.tensor([[1.0] * 6, [NAN] * 6]))
    with pytest.raises(GailError, match="give a share of at least 0"):
        SensorFaults(4, 1.0)
    with pytest.raises(GailError, match="give 0 or more"):
        MixtureRepair(1, fitted, noise=-1.0)
    actions = fit_model(demonstrations(3), FitSettings(inputs="sa", components=2))
    with pytest.raises(GailError, match=r"observations and actions \(sa\) and this needs"):
        MixtureRepair(1, actions)
    fitted.save(tmp_path / "m.zip")
    with pytest.raises(GailError, match="6 wide and these are 4 wide"):
        named(str(tmp_path / "m.zip"), 1, None, torch.zeros(4))
    with pytest.raises(GailError, match="one of 2 environments with 4 sensors"):
        ImputeEngine(envs.make(toy.ID, 3, device="cpu"), FillValues(2, torch.zeros(4)))
    model = fit_model(point_mass_demonstrations(8), FitSettings(components=1))
    with pytest.raises(GailError, match="fitted to toy/PointMass-v0 and this is Pendulum-v1"):
        ImputeObservation(gym.make("Pendulum-v1"), model)


def test_the_commands_fit_and_repair(finished: Path, expert: Path, tmp_path: Path) -> None:
    model, score = tmp_path / "m.zip", tmp_path / "score.json"
    assert main(["data", "fit", str(expert), "--out", str(model), "--components", "4"]) == 0
    words = ["evaluate", str(finished), "--episodes", "2", "--out", str(score), "--overwrite"]
    for repair in (str(model), "last"):
        assert main([*words, "--drop-sensors", "0.5", "--repair", repair]) == 0
    assert '"repair": "last"' in score.read_text()
    led = str(tmp_path / "led.npz")
    words = ["collect", "--policy", str(finished), "--episodes", "2", "--out", led]
    assert main([*words, "--drop-sensors", "0.5", "--repair", str(model)]) == 0
    assert np.isfinite(Demonstrations.load(led).observations).all()
    assert main(["data", "fit", str(expert), led, "--out", str(tmp_path / "n.zip")]) == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--repair", "mean"), "add --drop-sensors 0.3"),
        (("--drop-sensors", "0.5", "--repair", "nowhere.zip"), "There is no file nowhere.zip"),
        (("--drop-sensors", "1.5"), "give a share of at least 0"),
    ],
)
def test_wrong_flags_are_told(
    words: tuple[str, ...], sentence: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(finished), "--episodes", "1", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_demonstrations_of_two_tasks_are_refused() -> None:
    with pytest.raises(GailError, match=r"one task"):
        fit_model([point_mass_demonstrations(4), demonstrations(3)])

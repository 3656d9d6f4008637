"""Laws of playing and scoring, on the toy task and with policies made of a few lines."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from envs import toy
from gail.errors import DivergenceError, GailError
from gail.evaluation import Evaluation, evaluate, normalised_score, random_return
from gail.playing import ROWS, RandomPolicy, make, physics_version, play


class Expert:
    """The toy task's analytic expert, as SB3 policies look."""

    def predict(
        self,
        observation: NDArray[Any],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[np.float32], None]:
        return toy.expert_action(torch.as_tensor(observation)).numpy(), None


class Network(Expert):
    """A network whose products are rounded differently in batches of other sizes."""

    def __init__(self) -> None:
        sizes = [torch.nn.Linear(4, 256), torch.nn.Tanh(), torch.nn.Linear(256, 2)]
        self.net = torch.nn.Sequential(*sizes)

    def predict(self, observation: NDArray[Any], *_: Any, **__: Any) -> tuple[Any, None]:
        with torch.no_grad():
            return self.net(torch.as_tensor(observation)).numpy(), None


class Constant(Expert):
    def __init__(self, value: float) -> None:
        self.value = value

    def predict(self, observation: NDArray[Any], *_: Any, **__: Any) -> tuple[Any, None]:
        return np.full((len(observation), 2), self.value, np.float32), None


@pytest.mark.parametrize("policy", [Expert(), Network()], ids=["expert", "network"])
def test_an_episode_does_not_depend_on_how_many_are_played(policy: Expert) -> None:
    many, few = (evaluate(policy, toy.ID, episodes=n) for n in (ROWS + 3, 3))
    assert many.returns[:3] == few.returns
    assert many.lengths[:3] == few.lengths


def test_episodes_played_together_equal_those_played_alone() -> None:
    together = evaluate(Expert(), toy.ID, episodes=ROWS + 3)
    alone = [evaluate(Expert(), toy.ID, episodes=1, seed=10_000 + i) for i in range(ROWS + 3)]
    assert together.returns == [score.returns[0] for score in alone]


def test_the_score_is_gymnasiums() -> None:
    env = make(toy.ID)
    obs, _ = env.reset(seed=10_002)
    total, done = 0.0, False
    while not done:
        action, _ = Expert().predict(obs[None])
        obs, reward, terminated, truncated, _ = env.step(action[0])
        total, done = total + float(reward), terminated or truncated
    assert evaluate(Expert(), toy.ID, episodes=3).returns[2] == pytest.approx(total, abs=1e-5)


def test_random_actions_score_0_and_the_expert_1() -> None:
    expert = evaluate(Expert(), toy.ID, episodes=30).mean_return
    policy = RandomPolicy(make(toy.ID).action_space)
    assert evaluate(Expert(), toy.ID, episodes=30, expert_return=expert).normalised_score == 1.0
    score = evaluate(policy, toy.ID, episodes=50, expert_return=expert).normalised_score
    assert score == pytest.approx(0.0, abs=0.15)
    assert normalised_score(random_return(toy.ID), random_return(toy.ID), expert) == 0.0


def test_a_score_without_an_expert_is_null() -> None:
    score = evaluate(Expert(), toy.ID, episodes=2).to_json()
    assert json.loads(json.dumps(score))["normalised_score"] is None
    assert normalised_score(1.0, 2.0, 2.0) is None


def test_json_has_the_keys_that_readers_rely_on() -> None:
    score = Evaluation("Toy-v0", [1.0, 3.0], [5, 7], [True, False], 0.0, 4.0)
    content = json.loads(json.dumps(score.to_json()))
    assert content["normalised_score"] == 0.5
    assert content["mean_return"] == 2.0
    assert content["std_return"] == 1.0
    assert content["fall_rate"] == 0.5
    assert content["episodes"] == 2
    assert (content["random_return"], content["expert_return"]) == (0.0, 4.0)


def test_leaving_the_arena_is_a_fall_and_the_time_limit_is_none() -> None:
    assert evaluate(Constant(2.0), toy.ID, episodes=5).fall_rate == 1.0
    assert evaluate(Expert(), toy.ID, episodes=5).fall_rate == 0.0


def test_actions_are_clipped_to_the_box() -> None:
    inside = evaluate(Constant(2.0), toy.ID, episodes=3)
    assert evaluate(Constant(1e6), toy.ID, episodes=3).returns == inside.returns


def test_played_episodes_are_whole() -> None:
    for played in play(Constant(2.0), toy.ID, 3):
        steps = len(played.episode.actions)
        assert played.episode.observations.shape == (steps + 1, 4)
        assert played.episode.terminated
        assert not played.episode.truncated
    assert [played.episode.seed for played in play(Expert(), toy.ID, 3, seed=7)] == [7, 8, 9]


def test_distance_and_physics_are_told_where_there_are_any() -> None:
    policy = RandomPolicy(make("Hopper-v5").action_space)
    score = evaluate(policy, "Hopper-v5", episodes=2)
    assert score.forward_distance is not None
    assert abs(score.forward_distance) < 5.0
    assert physics_version("Hopper-v5") == score.versions["mujoco"]


def test_speed_is_distance_over_simulated_time() -> None:
    policy = RandomPolicy(make("Hopper-v5").action_space)
    score = evaluate(policy, "Hopper-v5", episodes=3)
    assert score.seconds == pytest.approx([0.008 * length for length in score.lengths])
    assert score.mean_speed == pytest.approx(sum(score.distances) / sum(score.seconds))
    assert score.to_json()["mean_speed"] == score.mean_speed
    unknown = evaluate(Expert(), toy.ID, episodes=1)
    assert unknown.mean_speed is None


def test_scores_written_before_speed_was_known_still_load() -> None:
    content = Evaluation("Toy-v0", [1.0], [5], [False], 0.0, distances=[2.0]).to_json()
    names = {field.name for field in dataclasses.fields(Evaluation)} - {"seconds"}
    old = Evaluation(**{name: content[name] for name in names})
    assert (old.forward_distance, old.mean_speed) == (2.0, None)


def test_actions_that_are_not_finite_stop_the_evaluation() -> None:
    with pytest.raises(DivergenceError, match="non-finite action in step 0"):
        evaluate(Constant(float("nan")), toy.ID, episodes=1)


@pytest.mark.parametrize(
    ("env_id", "told"),
    [("Nothing-v0", "cannot make"), ("CartPole-v1", "only flat boxes"), ("a b", "cannot make")],
)
def test_unusable_environments_get_a_sentence(env_id: str, told: str) -> None:
    with pytest.raises(GailError, match=told) as caught:
        evaluate(Expert(), env_id, episodes=1)
    assert "\n" not in str(caught.value)


def test_an_environment_in_place_of_its_id_is_told_the_id() -> None:
    with pytest.raises(GailError, match=f"env_id is a TimeLimit; give .* such as '{toy.ID}'"):
        evaluate(Expert(), gym.make(toy.ID), episodes=1)  # type: ignore[arg-type]
    with pytest.raises(GailError, match=r"env_id is a int; give .* such as 'Ant-v5'"):
        evaluate(Expert(), 3, episodes=1)  # type: ignore[arg-type]


def test_no_episodes_is_wrong_input() -> None:
    with pytest.raises(GailError, match="at least one"):
        evaluate(Expert(), toy.ID, episodes=0)

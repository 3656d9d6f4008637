"""Statistics of scores against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gail.bench.statistics import bootstrap_interval, iqm, mean, steps_to


def draws(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 50, 151])
def test_iqm_is_scipys_trimmed_mean(count: int) -> None:
    values = draws(count, count)
    assert iqm(values) == pytest.approx(stats.trim_mean(values, 0.25))


def test_iqm_by_hand() -> None:
    assert iqm([4.0, 1.0, 2.0, 3.0]) == 2.5
    assert iqm([[0.0, 0.0], [1.0, 1e9]]) == 0.5  # a shape does not matter, nor does an outlier
    assert iqm(np.arange(100.0) + 7.0) == pytest.approx(iqm(np.arange(100.0)) + 7.0)


def test_the_interval_of_a_mean_is_the_normal_one() -> None:
    values = draws(0, 400)
    low, high = bootstrap_interval([values[:, None]], mean, np.random.default_rng(0))
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_runs_of_one_episode_give_scipys_percentile_bootstrap() -> None:
    values = draws(1, 30)
    found = bootstrap_interval(
        [values[:, None]], iqm, np.random.default_rng(0), resamples=4000, confidence=0.9
    )
    options = {"confidence_level": 0.9, "method": "percentile", "n_resamples": 4000}
    theirs = stats.bootstrap(
        (values,), iqm, vectorized=False, rng=np.random.default_rng(1), **options
    ).confidence_interval
    assert found == pytest.approx(tuple(theirs), abs=0.05)


def test_strata_are_resampled_apart() -> None:
    """The variance between strata does not count, that between runs does."""
    constant = [[[0.0], [0.0]], [[100.0], [100.0]]]
    assert bootstrap_interval(constant, mean, np.random.default_rng(0)) == (50.0, 50.0)
    low, high = bootstrap_interval([[[0.0], [100.0]]], mean, np.random.default_rng(0))
    assert (low, high) == (0.0, 100.0)


def test_runs_that_differ_widen_the_interval_beyond_their_episodes() -> None:
    episodes = draws(2, 3, 50)
    alike = bootstrap_interval([list(episodes)], mean, np.random.default_rng(0))
    apart = episodes + np.array([[-3.0], [0.0], [3.0]])
    different = bootstrap_interval([list(apart)], mean, np.random.default_rng(0))
    assert np.ptp(different) > 5 * np.ptp(alike)


def test_intervals_cover_as_often_as_they_say() -> None:
    covered = 0
    for seed in range(200):
        values = draws(seed, 60)
        low, high = bootstrap_interval(
            [values[:, None]], mean, np.random.default_rng(seed), resamples=200
        )
        covered += low <= 0.0 <= high
    assert 0.89 <= covered / 200 <= 0.99  # 95%, and 3 standard deviations of the count


def test_only_the_given_generator_is_used() -> None:
    """rliable draws from NumPy's global state, whatever it is given."""
    values = [list(draws(3, 4, 10))]
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first = bootstrap_interval(values, iqm, np.random.default_rng(5))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    assert bootstrap_interval(values, iqm, np.random.default_rng(5)) == first
    assert bootstrap_interval(values, iqm, np.random.default_rng(6)) != first


@pytest.mark.parametrize("strata", [[], [[]], [[[]]], [[[1.0]], []]])
def test_nothing_to_resample_is_refused(strata: list) -> None:
    with pytest.raises(ValueError, match="episode"):
        bootstrap_interval(strata, mean, np.random.default_rng(0))


def test_steps_to_a_score() -> None:
    curve = [(0, 0.2), (10, 0.9), (20, 0.5), (30, 0.95)]
    assert steps_to(curve, 0.9) == 10
    assert steps_to(curve, 0.95) == 30
    assert steps_to(curve, 1.0) is None
    assert steps_to(curve, float("nan")) is None

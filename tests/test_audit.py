"""The audit: what it flags, what it leaves alone, and its rate of false alarms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from oscillators import demonstrations, oscillation, oscillations

from gail.audit import audit, column_name
from gail.audit_page import worst_moments
from gail.cli import main
from gail.crossfit import AuditSettings
from gail.demonstrations import Demonstrations
from gail.episode_checks import broken, dead_sensors, duplicates, longest_rests
from gail.episodes import Episode, Recording
from gail.errors import GailError
from gail.formats import write_npz
from gail.robust import better_half, energies, sums_of
from gail.scoring import Scorer, ScoringSettings, precisions, residuals
from generative import Mixture

FAST = AuditSettings(
    false_alarms=0.1, folds=2, scoring=ScoringSettings(components=2, rows=600, iterations=8)
)


def flagged(episodes: list[Episode], reference: list[Episode] | None = None) -> list[int]:
    found = audit(episodes, FAST, reference=reference)
    return [each.number for each in found.verdicts if each.flagged]


def changed(episode: Episode, **fields: np.ndarray) -> Episode:
    return episode._replace(**fields)


def noisy(episode: Episode) -> Episode:
    shaken = episode.actions + 0.2 * np.random.default_rng(5).normal(size=episode.actions.shape)
    return changed(episode, actions=shaken.astype(np.float32))


def shifted(episode: Episode) -> Episode:
    """One sensor reads something else in the last third."""
    observations = np.array(episode.observations)
    observations[80:, 2] = observations[80:, 2][::-1]
    return changed(episode, observations=observations)


BAD = {
    "random": lambda seed: oscillation(seed, noise=1.0),
    "noisy actions": lambda seed: noisy(oscillation(seed)),
    "another sensor": lambda seed: shifted(oscillation(seed)),
    "short": lambda seed: noisy(oscillation(seed, steps=10)),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_episodes_are_flagged_by_the_others_and_by_a_reference(kind: str) -> None:
    bad = [BAD[kind](100 + i) for i in range(3)]
    good = oscillations(12)
    within = flagged([*good, *bad])
    assert {12, 13, 14} <= set(within)
    assert len(within) <= 3 + 2  # 0.1 of 12 good ones, and one for chance
    assert flagged(bad, reference=good) == [0, 1, 2]


def test_a_third_of_the_file_cannot_pass_for_usual_by_its_number() -> None:
    other_gait = [oscillation(50 + i, pace=0.9) for i in range(5)]
    other_gait = [
        changed(e, observations=e.observations[:, [1, 0, 3, 2, 4, 5]]) for e in other_gait
    ]
    found = flagged([*other_gait, *oscillations(11)])
    assert set(range(5)) <= set(found)
    assert len(found) <= 7


def test_false_alarms_of_a_reference_come_at_the_rate() -> None:
    good = oscillations(60, first=200)
    found = flagged(good, reference=oscillations(19))
    assert len(found) <= 0.1 * 60 + 3 * np.sqrt(60 * 0.1 * 0.9)


def test_the_order_of_episodes_does_not_matter_to_facts() -> None:
    good = oscillations(3)
    copy = changed(good[1], actions=good[1].actions[:-30], observations=good[1].observations[:-30])
    assert duplicates([*good, copy]) == [None, None, None, 1]
    assert duplicates([*good, oscillation(7)]) == [None] * 4


def test_a_robot_at_rest_is_no_copy_of_another() -> None:
    rest = Episode(np.zeros((50, 2), np.float32), np.zeros((49, 1), np.float32))
    assert duplicates([rest, rest]) == [None, None]


def test_dead_sensors_are_those_that_move_elsewhere() -> None:
    good = oscillations(4)
    stuck = np.array(good[0].observations)
    stuck[60:, 1] = stuck[60, 1]
    assert dead_sensors([changed(good[0], observations=stuck), *good[1:]]) == [[1], [], [], []]
    assert dead_sensors([changed(good[0], observations=stuck)], good[1:]) == [[1]]
    assert longest_rests(good[0]).tolist() == [0, 0, 0, 0, 120, 120]


def test_broken_numbers_are_told_with_their_row() -> None:
    episode = oscillation(0)
    actions = np.array(episode.actions)
    actions[3, 1] = np.inf
    assert broken(episode) is None
    assert (
        broken(changed(episode, actions=actions)) == "actions are not finite from row 3 on (1 row)"
    )
    assert broken(episode._replace(actions=actions[:1])) == "1 steps long"


def test_residuals_are_those_of_regression_on_all_others() -> None:
    """x_i against its conditional mean, in conditional variances, by numpy's least squares."""
    root = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).double()
    covariance = root @ root.mT + torch.eye(4)
    gaussian = Mixture.of(torch.ones(1).double(), torch.zeros(1, 4).double(), covariance[None])
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(1)).double()
    mixture = gaussian.gaussians
    found = residuals(mixture, precisions(mixture), x, torch.ones(5, 1).double())
    for i in range(4):
        rest = [j for j in range(4) if j != i]
        gain = np.linalg.solve(covariance[rest][:, rest], covariance[rest, i])
        variance = covariance[i, i] - covariance[i, rest] @ gain
        off = x[:, i] - x[:, rest] @ gain
        assert torch.allclose(found[:, i], off.square() / variance)


def test_the_energies_of_episodes_are_those_of_their_rows() -> None:
    rows = [torch.randn(n, 3, generator=torch.Generator().manual_seed(n)) for n in (20, 30, 40)]
    found = energies(sums_of(rows), torch.tensor([0, 1]), regularisation=0.0)
    both = torch.cat(rows[:2]).double()
    covariance = torch.cov(both.mT, correction=0)
    gap = rows[2].double() - both.mean(0)
    distance = (gap @ covariance.inverse() * gap).sum(1).mean()
    assert torch.allclose(found[2], distance + covariance.logdet())


def test_the_better_half_is_the_tight_one() -> None:
    g = torch.Generator().manual_seed(0)
    tight = [torch.randn(30, 2, generator=g) for _ in range(6)]
    loose = [5 * torch.randn(30, 2, generator=g) + 3 for _ in range(5)]
    assert better_half([*loose, *tight], generator=g) == [5, 6, 7, 8, 9, 10]


def test_a_scorer_finds_its_own_episodes_usual() -> None:
    from gail.features import Features, episode_rows

    rows = [episode_rows(each, "sa") for each in oscillations(6)]
    scorer = Scorer.fit(Features("sa").fit(rows), rows, FAST.scoring)
    assert all(scorer.judge(each)[0] < 4 for each in rows)
    rows = [episode_rows(shifted(oscillation(9)), "sa")]
    assert scorer.judge(rows[0])[0] > 10
    sensors = (scorer.channels(rows[0])[1:] - scorer.centre[1:]) / scorer.spread[1:]
    assert int(sensors.argmax()) == 2  # the one that lies


def test_columns_have_names() -> None:
    assert column_name(5, 6, "sa") == "observation 5"
    assert column_name(6, 6, "sa") == "action 0"
    assert column_name(8, 6, "ss") == "next observation 2"


def test_too_small_a_file_is_told_in_a_sentence() -> None:
    with pytest.raises(
        GailError, match=r"F leaves 6 good episodes .* asks for 9; .* --false-alarms 0\.143"
    ):
        audit(oscillations(7), FAST, name="F")
    with pytest.raises(GailError, match="between 0 and 1"):
        audit(oscillations(7), AuditSettings(false_alarms=0.0))
    assert len(audit(oscillations(10), FAST).verdicts) == 10


def test_worst_moments_are_apart_and_in_order() -> None:
    surprise = np.zeros(400, np.float32)
    surprise[[300, 50, 310]] = [9.0, 7.0, 8.0]
    assert worst_moments(surprise, 2)[0] in range(38, 63)
    assert worst_moments(surprise, 2)[1] in range(290, 320)


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Twenty good episodes, a copy, one with a broken number and one of noise."""
    good = oscillations(20)
    wrong = np.array(good[0].observations)
    wrong[7, 0] = np.nan
    bad = [good[3], changed(oscillation(90), observations=wrong), oscillation(91, noise=1.0)]
    path = tmp_path / "dirty.npz"
    write_npz(Recording([*good, *bad]), path)
    return path


def test_the_command_writes_a_page_and_a_clean_file(
    dirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, page, clean = dirty.read_bytes(), tmp_path / "a.html", tmp_path / "clean.npz"
    words = ["data", "audit", str(dirty), "--out", str(page), "--drop", str(clean)]
    assert main([*words, "--false-alarms", "0.06"]) == 0
    left = Demonstrations.load(clean)
    assert left.num_episodes in (19, 20)  # of 20 good ones, 0.06 may be flagged
    assert dirty.read_bytes() == before
    text = page.read_text()
    for told in ("a copy of episode 3", "observations are not finite from row 7", "grossly"):
        assert told in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert "episodes flagged" in capsys.readouterr().out
    assert main(words) == 2  # nothing is replaced unasked
    assert "exists already; add --overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--false-alarms", "0.01"), "asks for 99; ask for --false-alarms 0.048"),
        (("--drop", "clean.txt"), "give a name that ends in .npz"),
        (("--reference", "other.npz"), "give a --reference of the same task"),
        (("--drop", "dirty.npz", "--overwrite"), "give another name, the old file stays"),
    ],
)
def test_wrong_input_is_told_and_costs_nothing(
    dirty: Path,
    words: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(dirty.parent)
    other = [changed(e, observations=e.observations[:, :3]) for e in oscillations(20)]
    Demonstrations.from_episodes(other).save("other.npz")
    before = dirty.read_bytes()
    assert main(["data", "audit", "dirty.npz", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert dirty.read_bytes() == before
    assert not Path("audit.html").exists()


def test_a_reference_of_the_file_itself_flags_little() -> None:
    demos = demonstrations(19)
    assert len(flagged(list(demos.episodes()), list(demos.episodes()))) <= 3


def test_the_page_shows_the_worst_moments_of_tasks_that_can_be_drawn() -> None:
    from gail.audit_page import audit_page
    from gail.playing import RandomPolicy, make, play

    policy = RandomPolicy(make("toy/PointMass-v0").action_space)
    episodes = [each.episode for each in play(policy, "toy/PointMass-v0", 10, seed=0)]
    stuck = np.array(episodes[0].observations)
    stuck[1:] += 3.0
    episodes[0] = changed(episodes[0], observations=stuck)
    found = audit(episodes, FAST)
    text = audit_page("x", episodes, found, FAST, "toy/PointMass-v0")
    assert "data:image/png;base64" in text
    blind = audit_page("x", episodes, found, FAST, None)
    assert "No pictures" in blind
    assert "data:image" not in blind

"""Pages of runs and benchmarks need no other file, and say what the run's files say."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from experts import point_mass_demonstrations

from envs import toy
from gail import checkpoint
from gail.bench import Suite, grid
from gail.bench.folders import score_of
from gail.bench.pictures import learning_curves, over_seeds
from gail.bench.record import write
from gail.bench.runner import as_file, run_suite
from gail.bench.score import scores_in
from gail.bench.summary import conditions
from gail.cli import main
from gail.errors import GailError
from gail.report import write_report
from gail.report.charts import Axes, Series, line_chart, short, standalone, ticks

SMALL = (
    *("--ppo.num-envs", "8", "--ppo.n-steps", "16", "--ppo.batch-size", "64"),
    *("--ppo.net-arch", "16", "--discriminator.hidden", "16", "--cloning.steps", "20"),
)
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would load, and the text; unclosed elements are an error."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object")
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(path: Path) -> Page:
    content = path.read_text(encoding="utf-8")
    assert "url(" not in content
    assert "@import" not in content
    assert "http" not in content
    read = Page(content)
    assert all(address.startswith("data:image/png;base64,") for address in read.loaded)
    return read


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    point_mass_demonstrations(4).save(folder / "expert.npz")
    words = ["train", "--env", toy.ID, "--demonstrations", str(folder / "expert.npz"), *SMALL]
    words += ["--steps", "512", "--episodes", "3", "--score-every", "256"]
    assert main([*words, "--out", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_training_ends_with_a_page_that_says_what_the_files_say(finished: Path) -> None:
    read, score = page(finished / "report.html"), score_of(finished)
    assert len(read.loaded) == 1  # the contact sheet
    assert f"{score.normalised_score:.3f}" in read.words
    assert f"{score.mean_return:.0f}" in read.words
    assert score.command in read.words
    for words in (
        "share that the discriminator gets right",
        "KL divergence of an update",
        "expert",
    ):
        assert words in read.words
    for name, group in score.settings.items():
        assert set(group if isinstance(group, dict) else [name]) <= set(read.words)


def test_the_command_writes_where_it_is_told(run: Path, tmp_path: Path) -> None:
    before = (run / "report.html").read_bytes()
    assert main(["report", str(run), "--out", str(tmp_path / "page.html")]) == 0
    assert (tmp_path / "page.html").read_bytes() == before


@pytest.mark.parametrize(
    "missing", ["evaluation.json", "progress.csv", "rollout.png", "scores.csv"]
)
def test_what_is_missing_is_left_out(run: Path, missing: str) -> None:
    (run / missing).unlink()
    read = page(write_report(run))
    assert (len(read.loaded) == 0) == (missing == "rollout.png")
    assert ("none yet" in read.words) == (missing == "evaluation.json")


def test_names_are_never_taken_for_html(run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["demonstrations"]["name"] = "<script>alert(1)</script>"
    (run / "config.json").write_text(json.dumps(config))
    assert "<script>alert(1)</script>" in page(write_report(run)).text


def test_no_run_gets_a_sentence(tmp_path: Path, run: Path) -> None:
    with pytest.raises(GailError, match="no run"):
        write_report(tmp_path)
    (run / "config.json").write_text('{"flags": {}}')
    with pytest.raises(GailError, match="another version"):
        write_report(run)
    (run / "suite.json").write_text("{")
    with pytest.raises(GailError, match=r"suite\.json is damaged"):
        write_report(run)


def test_a_benchmark_has_a_page_too(tmp_path: Path) -> None:
    suite = Suite("mine", grid(["random"], [toy.ID], trajectories=[1], seeds=(0, 1)), episodes=5)
    out, folder = tmp_path / "mine.json", tmp_path / "runs"
    scores = run_suite(suite, out, folder)
    read = page(write_report(folder))
    (row,) = conditions(scores)
    assert {row.returned, row.normalised, row.iqm} <= set(read.words)
    assert len(read.loaded) == 1
    assert all(score.run in read.words for score in scores)
    lost = replace(scores[1], returns=[], lengths=[], falls=[], diverged="The losses are nan.")
    write(out, as_file("mine", [scores[0], lost]))
    assert "The losses are nan." in page(write_report(folder)).words
    write(out, as_file("mine", []))
    with pytest.raises(GailError, match="no scores yet"):
        write_report(folder)


# --- scores on the way ----------------------------------------------------------------------


def test_scores_on_the_way_do_not_touch_training(finished: Path, tmp_path: Path) -> None:
    config = json.loads((finished / "config.json").read_text())
    expert = config["flags"]["demonstrations"]
    words = ["train", "--env", toy.ID, "--demonstrations", expert, *SMALL]
    words += ["--steps", "512", "--episodes", "0", "--no-video", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    assert not (tmp_path / "run" / "scores.csv").exists()
    with_scores, without = (
        checkpoint.read(path / "policy.zip")[1]["policy"] for path in (finished, tmp_path / "run")
    )
    assert all(tensor.equal(without[name]) for name, tensor in with_scores.items())


def test_scores_on_the_way_are_evenly_spaced(finished: Path) -> None:
    score = score_of(finished)
    assert [step for step, _ in score.scores] == [0, 256]
    assert [step for step, _ in score.curve] == [256, 384, 512]


def test_a_resumed_run_has_every_score_once(run: Path) -> None:
    assert main(["train", "--resume", str(run), "--steps", "1024"]) == 0
    assert [step for step, _ in score_of(run).scores] == [0, 256, 512, 768]


# --- charts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-3, 7), (0, 3e6), (0.011, 0.012), (5, 5), (0, 0), (-9, -8.5)]
)
def test_ticks_are_even_and_cover(low: float, high: float) -> None:
    found = ticks(low, high)
    steps = {round(b - a, 9) for a, b in pairwise(found)}
    assert len(steps) == 1
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 8
    assert len({short(value) for value in found}) == len(found)


def test_a_chart_is_sound_and_says_its_names() -> None:
    series = [
        Series("a < b", [(0, 1.0), (10, 3.0)], [(0, 0.5, 1.5), (10, 2, 4)]),
        Series("c", [(5, 2)]),
    ]
    root = ElementTree.fromstring(
        standalone(line_chart(series, Axes(y="return", marks=[("m", 5)])))
    )
    texts = [element.text for element in root.iter() if element.text]
    assert {"a < b", "c", "m", "return", "environment steps"} <= set(texts)
    with pytest.raises(ValueError, match="no point"):
        line_chart([Series("none", [])], Axes())


def test_higher_values_are_drawn_higher() -> None:
    chart = line_chart([Series("a", [(0, 1.0), (1, 2.0), (2, 4.0)])], Axes())
    line = next(e for e in ElementTree.fromstring(chart).iter() if e.tag == "polyline")
    places = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x0 < x1 < x2
    assert y0 > y1 > y2
    assert (y0 - y1) * 2 == pytest.approx(y1 - y2, abs=0.3)


def test_seeds_are_averaged_where_all_are_known() -> None:
    mean, band = over_seeds([[(0, 0.0), (10, 10.0)], [(5, 1.0), (15, 1.0)]])
    assert mean == [(5.0, 3.0), (10.0, 5.5)]
    assert band == [(5.0, 1.0, 5.0), (10.0, 1.0, 10.0)]


def test_a_task_without_curves_has_no_chart(tmp_path: Path) -> None:
    suite = Suite("mine", grid(["random"], [toy.ID]), episodes=2)
    scores = run_suite(suite, tmp_path / "a.json", tmp_path / "runs", pictures=False)
    assert learning_curves(conditions(scores)) is None
    assert scores_in(tmp_path / "a.json") == scores

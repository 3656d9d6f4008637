"""What is checked before a suite runs, each in a sentence."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from gail.bench.record import SCHEMA, read
from gail.bench.score import Score, scores_in
from gail.bench.suite import METHODS, Method, Run, Suite
from gail.demonstrations import Demonstrations
from gail.errors import GailError
from gail.playing import make

Experts = dict[str, Demonstrations | None]


class MissingPackageError(GailError):
    """A method needs a package that cannot be imported; the other methods run without it."""


def finished(suite: Suite, out: Path) -> dict[str, Score]:
    """The scores that a file has already, by the names of their runs.

    Raises:
        GailError: the file holds something else, or is damaged, or of another schema.
    """
    if not out.exists():
        return {}
    held = read(out)
    if held.get("schema", 1) != SCHEMA:
        raise GailError(
            f"{out} is of schema {held.get('schema', 1)} and gail bench writes {SCHEMA}; "
            "the tables still read it as it is, so give another --out."
        )
    if (held["kind"], held.get("suite")) != ("suite", suite.name):
        what = f"the suite '{held['suite']}'" if "suite" in held else f"the kind '{held['kind']}'"
        raise GailError(
            f"{out} holds results of {what} and this is the suite '{suite.name}'; "
            "give another --out."
        )
    return {score.run: score for score in scores_in(out)}


def experts_of(suite: Suite) -> Experts:
    """The demonstrations of every run by its name, each file read once.

    Raises:
        GailError: they or a task cannot be used.
    """
    held: dict[tuple[object, ...], Demonstrations | None] = {}
    found: Experts = {}
    for run in suite.runs:
        imitates = METHODS[run.method].imitates
        key = (run.environment, run.demonstrations, run.trajectories, imitates)
        if key not in held:
            held[key] = expert_of(run)
        found[run.name] = held[key]
    return found


def expert_of(run: Run) -> Demonstrations | None:
    """The demonstrations of a run, checked against its task.

    None where the method does not imitate and there are none to normalise its score by.

    Raises:
        GailError: they or the task cannot be used.
    """
    env = make(run.environment)
    env.close()
    try:
        if run.demonstrations is None:
            expert = Demonstrations.shipped(run.environment, trajectories=run.trajectories)
        else:
            expert = Demonstrations.load(
                run.demonstrations, env_id=run.environment, trajectories=run.trajectories
            )
    except GailError:
        if METHODS[run.method].imitates or run.demonstrations is not None:
            raise
        return None
    expert.check_for(run.environment, env.observation_space, env.action_space)
    return expert


def check_known(suite: Suite, known: dict[str, Score], experts: Experts, out: Path) -> None:
    """Refuse to go on with a file whose scores are of other demonstrations or episodes.

    Raises:
        GailError: naming the first run that differs.
    """
    for run in suite.runs:
        score, expert = known.get(run.name), experts[run.name]
        if score is None:
            continue
        held, given = (score.reference or {}).get("hash"), expert and expert.hash
        if held != given:
            raise GailError(
                f"{out} has {run.name} on demonstrations of hash {str(held)[:12]} and these have "
                f"{str(given)[:12]}; give another --out and --runs."
            )
        if score.returns and len(score.returns) != suite.episodes:
            raise GailError(
                f"{out} has {run.name} on {len(score.returns)} episodes and --episodes is "
                f"{suite.episodes}; give {len(score.returns)}, or another --out and --runs."
            )


def require_package(method: Method) -> None:
    """Make sure that what a method needs can be imported.

    Raises:
        MissingPackageError: it is not installed, or misses something itself.
    """
    package = METHODS[method].package
    try:
        if package is not None:
            import_module(package)
    except ImportError as error:
        raise MissingPackageError(
            f"The method '{method}' needs the package '{package}' ({error}); install it as the "
            "README's test command does."
        ) from error

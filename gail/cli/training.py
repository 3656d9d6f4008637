"""The steps of ``gail train`` once everything is checked: learn, score, record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gail.cli.console import notices, notify, results
from gail.cli.evaluate import score_table
from gail.cli.policies import mean_return
from gail.errors import DivergenceError, GailError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stable_baselines3.common.callbacks import BaseCallback

    from gail.cli.train import Train
    from gail.demonstrations import Demonstrations
    from gail.ppo import TorchPPO
    from gail.presets import CloningSettings
    from gail.runs import Keeper, RunFolder


def learn(
    model: TorchPPO,
    run: RunFolder,
    keeper: Keeper,
    steps: int,
    more: Sequence[BaseCallback] = (),
    *,
    resumed: bool,
) -> None:
    """Train up to ``steps`` environment steps, logging and saving into the run's folder.

    Args:
        model: what learns.
        run: its folder.
        keeper: saves it.
        steps: of the whole run.
        more: callbacks besides.
        resumed: whether it goes on from a checkpoint.

    Raises:
        DivergenceError: training met non-finite values, or the GPU failed; names the checkpoint
            that stays.
        Interrupted: Ctrl-C or SIGTERM; tells how to go on.
    """
    from gail.progress import RichProgress
    from gail.runs import Interrupted

    model.set_logger(run.logger(model.num_timesteps if resumed else None))
    progress = RichProgress(notices())
    callbacks: list[BaseCallback] = [keeper, progress, *more]
    try:
        left = max(steps - model.num_timesteps, 0)
        model.learn(left, callback=callbacks, reset_num_timesteps=not resumed)
    except RuntimeError as error:
        diverged, failed = isinstance(error, DivergenceError), "CUDA" in str(error)
        if not diverged and not failed:
            raise
        kept = f" The last checkpoint is kept in {run.path}." if run.checkpoints() else ""
        if diverged:
            raise DivergenceError(f"{error}{kept}") from error
        what = str(error).splitlines()[0].rstrip(".")
        raise DivergenceError(
            f"The GPU failed ({what}), so training stopped; gail train --resume {run.path} goes on "
            f"in a new process.{kept}"
        ) from error
    finally:
        progress.close()
        model.logger.close()
    if keeper.signal is not None:
        raise Interrupted(
            keeper.signal,
            f"saved at {keeper.saved_step:,} steps; continue with: gail train --resume {run.path}",
        )


def watchers(
    model: TorchPPO, run: RunFolder, asked: Train, expert: Demonstrations | None
) -> list[BaseCallback]:
    """What looks on while a policy learns: scores on the way, the distance to the expert."""
    found: list[BaseCallback] = []
    if asked.score_every:
        from gail.scorekeeper import ScoreKeeper

        scores = run.path / "scores.csv"
        found.append(ScoreKeeper(scores, str(model.env_id), asked.score_every))
    if asked.policy_distance and expert is not None:
        from gail.policy_distance import DistanceSettings, PolicyDistance

        settings = DistanceSettings(patience=asked.patience or None)
        found.append(PolicyDistance(expert, settings, run.path))
    return found


def warm_start(
    model: TorchPPO, expert: Demonstrations, settings: CloningSettings, every: int
) -> None:
    """Clone the expert into a policy that will learn from the environment's own reward.

    Args:
        model: untrained.
        expert: checked for the task before.
        settings: of the cloning.
        every: keep every k-th step of each trajectory.

    Raises:
        DivergenceError: cloning met non-finite values.
    """
    from gail.cloning import clone, start_statistics
    from gail.transitions import Transitions

    columns = expert.transitions(every=every, seed=int(model.seed or 0))
    rows = Transitions(*(column.to(model.device) for column in columns))
    start_statistics(model.policy, rows, settings)
    clone(model.policy, rows, settings, model.generator)


def take_over(model: TorchPPO, path: Path, env_id: str) -> None:
    """Start from another policy's networks and statistics, with the noise of this run's settings.

    Args:
        model: untrained.
        path: a saved model, a checkpoint or a run's folder.
        env_id: the task.

    Raises:
        GailError: it cannot be read, or its networks are not those of this run.
    """
    from gail.cli.policies import load_policy

    old, _ = load_policy(path, env_id)
    for name in ("net_arch", "activation"):
        theirs, ours = (getattr(each.ppo_settings, name) for each in (old, model))
        if theirs != ours:
            flag = name.replace("_", "-")
            given = " ".join(map(str, theirs)) if isinstance(theirs, tuple) else theirs
            raise GailError(
                f"{path} has the {flag} {given} and this run {ours}; give --ppo.{flag} {given}."
            )
    model.policy.load_state_dict(old.policy.state_dict())
    model.policy.log_std.data.fill_(model.ppo_settings.log_std_init)


def score(model: TorchPPO, run: RunFolder, episodes: int, expert: Demonstrations | None) -> None:
    """Play the official environment, write ``evaluation.json`` and print the table."""
    from gail.evaluation import evaluate

    env_id = str(model.env_id)
    notify(f"Playing {episodes} episodes in Gymnasium's {env_id} ...")
    scored = evaluate(model, env_id, episodes, expert_return=mean_return(expert))
    run.write_json("evaluation.json", scored.to_json())
    results().print(score_table(scored))


def film(model: TorchPPO, run: RunFolder, expert: Demonstrations | None) -> None:
    """Record ``rollout.mp4`` and ``rollout.png``; where nothing can be drawn, say what to do."""
    from gail.rendering import RenderingError, can_show, record

    env_id = str(model.env_id)
    notify("Recording a video ...")
    beside = expert if expert is not None and can_show(expert, env_id) else None
    files = [run.path / "rollout.mp4", run.path / "rollout.png"]
    try:
        record(model, env_id, files, beside=beside)
    except RenderingError as error:
        notify(f"No video: {error} The result is kept; later: gail render {run.path}")
    else:
        notify(f"Wrote {files[0]} and {files[1].name}.")


def report(run: RunFolder) -> None:
    """Write ``report.html``."""
    from gail.report import write_report

    notify(f"Wrote {write_report(run.path)}.")


def description(expert: Demonstrations) -> dict[str, Any]:
    """What a run says of its demonstrations."""
    return {
        "name": expert.name,
        "hash": expert.hash,
        "env": expert.env_id,
        "mujoco_version": expert.mujoco_version,
        "episodes": expert.num_episodes,
        "transitions": expert.num_transitions,
        "mean_return": mean_return(expert),
    }

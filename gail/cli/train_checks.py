"""What the flags of ``gail train`` ask of each other, known before anything is built."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from gail.errors import GailError
from gail.presets import preset

if TYPE_CHECKING:
    from gail.cli.train import Train

AT_LEAST_0 = ("steps", "episodes", "score_every", "checkpoint_seconds", "patience")
BESIDE_PPO = ("cloning.weight", "cloning.fade")  # they act while GAIL's policy improves


def check_flags(asked: Train) -> None:
    """Refuse flags that do not go together.

    Raises:
        GailError: naming the flags, and which to leave out or to add.
    """
    for name in AT_LEAST_0:
        if not getattr(asked, name) >= 0:  # also what is not a number
            raise GailError(f"{_flag(name)} is {getattr(asked, name)}; give 0 or more.")
    if asked.patience and not asked.policy_distance:
        raise GailError("--patience waits for a nearer policy; add --policy-distance.")
    _check_method(asked)
    _check_demonstrations_are_used(asked)


def _check_method(asked: Train) -> None:
    if asked.method == "ppo" and asked.demonstrations is None and asked.policy_distance:
        raise GailError("--policy-distance needs demonstrations; add --demonstrations FILE.")
    if asked.method == "bc" and asked.steps:
        raise GailError(
            f"--steps is {asked.steps}, but behavioural cloning alone takes no environment "
            "steps; leave it out and see --cloning.steps."
        )
    if asked.start_from is not None and (asked.method != "ppo" or asked.demonstrations):
        raise GailError(
            f"--start-from is {asked.start_from}, which is for --method ppo without "
            "--demonstrations; leave out one of them."
        )
    if asked.method != "gail" and asked.expert_resets:
        raise GailError(
            f"--expert-resets is {asked.expert_resets}, but only --method gail starts episodes "
            "in the demonstrations' states; leave it out."
        )


def _check_demonstrations_are_used(asked: Train) -> None:
    if asked.method == "bc" and asked.policy_distance:
        raise GailError(
            "--policy-distance is measured on rollouts, and --method bc takes no environment "
            "steps; leave it out."
        )
    if asked.method != "ppo" or asked.demonstrations is not None:
        return
    for name, given in (("trajectories", asked.trajectories), ("every", asked.every != 1)):
        if given:
            raise GailError(
                "--method ppo learns from the environment's own reward and clones demonstrations "
                f"first only if they are given; add --demonstrations, or leave out {_flag(name)}."
            )


def unused(asked: Train) -> list[str]:
    """The settings that differ from the task's preset and that the method does not use.

    They are told and not refused, so that all methods can be run with the same flags.

    >>> from gail.cli import parse
    >>> unused(parse(["train", "--method", "bc", "--discriminator.updates", "3"]))
    ['--discriminator.updates']
    """
    if asked.method == "gail":
        return []
    known, mine = asdict(preset(asked.env)), asdict(asked)
    changed = [
        f"{group}.{name}"
        for group in ("discriminator", "cloning")
        for name, value in mine[group].items()
        if value != known[group][name]
    ]
    clones = asked.method == "bc" or asked.demonstrations is not None
    used = [name for name in changed if clones and name.startswith("cloning.")]
    return [_flag(name) for name in changed if name not in used or name in BESIDE_PPO]


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

"""``gail collect``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gail.cli.console import mujoco_warnings_once, notify, require_free, wrong_input
from gail.errors import GailError

if TYPE_CHECKING:
    from gail.playing import Policy


@dataclass(frozen=True)
class Collect:
    """Record demonstrations: episodes that a policy plays in the official environment."""

    out: Path
    """The .npz file to write."""
    overwrite: bool = False
    """Replace the file if it exists."""
    policy: str = "random"
    """A saved policy, a checkpoint, a run's folder, or the word random."""
    env: str | None = None
    """Gymnasium id, or module:My-v0 to import the module that registers My-v0 first; by default the
    task the policy was trained on."""
    episodes: int = 10
    """Episodes played."""
    seed: int = 1000
    """Episode i is reset with seed + i; seeds from 10,000 on belong to evaluation."""
    stochastic: bool = False
    """Sample actions instead of taking the policy's mean."""
    whole: bool = False
    """Leave out the episodes that terminated before the time limit."""
    drop_sensors: float = 0.0
    """Share of the sensors that fail after an episode's first observation, others in each one; the
    file holds what they would have read, so that a repair can learn where failures lead."""
    repair: str | None = None
    """How they are filled in: by a model that gail data fit made, mean, last or zero; without,
    they read 0."""
    device: str = "cpu"
    """Where the policy computes."""

    def run(self) -> None:
        """Play and write the file."""
        from gail.demonstrations import Demonstrations
        from gail.playing import physics_version, play

        if self.out.suffix != ".npz":
            raise GailError(f"--out is {self.out}; give a name that ends in .npz.")
        require_free(self.out, self.overwrite)
        with mujoco_warnings_once(), wrong_input():
            policy, env_id = self._load()
            played = play(policy, env_id, self.episodes, self.seed, not self.stochastic)
            episodes = [each.episode for each in played]
            kept = [each for each in episodes if not (self.whole and each.terminated)]
            if not kept:
                raise GailError(
                    f"All {len(episodes)} episodes terminated before the time limit, so --whole "
                    "leaves none; train the policy longer, or leave out --whole."
                )
            demonstrations = Demonstrations.from_episodes(
                kept,
                env_id=env_id,
                mujoco_version=physics_version(env_id),
                name=self.out.name,
            )
            demonstrations.save(self.out)
        left_out = len(episodes) - len(kept)
        notify(f"Wrote {self.out}: {demonstrations}; {left_out} episodes left out.")

    def _load(self) -> tuple[Policy, str]:
        from gail.cli.policies import load_policy, with_faults
        from gail.playing import RandomPolicy, make

        if self.policy != "random":
            model, env_id = load_policy(Path(self.policy), self.env, self.device)
            faulty = with_faults(model, env_id, self.drop_sensors, self.repair, self.seed)
            return faulty, env_id
        if self.drop_sensors or self.repair is not None:
            raise GailError(
                "The policy 'random' has no use for sensors; leave out --drop-sensors and --repair."
            )
        if self.env is None:
            raise GailError("The policy 'random' has no task of its own; give it with --env.")
        return RandomPolicy(make(self.env).action_space, self.seed), self.env

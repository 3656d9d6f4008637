"""``gail evaluate``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from gail.cli.console import mujoco_warnings_once, require_free, results, table, wrong_input

if TYPE_CHECKING:
    from rich.table import Table

    from gail.evaluation import Evaluation
    from gail.ppo import TorchPPO


@dataclass(frozen=True)
class Evaluate:
    """Score a policy in the official Gymnasium environment."""

    policy: tyro.conf.Positional[Path]
    """A saved policy, a checkpoint or a run's folder."""
    env: str | None = None
    """Gymnasium id (module:My-v0 imports a module first); by default the task it was trained on."""
    demonstrations: str | None = None
    """The expert's episodes, whose mean return is 1 on the normalised scale."""
    episodes: int = 50
    """Episodes played."""
    seed: int = 10_000
    """Episode i is reset with seed + i; seeds below 10,000 belong to demonstrations."""
    stochastic: bool = False
    """Sample actions instead of taking the policy's mean."""
    drop_sensors: float = 0.0
    """Share of the sensors that fail after an episode's first observation, others in each one."""
    repair: str | None = None
    """How they are filled in: by a model that gail data fit made, mean, last or zero; without,
    they read 0."""
    out: Path | None = None
    """Also write the score to this JSON file."""
    overwrite: bool = False
    """Replace that file if it exists."""
    device: str = "cpu"
    """Where the policy computes."""

    def run(self) -> None:
        """Play, print the score, write it if asked."""
        from gail.cli.policies import load_policy, with_faults
        from gail.evaluation import evaluate
        from generative.files import replacing_file

        if self.out is not None:
            require_free(self.out, self.overwrite)
        with mujoco_warnings_once(), wrong_input():
            model, env_id = load_policy(self.policy, self.env, self.device)
            expert = self._expert_return(model, env_id)
            policy = with_faults(model, env_id, self.drop_sensors, self.repair)
            score = evaluate(policy, env_id, self.episodes, self.seed, not self.stochastic, expert)
        results().print(score_table(score))
        faults = {"drop_sensors": self.drop_sensors, "repair": self.repair}
        told = faults if self.drop_sensors else {}
        if self.out is not None:
            with replacing_file(self.out) as handle:
                handle.write((json.dumps(score.to_json() | told, indent=2) + "\n").encode())

    def _expert_return(self, model: TorchPPO, env_id: str) -> float | None:
        """From the demonstrations given, else from the run that the policy is of."""
        if self.demonstrations is not None:
            from gail.cli.policies import mean_return
            from gail.demonstrations import Demonstrations

            expert = Demonstrations.load(self.demonstrations, env_id=env_id)
            expert.check_for(env_id, model.observation_space, model.action_space)
            return mean_return(expert)
        if (self.policy / "config.json").is_file():
            from gail.runs import RunFolder

            known = RunFolder.open(self.policy).config().get("demonstrations") or {}
            value = known.get("mean_return")
            return value if isinstance(value, float) else None
        return None


def score_table(score: Evaluation) -> Table:
    """The score as people read it."""
    rows = {
        "episodes": f"{score.episodes}, {_actions(score)} actions",
        "return": f"{score.mean_return:.1f} ± {score.std_return:.1f}",
        "expert": "unknown" if score.expert_return is None else f"{score.expert_return:.1f}",
        "random": f"{score.random_return:.1f}",
        "normalised score": _normalised(score),
        "falls": f"{score.fall_rate:.0%} of episodes",
    }
    if score.forward_distance is not None:
        rows["forward distance"] = f"{score.forward_distance:.1f} m"
    if score.mean_speed is not None:
        rows["mean speed"] = f"{score.mean_speed:.2f} m/s"
    return table(score.env, rows)


def _actions(score: Evaluation) -> str:
    return "deterministic" if score.deterministic else "sampled"


def _normalised(score: Evaluation) -> str:
    if score.normalised_score is not None:
        return f"{score.normalised_score:.3f}"
    same = score.expert_return == score.random_return
    why = "is that of random actions" if same else "is unknown"
    return f"– (the expert's return {why})"

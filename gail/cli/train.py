"""``gail train``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from gail.cli import training
from gail.cli.console import mujoco_warnings_once, notify, wrong_input
from gail.cli.policies import POLICY_FILE
from gail.cli.train_checks import check_flags, unused
from gail.cli.words import Count, option
from gail.errors import GailError
from gail.presets import (
    CloningSettings,
    DiscriminatorSettings,
    PPOSettings,
    Settings,
    from_json,
    preset,
    reward_preset,
    warm_reward_preset,
)

if TYPE_CHECKING:
    from gail.demonstrations import Demonstrations
    from gail.ppo import TorchPPO
    from gail.runs import RunFolder

Method = Literal["gail", "bc", "ppo"]
NOT_STORED = ("out", "resume")  # of a run's flags
MAY_CHANGE = ("steps", *NOT_STORED)  # when it is resumed


@dataclass(frozen=True)
class Train:
    """Learn a policy from demonstrations; ends with a score and a video.

    Alone, `gail train` imitates Ant-v5 from the demonstrations shipped with the project. The
    defaults of all settings are the preset of the task.
    """

    env: str = "Ant-v5"
    """Gymnasium id of any task with continuous observations and actions; module:My-v0 imports the
    module that registers My-v0 first."""
    demonstrations: str | None = None
    """The expert's episodes: a file, a folder or a Minari id; by default the shipped ones."""
    trajectories: int | None = None
    """Use only the first so many episodes."""
    every: int = 1
    """Keep every k-th step of each episode, from a random offset."""
    method: Method = "gail"
    """gail, behavioural cloning alone (bc), or PPO on the environment's own reward (ppo).

    With --demonstrations, ppo starts from a clone of them."""
    start_from: str | None = None
    """Start from this policy, a file or a run's folder, instead of an untrained one (ppo only)."""
    steps: Count = 2_000_000
    """Environment steps of the whole run."""
    seed: int = 0
    """Of weights, noise, environments and subsampling."""
    out: Path | None = None
    """The run's folder; by default runs/<env>-<time>."""
    device: str = "auto"
    """Where everything is computed: auto, cpu or cuda."""
    backend: str = "auto"
    """The simulation engine: auto, native, warp or gymnasium."""
    resume: Path | None = None
    """Continue a run's folder; all else stays as it was, only --steps may be changed."""
    episodes: int = 50
    """Episodes of the final score; 0 leaves the score out."""
    video: bool = True
    """Record rollout.mp4 and rollout.png at the end."""
    score_every: int = 0
    """Also play 10 deterministic episodes every so many steps, into scores.csv; 0 plays none."""
    policy_distance: bool = False
    """Log how far each rollout is from the demonstrations, and keep the nearest policy."""
    patience: int = 0
    """With --policy-distance: stop after so many steps without a nearer policy; 0 never stops."""
    expert_resets: float = 0.0
    """Probability that an episode of training starts in a demonstration's state (gail only)."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints, more where writing takes long; 0: every iteration."""
    ppo: PPOSettings = field(default_factory=PPOSettings)
    """The policy and how it learns from rewards."""
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    """The discriminator and its reward."""
    cloning: CloningSettings = field(default_factory=CloningSettings)
    """Behavioural cloning before the first rollout."""

    @classmethod
    def defaults(cls, words: Sequence[str]) -> Self:
        """What the flags that are not given mean, which depends on some that are.

        Args:
            words: the command line.

        Raises:
            GailError: if a run is to be resumed and cannot be read.
        """
        resume = option(words, "--resume")
        if resume is not None:
            return replace(cls.of_run(Path(resume)), resume=Path(resume))
        env = option(words, "--env") or cls.env
        settings, method = preset(env), option(words, "--method")
        warm = option(words, "--demonstrations") or option(words, "--start-from")
        reward = warm_reward_preset if warm else reward_preset
        return cls(
            env=env,
            steps=0 if method == "bc" else settings.steps,
            ppo=reward(env) if method == "ppo" else settings.ppo,
            discriminator=settings.discriminator,
            cloning=settings.cloning,
            expert_resets=settings.expert_resets if method in (None, "gail") else 0.0,
        )

    @classmethod
    def of_run(cls, folder: Path) -> Self:
        """The flags that a run was started with.

        Raises:
            GailError: if there is no run, or another version wrote it.
        """
        from gail.runs import RunFolder

        stored = RunFolder.open(folder).config().get("flags")
        kind: Any = cls
        try:
            rebuilt: Self = from_json(kind, stored)  # type: ignore[arg-type]
            return rebuilt
        except (TypeError, AttributeError) as error:
            raise GailError(
                f"{folder / 'config.json'} was written by another version ({error}); "
                "resume it with that one, or start a new run."
            ) from error

    def run(self) -> None:
        """Check everything, then train, score and record.

        Raises:
            GailError: wrong input, before anything is written.
            DivergenceError: training met non-finite values; the last checkpoint stays.
            Interrupted: Ctrl-C or SIGTERM; the run can be resumed.
        """
        import torch

        from gail.runs import Keeper, RunFolder

        if "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)  # more pay where nothing else runs, and wait where it does
        with mujoco_warnings_once():
            with wrong_input():
                self._check()
                expert = self._load_expert()
                model = self._build(expert)
                restored = False
                if self.resume is None:
                    run = RunFolder.create(self.env, self.out)
                    run.write_json("config.json", self._config(model, expert))
                else:
                    run = RunFolder.open(self.resume)
                    restored = self._restore(model, expert, run)
            notify(f"Run folder: {run.path}; {type(model.engine).__name__}, {model.device}")
            if names := unused(self):
                notify(f"--method {self.method} does not use {', '.join(names)}.")
            with Keeper(run, self.checkpoint_seconds) as keeper:
                if self.method == "ppo" and expert is not None and not restored:
                    training.warm_start(model, expert, self.cloning, self.every)
                more = training.watchers(model, run, self, expert)
                training.learn(model, run, keeper, self.steps, more, resumed=restored)
                model.save(run.path / POLICY_FILE)
                if self.episodes:
                    training.score(model, run, self.episodes, expert)
                if self.video:
                    training.film(model, run, expert)
                training.report(run)

    def _check(self) -> None:
        """What can be known before anything is built."""
        from gail.playing import make

        if self.resume is not None:
            self._require_same_flags(self.resume)
            if self.out is not None:
                raise GailError(
                    f"A resumed run stays in {self.resume}; leave out --out, because only --steps "
                    "may be changed with --resume."
                )
        check_flags(self)
        make(self.env).close()  # scores and videos come from Gymnasium, whatever the engine

    def _require_same_flags(self, folder: Path) -> None:
        mine = asdict(self)
        for name, value in asdict(self.of_run(folder)).items():
            if name not in MAY_CHANGE and value != mine[name]:
                raise GailError(
                    f"{folder} was started with another --{name.replace('_', '-')}; "
                    "only --steps may be changed with --resume."
                )

    def _load_expert(self) -> Demonstrations | None:
        from gail.demonstrations import Demonstrations

        if self.method == "ppo" and self.demonstrations is None:
            return None
        if self.demonstrations is None:
            return Demonstrations.shipped(self.env, trajectories=self.trajectories)
        return Demonstrations.load(
            self.demonstrations, env_id=self.env, trajectories=self.trajectories
        )

    def _build(self, expert: Demonstrations | None) -> TorchPPO:
        from gail.algorithm import GAIL
        from gail.ppo import TorchPPO

        where: Any = {"seed": self.seed, "device": self.device, "backend": self.backend}
        if self.method == "ppo":
            model = TorchPPO("MlpPolicy", self.env, self.ppo, **where)
            if expert is not None:
                expert.check_for(self.env, model.observation_space, model.action_space)
                expert.transitions(self.every)  # complains of a wrong one
            if self.start_from is not None and not self._has_checkpoint():
                training.take_over(model, Path(self.start_from), self.env)
            return model
        settings = Settings(
            ppo=self.ppo,
            discriminator=self.discriminator,
            cloning=self.cloning,
            expert_resets=self.expert_resets,
        )
        return GAIL("MlpPolicy", self.env, expert, settings, every=self.every, **where)

    def _has_checkpoint(self) -> bool:
        from gail.runs import RunFolder

        return self.resume is not None and bool(RunFolder.open(self.resume).checkpoints())

    def _config(self, model: TorchPPO, expert: Demonstrations | None) -> dict[str, Any]:
        """Everything there is to know of the run before its first step."""
        from gail.runs import provenance

        flags = {name: value for name, value in asdict(self).items() if name not in NOT_STORED}
        for name in ("demonstrations", "start_from"):
            if flags[name] is not None and Path(flags[name]).exists():
                flags[name] = str(Path(flags[name]).resolve())
        return {
            "flags": flags,
            "engine": type(model.engine).__name__,
            "demonstrations": expert and training.description(expert),
            **provenance(model.device),
        }

    def _restore(self, model: TorchPPO, expert: Demonstrations | None, run: RunFolder) -> bool:
        """Make sure that these are its demonstrations, and go on from its last checkpoint.

        False if it was killed before the first one, so that it starts over.
        """
        from gail.runs import provenance

        config = run.config()
        known, found = config["demonstrations"], expert and training.description(expert)
        if known and found and known["hash"] != found["hash"]:
            raise GailError(
                f"{run.path} was started with demonstrations {known['name']} of hash "
                f"{known['hash'][:12]} and these have {found['hash'][:12]}; give the same ones."
            )
        checkpoint = run.latest_checkpoint() if run.checkpoints() else None
        if checkpoint is not None:
            model.restore(checkpoint)
        config["flags"]["steps"] = self.steps
        again = provenance(model.device) | {"checkpoint": checkpoint and checkpoint.name}
        run.write_json("config.json", config | {"resumed": [*config.get("resumed", []), again]})
        return checkpoint is not None

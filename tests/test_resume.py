"""A run killed with SIGKILL at random moments ends like one that was never killed, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from experts import point_mass_demonstrations

import envs
from envs.toy import ID
from gail import checkpoint
from gail.demonstrations import Demonstrations, Episode

ROOT = Path(__file__).resolve().parent.parent
KILLS = 5
SMALL = [
    *("--episodes", "0", "--no-video", "--checkpoint-seconds", "0"),
    *("--ppo.num-envs", "4", "--ppo.net-arch", "32", "--ppo.batch-size", "32"),
    *("--discriminator.hidden", "32", "--discriminator.batch-size", "32"),
    *("--cloning.steps", "20"),
]
RUNS = {
    ID: [*SMALL, "--ppo.n-steps", "32", "--steps", "12800"],
    "Ant-v5": [*SMALL, "--ppo.n-steps", "16", "--steps", "2560"],
}


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "gail", "train", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def demonstrations_of(env_id: str) -> Demonstrations:
    """Any actions serve as an expert here."""
    if env_id == ID:
        return point_mass_demonstrations(2)
    env = envs.make(env_id, 1, device="cpu")
    generator = np.random.default_rng(0)
    actions = generator.uniform(-0.3, 0.3, (64, 8)).astype(np.float32)
    obs = generator.normal(size=(65, env.observation_space.shape[0])).astype(np.float32)
    env.close()
    return Demonstrations.from_episodes([Episode(obs, actions)], env_id=env_id)


def wait_for_a_checkpoint(run: Path, process: subprocess.Popen[bytes], newer: set[str]) -> None:
    """Until the run has written a checkpoint that was not there before, or ended."""
    while process.poll() is None:
        if {path.name for path in run.glob("checkpoints/step-*.zip")} - newer:
            return
        time.sleep(0.005)


@pytest.mark.parametrize("env_id", list(RUNS))
def test_killed_runs_end_like_whole_ones(env_id: str, tmp_path: Path) -> None:
    demos = tmp_path / "demos.npz"
    demonstrations_of(env_id).save(demos)
    arguments = ["--env", env_id, "--demonstrations", str(demos), *RUNS[env_id]]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    unharmed = start(*arguments, "--out", str(whole))

    moments = random.Random(env_id)
    process = start(*arguments, "--out", str(killed))
    for _ in range(KILLS):
        known = {path.name for path in killed.glob("checkpoints/step-*.zip")}
        wait_for_a_checkpoint(killed, process, known)
        time.sleep(moments.uniform(0.0, 0.15))
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        process = start("--resume", str(killed))
    finish(process)
    finish(unharmed)

    metadata, expected = checkpoint.read(whole / "policy.zip")
    resumed, found = checkpoint.read(killed / "policy.zip")
    assert resumed["num_timesteps"] == metadata["num_timesteps"]
    for section, tensors in expected.items():
        for name, tensor in tensors.items():
            assert tensor.equal(found[section][name]), f"{section} {name}"

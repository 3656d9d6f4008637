"""What callbacks see of an algorithm, without one."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from stable_baselines3.common.callbacks import BaseCallback


class Learner:
    """What callbacks see of an algorithm: steps, a logger and checkpoints of one number."""

    def __init__(self) -> None:
        self.num_timesteps = 0
        self.logger = type("Logger", (), {"output_formats": []})()

    def save_checkpoint(self, path: Path) -> None:
        write_checkpoint(path, self.num_timesteps)

    def learn(self, callback: BaseCallback, iterations: int, steps: int = 10) -> None:
        """SB3's loop: rollouts of ``steps`` steps until done or stopped."""
        callback.init_callback(self)  # type: ignore[arg-type]
        callback.on_training_start({"total_timesteps": iterations * steps}, {})
        for _ in range(iterations):
            callback.on_rollout_start()
            for _ in range(steps):
                self.num_timesteps += 1
                if not callback.on_step():
                    return callback.on_training_end()
            callback.on_rollout_end()
        return callback.on_training_end()


def write_checkpoint(path: Path, content: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps(content))

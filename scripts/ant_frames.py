"""PixelCNN on grey pictures of Ant: bits, completions, and whether they tell who acts.

    python scripts/ant_frames.py --out benchmarks/generative/ant-frames.json \
        --picture docs/pictures/frames.png

Each picture is of one step of an episode, seen from the task's camera over the same piece of floor,
drawn at several times its size and averaged down. The model learns from the pictures of some
episodes of the demonstrations; bits are those of episodes held out, and the area under the curve
is the chance that a held-out picture is more probable than one of a policy with random actions.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gail import Demonstrations, drawing
from gail.bench.record import head, write
from gail.painters import stage
from generative.discretised import DiscretisedLogistic
from generative.files import require_writable
from generative.gated_stacks import Gated
from generative.pixel_models import PixelCNN
from generative.training import Monitor, Training

GREY = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
LEVELS = 256
SHOWN = 8  # pictures in a line


@dataclass(frozen=True)
class AntFrames:
    """Draw pictures, train, score, write."""

    demonstrations: str | None = None
    """Demonstrations from elsewhere; those shipped with the project if not given."""
    env: str = "Ant-v5"
    """A MuJoCo task whose observations begin with all positions but those over ground."""
    side: int = 32
    """Height and width of the pictures."""
    finer: int = 2
    """How many times as large they are drawn."""
    every: int = 5
    """Steps from one picture of an episode to the next."""
    episodes: int = 26
    """Of the demonstrations; every fifth one is held out."""
    random_episodes: int = 20
    """With random actions."""
    channels: int = 32
    """Of the net."""
    blocks: int = 6
    """Of the net."""
    components: int = 0
    """Logistics for each pixel; 0 for any probabilities of the levels."""
    epochs: int = 15
    """Passes over the pictures."""
    batch_size: int = 16
    """Pictures a step."""
    learning_rate: float = 2e-3
    """Of Adam at first; it falls to 0 by a cosine."""
    seed: int = 0
    """Of weights, training, random actions and samples."""
    device: str = "cpu"
    """Where the model learns: cpu or cuda."""
    threads: int = 1
    """Of torch."""
    frames: Path | None = None
    """Keep the pictures in this .npz file, or take them from it if it exists."""
    picture: Path | None = None
    """Draw samples and completions of held-out pictures."""
    save: Path | None = None
    """Keep the model in this file."""
    out: Path | None = None
    """Write the figures to this file."""

    def run(self) -> None:
        """Draw, train, score, write."""
        torch.set_num_threads(self.threads)
        for path in filter(None, (self.out, self.picture, self.save, self.frames)):
            require_writable(path)
        origin = head("ant-frames")
        train, held_out, random = self.pictures()
        model, seconds = self.train(torch.cat(train))
        results = self.score(model, train, held_out, random)
        print(results)
        record = {
            **origin,
            "environment": self.env,
            "settings": {k: v for k, v in asdict(self).items() if not isinstance(v, Path)},
            "frames": {
                "train": sum(map(len, train)),
                "held_out": sum(map(len, held_out)),
                "random": sum(map(len, random)),
            },
            "parameters": sum(each.numel() for each in model.parameters()),
            "seconds": seconds,
            "results": results,
        }
        if self.out is not None:
            write(self.out, record)
        if self.save is not None:
            model.save(self.save)
        if self.picture is not None:
            self.draw(model, torch.cat(held_out), self.picture)

    def pictures(self) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
        """Pictures (N, 1, side, side) of each episode: to learn from, held out, of random actions.

        Raises:
            ValueError: if no episode would be left on one side.
        """
        if self.frames is not None and self.frames.exists():
            with np.load(self.frames, allow_pickle=False) as file:
                found = {name: torch.from_numpy(file[name]) for name in file.files}
        else:
            found = dict(enumerate_names(self.drawn()))
            if self.frames is not None:
                np.savez(self.frames, **{name: x.numpy() for name, x in found.items()})
        expert = [x for name, x in found.items() if name.startswith("expert")][: self.episodes]
        random = [x for name, x in found.items() if name.startswith("random")]
        if len(expert) < 10:
            raise ValueError(f"There are {len(expert)} episodes; 10 or more are needed.")
        train = [x for i, x in enumerate(expert) if i % 5 != 4]
        return train, expert[4::5], random

    def drawn(self) -> Iterable[tuple[str, Tensor]]:
        """The pictures of each episode, and whose it is."""
        demos = (
            Demonstrations.shipped(self.env)
            if self.demonstrations is None
            else Demonstrations.load(self.demonstrations, env_id=self.env)
        )
        env, painter = stage(self.env, self.side * self.finer)
        try:
            for episode in list(demos.episodes())[: self.episodes]:
                yield "expert", self.of(env, painter, episode.observations)
            for seed in range(self.random_episodes):
                yield "random", self.of(env, painter, random_observations(self.env, seed))
        finally:
            painter.close()
            env.close()

    def of(self, env: gym.Env[Any, Any], painter: Any, observations: NDArray[Any]) -> Tensor:
        """Pictures (N, 1, side, side) of every so many observations."""
        bare: Any = env.unwrapped
        env.reset(seed=0)
        known = bare.observation_structure
        skipped, positions = known["skipped_qpos"], known["qpos"]
        shots = []
        for row in observations[:: self.every].astype(np.float64):
            place = np.concatenate([np.zeros(skipped), row[:positions]])
            bare.set_state(place, row[positions : positions + known["qvel"]])
            shots.append(torch.from_numpy(painter.paint(env).copy()))
        colours = torch.stack(shots).float()  # (N, height, width, 3)
        grey = (colours @ torch.tensor(GREY))[:, None]
        return F.avg_pool2d(grey, self.finer).round().clamp(0, LEVELS - 1).to(torch.uint8)

    def train(self, x: Tensor) -> tuple[PixelCNN, float]:
        """The model, and how long it took."""
        torch.manual_seed(self.seed)
        network = Gated(self.channels, self.blocks)
        likelihood = DiscretisedLogistic(LEVELS, self.components) if self.components else LEVELS
        model = PixelCNN(tuple(x.shape[1:]), likelihood, network=network).to(self.device)
        training = Training(
            self.epochs, self.batch_size, self.learning_rate, "cosine", max_grad_norm=1.0
        )
        began = time.perf_counter()
        model.fit(
            x,
            training=training,
            monitor=Monitor(progress=True),
            generator=torch.Generator(self.device).manual_seed(self.seed),
        )
        return model, time.perf_counter() - began

    def score(
        self, model: PixelCNN, train: list[Tensor], held_out: list[Tensor], random: list[Tensor]
    ) -> dict[str, Any]:
        """Bits of a pixel, by the model and by pixels that know nothing of each other."""
        each = [model.bits_per_dimension(x).double().cpu() for x in held_out]
        means = torch.stack([bits.mean() for bits in each])  # of episodes
        other = torch.cat([model.bits_per_dimension(x).double().cpu() for x in random])
        alone = histogram_bits(torch.cat(train), torch.cat(held_out))
        alone_random = histogram_bits(torch.cat(train), torch.cat(random))
        some = torch.cat(train)[:1000]
        return {
            "bits": float(torch.cat(each).mean()),
            "standard_error": float(means.std()) / len(means) ** 0.5,
            "train_bits": float(model.bits_per_dimension(some).double().mean()),
            "random_bits": float(other.mean()),
            "auroc": above(other, torch.cat(each)),
            "independent": {
                "bits": float(alone.mean()),
                "random_bits": float(alone_random.mean()),
                "auroc": above(alone_random, alone),
            },
        }

    def draw(self, model: PixelCNN, x: Tensor, path: Path) -> None:
        """Samples; held-out pictures, their upper halves, and these completed."""
        generator = torch.Generator(model.device).manual_seed(self.seed)
        some = x[torch.linspace(0, len(x) - 1, SHOWN).long()].to(model.device)
        seen = torch.zeros(some.shape, dtype=torch.bool, device=model.device)
        seen[:, :, : some.shape[2] // 2] = True
        lines = [model.sample(SHOWN, generator), some, torch.where(seen, some, 0)]
        lines += [model.impute(some, seen, generator=generator) for _ in range(2)]
        sheet = torch.cat([each.float().cpu() for each in lines])
        title = "samples; held out; upper halves; completed (2 lines)"
        drawing.save(drawing.image_grid(sheet.numpy(), title, SHOWN, (0, LEVELS - 1)), path)


def enumerate_names(drawn: Iterable[tuple[str, Tensor]]) -> Iterable[tuple[str, Tensor]]:
    """Names that tell episodes apart."""
    for number, (name, x) in enumerate(drawn):
        yield f"{name}_{number:03}", x


def random_observations(env_id: str, seed: int) -> NDArray[np.float64]:
    """An episode (T + 1, O) with actions that are uniform over their range."""
    env = gym.make(env_id)
    env.action_space.seed(seed)
    obs, _ = env.reset(seed=10_000 + seed)
    rows, done = [obs], False
    while not done:
        obs, _, terminated, truncated, _ = env.step(env.action_space.sample())
        rows.append(obs)
        done = terminated or truncated
    env.close()
    return np.asarray(rows, np.float64)


def histogram_bits(train: Tensor, x: Tensor) -> Tensor:
    """Bits of a pixel (N,) by how often each level was seen at each place, one more for all."""
    places = train[0].numel()
    index = torch.arange(places) * LEVELS
    seen = (train.flatten(1).long() + index).flatten().bincount(minlength=places * LEVELS)
    share = (seen + 1.0) / (len(train) + LEVELS)
    return -share[x.flatten(1).long() + index].double().log2().mean(1)


def above(first: Tensor, second: Tensor) -> float:
    """The chance that a number of the first is above one of the second, ties counted half.

    The area under the receiver operating curve.
    """
    gap = first[:, None] - second
    return float((gap > 0).double().mean() + (gap == 0).double().mean() / 2)


if __name__ == "__main__":
    tyro.cli(AntFrames).run()

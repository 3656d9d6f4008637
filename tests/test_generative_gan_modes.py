"""GANs find all modes, and samples are where data are."""

from __future__ import annotations

import math

import pytest
import torch
from toy_families import generator

from generative import Standardise, Training
from generative.coders import Dense
from generative.fidelity import modes_found
from generative.games import HINGE, Game, Techniques
from generative.gan import GAN

STD = 0.05
GAMES = {
    "hinge": HINGE,
    "wasserstein": Game("wasserstein", gradient_penalty=0.1, betas=(0.0, 0.9)),
}


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_eight_gaussians_on_a_ring(game: Game) -> None:
    torch.manual_seed(0)
    g = generator()
    angle = 2 * math.pi * torch.arange(8) / 8
    modes = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    x = modes.repeat(320, 1) + STD * torch.randn(2560, 2, generator=g)
    model = GAN(
        2,
        4,
        network=Dense((64, 64)),
        game=game,
        techniques=Techniques(average=0.99),
        preprocessing=Standardise(),
    )
    training = Training(epochs=100, batch_size=128, learning_rate=6e-3, schedule="cosine")
    model.fit(x, training=training, generator=g)
    found, good = modes_found(model.sample(2500, g), modes, 3 * STD)
    assert found == 8
    assert good >= 0.85

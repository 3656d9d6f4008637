"""Wrong input of GANs gets one sentence, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from toy_families import generator, same, values

from generative import DivergenceError, Monitor, Training
from generative.coders import Dense
from generative.dcgan import DCGAN
from generative.games import HINGE, LEAST_SQUARES, WASSERSTEIN, Game, Techniques
from generative.gan import GAN
from generative.pixels import Rescale

NET = Dense((8,))
X = torch.randn(50, 2, generator=generator())
IMAGES = torch.rand(50, 1, 8, 8, generator=generator())
ALIKE = Techniques(minibatch_discrimination=2)
ONE = Training(epochs=1)


def fitted() -> GAN:
    return GAN(2, 3, network=NET).fit(X, training=ONE, generator=generator())


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "loss": (lambda: Game("mse"), "'mse'; expected one of bce, least_squares"),  # type: ignore[arg-type]
    "unbounded": (lambda: Game("wasserstein"), "critic of bounded slope; give gradient_penalty"),
    "penalty": (lambda: Game(gradient_penalty=-1), "gradient_penalty=-1; expected at least 0"),
    "steps": (lambda: Game(critic_steps=0), "critic_steps=0; it must be positive"),
    "betas": (lambda: Game(betas=(0.5, 1.0)), r"betas=\(0.5, 1.0\)"),
    "features": (lambda: Techniques(feature_matching=-1.0), "feature_matching=-1.0"),
    "smoothing": (lambda: Techniques(label_smoothing=0.5), "label_smoothing=0.5"),
    "average": (lambda: Techniques(average=1.0), "average=1.0; expected at least 0 and below 1"),
    "smoothed hinge": (
        lambda: GAN(2, game=HINGE, techniques=Techniques(label_smoothing=0.1)),
        "hinge loss, which has no labels",
    ),
    "shape": (lambda: GAN((2, 0)), r"shape=\(2, 0\)"),
    "latent": (lambda: GAN(2, 0), "latent=0; it must be positive"),
    "context": (lambda: GAN(2, context=-1), "context=-1"),
    "size": (lambda: GAN((1, 30, 30), network=DCGAN()), r"\(1, 30, 30\).*4 to 7 times a power"),
    "oblong": (lambda: GAN((1, 32, 64), network=DCGAN()), r"\(1, 32, 64\)"),
    "tiny": (lambda: GAN((1, 4, 4), network=DCGAN()), r"\(1, 4, 4\)"),
    "hidden": (lambda: DCGAN(4, hidden=-1), "hidden=-1; expected at least 0"),
    "vectors": (lambda: GAN(8, network=DCGAN()), r"shape \(8,\)"),
    "norm and penalty": (
        lambda: GAN((1, 16, 16), network=DCGAN(4), game=WASSERSTEIN),
        r"by itself; leave out batch norm \(critic_norm=False\)",
    ),
    "alike and penalty": (
        lambda: GAN(2, game=WASSERSTEIN, techniques=ALIKE),
        "by itself; leave out minibatch discrimination",
    ),
    "rows": (lambda: GAN(3, network=NET).fit(X), r"shape \(2,\) after .* made for \(3,\)"),
    "no context": (lambda: GAN(2, context=3).fit(X), "context=3 and was given no context"),
    "wide context": (
        lambda: GAN(2, context=3).fit(X, context=X),
        r"was given a context of the shape \(50, 2\)",
    ),
    "unasked context": (lambda: fitted().sample(4, context=X[:4]), "leave it out"),
    "range": (
        lambda: GAN((1, 8, 8), network=NET).fit(255 * IMAGES),
        r"reach from .* to 2.* makes values in \[-1, 1\]; put Rescale",
    ),
    "lengths": (
        lambda: GAN((4, 3)).fit(torch.randn(2, 4, 3), lengths=[4, 2]),
        "sequences of 2 steps among those of 4; cut windows",
    ),
    "patience": (
        lambda: GAN(2).fit(X, validation=0.2, training=Training(patience=3)),
        "patience=3; the losses of players",
    ),
    "small batch": (
        lambda: GAN(2, techniques=ALIKE).fit(X, training=Training(batch_size=1)),
        "Batches of 1 row are too small for batch norm or minibatch discrimination",
    ),
    "not fitted": (lambda: GAN(2).sample(3), "not fitted"),
    "no samples": (lambda: fitted().sample(0), "asked for 0 rows"),
    "rescale": (lambda: Rescale(1, 1), "low=1 and high=1; expected low < high"),
}


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_one_sentence(name: str) -> None:
    call, told = CASES[name]
    with pytest.raises(ValueError, match=told) as caught:
        call()
    assert str(caught.value).count("\n") == 0


def test_a_model_that_was_refused_data_is_as_before() -> None:
    model = GAN(2, techniques=ALIKE, network=NET)
    before = values(model)
    with pytest.raises(ValueError, match="too small"):
        model.fit(X, training=Training(batch_size=1))
    assert same(before, values(model))


def test_a_loss_that_is_not_finite_is_named_and_the_last_good_weights_are_kept() -> None:
    model = GAN(2, 3, network=NET, game=LEAST_SQUARES)
    kept = {}

    def report(epoch: int, metrics: dict[str, float]) -> None:
        kept.update(values(model))
        if epoch == 2:
            model.critic.head.weight.data.fill_(1e30)

    with pytest.raises(DivergenceError, match=r"GAN stopped in epoch 3: critic/loss is (inf|nan)"):
        model.fit(
            X, training=Training(epochs=5), monitor=Monitor(report=report), generator=generator()
        )
    assert same(kept, values(model))
    assert model.sample(4, generator()).isfinite().all()

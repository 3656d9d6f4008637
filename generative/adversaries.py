"""How a GAN is made and trained; what it can do is in ``generative.gan``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from generative.adversarial import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)
from generative.average import Average
from generative.batches import Batch, check_context, check_rows
from generative.chain import describe
from generative.coders import Dense, Network
from generative.critic import Critic, Generator
from generative.data import check_positive
from generative.described import describe_part, part_from
from generative.games import Game, Techniques
from generative.networks import NETWORKS
from generative.neural import NeuralModel
from generative.training import Moment, Training
from generative.transform import Transform

_ROUNDING = 1e-4  # of values in [-1, 1]


class Adversaries(NeuralModel):
    """Nets and losses of :class:`~generative.gan.GAN`, which see."""

    training_defaults = Training(batch_size=64, learning_rate=2e-4)
    others: ClassVar[tuple[str, ...]] = ("generator",)  # players beside the critic, by turns

    def __init__(
        self,
        shape: int | Sequence[int],
        latent: int = 64,
        *,
        network: Network | None = None,
        game: Game | None = None,
        techniques: Techniques | None = None,
        context: int = 0,
        preprocessing: Transform | None = None,
    ) -> None:
        super().__init__(preprocessing)
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        check_positive(f"A {type(self).__name__}", latent=latent)
        if len(self.shape) not in (1, 2, 3) or min(self.shape) < 1 or context < 0:
            raise ValueError(
                f"A {type(self).__name__} was given shape={self.shape} and context={context}; "
                "expected D, (T, D) or (C, H, W), each 1 or more, and a context of 0 or more."
            )
        self.latent, self.context = latent, context
        self.network = network or Dense((256, 256), "leaky_relu")
        self.game, self.techniques = game or Game(), techniques or Techniques()
        if self.techniques.label_smoothing and self.game.loss != "bce":
            raise ValueError(
                f"Label smoothing was asked of the {self.game.loss} loss, which has no labels; use "
                'the "bce" loss or no smoothing.'
            )
        decoder = self.network.decoder(latent, context, self.shape, 1)
        self.generator = Generator(decoder, bounded=len(self.shape) == 3)
        encoder = self.network.encoder(self.shape, context)
        self.critic = Critic(encoder, self.game, self.techniques.minibatch_discrimination)
        self.kept: tuple[Batch, Tensor] | None = None  # what the critic was just shown
        self.averages = nn.ModuleDict({"generator": Average(self.generator, statistics=True)})
        remembered = {"critic": self.critic, "generator": self.generator}
        self.history = nn.ModuleDict(
            {name: Average(net) for name, net in remembered.items()}
            if self.techniques.historical_averaging
            else {}
        )

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON."""
        return {
            "shape": list(self.shape),
            "latent": self.latent,
            "network": describe_part(self.network),
            "game": describe_part(self.game),
            "techniques": describe_part(self.techniques),
            "context": self.context,
            "preprocessing": describe(self.preprocessing),
        }

    @classmethod
    def from_settings(cls, settings: dict[str, Any]) -> Self:
        """An unfitted model from what :meth:`settings` returned."""
        parts = {
            "network": part_from(settings["network"], NETWORKS),
            "game": part_from(settings["game"], (Game,)),
            "techniques": part_from(settings["techniques"], (Techniques,)),
        }
        return super().from_settings({**settings, **parts})

    def check(self, batch: Batch) -> None:
        """Refuse rows of another shape, images out of range, or a context that does not fit.

        Raises:
            ValueError: in one sentence.
        """
        check_rows(self, batch)
        if self.generator.bounded and batch.x.abs().max() > 1 + _ROUNDING:
            raise ValueError(
                f"Images reach from {batch.x.min().item():g} to {batch.x.max().item():g} after "
                f"preprocessing and this {type(self).__name__} makes values in [-1, 1]; put "
                "Rescale(low, high), with the least and the largest value of a pixel, into the "
                "preprocessing."
            )
        check_context(self, batch.context, len(batch.x))

    def check_training(self, rows: int, training: Training) -> None:
        """Refuse patience, too.

        Raises:
            ValueError: in one sentence.
        """
        if training.patience is not None:
            raise ValueError(
                f"A {type(self).__name__} was given patience={training.patience}; the losses of "
                "players do not tell how good samples are: leave it out."
            )
        super().check_training(rows, training)

    def compares_rows(self) -> bool:
        """Minibatch discrimination does, too."""
        return self.critic.together or super().compares_rows()

    def players(self) -> dict[str, list[nn.Parameter]]:
        """The critic and the generator."""
        return {
            "critic": list(self.critic.parameters()),
            "generator": list(self.generator.parameters()),
        }

    def turns(self, step: int) -> Sequence[str]:
        """The critic as often as the game says, then the others."""
        return ("critic",) * self.game.critic_steps + self.others

    def adam(self, player: str) -> dict[str, Any]:
        """The betas of the game."""
        return {"betas": self.game.betas}

    def loss(
        self,
        batch: Batch,
        moment: Moment,
        generator: torch.Generator | None,
        player: str = "critic",
    ) -> dict[str, Tensor]:
        """What a player minimises."""
        if player == "critic":
            return self.critic_loss(batch, generator)
        return self.generator_loss(batch, generator)

    def critic_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """How badly data are told from what is generated, and penalties; mean logits to log."""
        game, smoothing = self.game, self.techniques.label_smoothing
        fake = self.shown(batch, generator)
        real_logits, fake_logits = self.verdicts(batch, fake)
        loss = discriminator_loss(game.loss, real_logits, fake_logits, smoothing)
        told = {"real": real_logits.mean(), "fake": fake_logits.mean()}

        def judge(x: Tensor) -> Tensor:
            logits: Tensor = self.critic(x, batch.context)
            return logits

        if game.gradient_penalty:
            some = fake[: len(batch.x)]
            told["penalty"] = gradient_penalty(judge, batch.x, some, generator=generator)
            loss = loss + game.gradient_penalty * told["penalty"]
        if game.r1_penalty:
            told["r1"] = r1_penalty(judge, batch.x)
            loss = loss + game.r1_penalty * told["r1"]
        return {"loss": loss + self._straying("critic"), **told}

    def generator_loss(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        """How badly the critic is fooled, and what techniques add."""
        if self.kept is not None:
            (batch, fake), self.kept = self.kept, None
        else:
            fake = self.fakes(batch, generator)
        return self.fooling(batch, fake)

    def shown(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """What is generated for the critic, and kept if it is the generator's turn next.

        The generator does not change in between, and to make rows twice would take longer.
        """
        keep = self.game.critic_steps == 1 and len(self.others) == 1 and torch.is_grad_enabled()
        with torch.set_grad_enabled(keep):
            fake = self.fakes(batch, generator)
        self.kept = (batch, fake) if keep else None
        return fake.detach()

    def fakes(self, batch: Batch, generator: torch.Generator | None) -> Tensor:
        """What is generated for a batch (B, *shape), as the critic sees it."""
        rows: Tensor = self.generator(self.codes_drawn(len(batch.x), generator), batch.context)
        return rows

    def codes_drawn(self, n: int, generator: torch.Generator | None) -> Tensor:
        """Codes (n, Z) from N(0, I)."""
        like = self._like
        return torch.randn(
            n, self.latent, generator=generator, dtype=like.dtype, device=like.device
        )

    def after_step(self, moment: Moment) -> None:
        """Move the averages; early on they follow quickly."""
        self.kept, step = None, moment.step
        keep = min(self.techniques.average, (1 + step) / (10 + step))
        for averages, weight in ((self.averages, 1 - keep), (self.history, 1 / (step + 2))):
            for name, mean in averages.items():
                assert isinstance(mean, Average)
                mean.update(getattr(self, name), weight)

    def verdicts(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of data and of what is generated, in one pass unless rows are compared."""
        real, context, others = batch.x, batch.context, repeated(batch.context, batch.x, fake)
        if self.critic.together:
            return self.critic(real, context), self.critic(fake, others)
        both = None if context is None or others is None else torch.cat([context, others])
        logits: Tensor = self.critic(torch.cat([real, fake]), both)
        return logits[: len(real)], logits[len(real) :]

    def fooling(self, batch: Batch, fake: Tensor) -> dict[str, Tensor]:
        """How badly the critic is fooled by generated rows, and what techniques add."""
        features = self.critic.features(fake, repeated(batch.context, batch.x, fake))
        loss = generator_loss(self.game.loss, self.critic.logits(features))
        told = {}
        if self.techniques.feature_matching:
            with torch.no_grad():
                wanted = self.critic.features(batch.x, batch.context).mean(0)
            told["features"] = (features.mean(0) - wanted).square().sum()
            loss = loss + self.techniques.feature_matching * told["features"]
        return {"loss": loss + self._straying("generator"), **told}

    def _straying(self, player: str) -> Tensor | float:
        """The price of a player's distance from its past."""
        if player not in self.history:
            return 0.0
        mean = self.history[player]
        assert isinstance(mean, Average)
        return self.techniques.historical_averaging * mean.distance(getattr(self, player))


def repeated(context: Tensor | None, x: Tensor, fake: Tensor) -> Tensor | None:
    """The context of rows x once more for each set of generated rows."""
    return None if context is None else context.repeat(len(fake) // len(x), 1)
